#!/usr/bin/env bash
# What calls llm.c, RLtools and ensmallen, against pinned checkouts of them (cmake/checkout.sh): their examples and the code
# in the READMEs are built and run, with g++.
#   cmake/test_checkouts.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -ne 0 ]; then
  echo "cmake/test_checkouts.sh: got \"$*\", expected nothing, see --help" >&2
  exit 2
fi
llmc=$(cmake/checkout.sh llm.c) rltools=$(cmake/checkout.sh RLtools) ensmallen=$(cmake/checkout.sh ensmallen)
install_missing_packages "${program_packages[@]}" "${test_packages[@]}" libarmadillo-dev

cmake -S . -B build-checkouts -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DCMAKE_CXX_COMPILER=g++ \
  -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" "-DPREFOPT_LLMC_DIR=$llmc" "-DPREFOPT_RLTOOLS_DIR=$rltools" \
  "-DPREFOPT_ENSMALLEN_DIR=$ensmallen" >build-checkouts.log 2>&1 || { cat build-checkouts.log; exit 1; }
targets=(train_llmc rltools_reward_model ensmallen_bradley_terry) names='^(llm\.c|rltools|ensmallen): '
for source in build-checkouts/tests/readme/blocks/{rltools,ensmallen}/*.cpp; do
  name=$(basename "$source" .cpp)
  if [ "$name" = fragments ]; then
    targets+=("readme_fragments_$(basename "$(dirname "$source")")")
  else
    targets+=("readme_$name") names+="|^README: output of $name\$"
  fi
done
cmake --build build-checkouts --parallel "${JOBS:-$(nproc)}" --target "${targets[@]}"
ctest --test-dir build-checkouts --parallel "$(nproc)" --output-on-failure --no-tests=error -R "$names"
echo "All tests that call llm.c, RLtools and ensmallen passed."
