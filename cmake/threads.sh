#!/usr/bin/env bash
# What runs in several threads, under ThreadSanitizer: executors, the choice of an instruction set at its first use by many
# at once, exceptions out of parts, ranks, two libraries with kernels of their own in one process.
#   cmake/threads.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -ne 0 ]; then
  echo "cmake/threads.sh: got \"$*\", expected nothing, see --help" >&2
  exit 2
fi
install_missing_packages "${program_packages[@]}" "${test_packages[@]}"
cmake -S . -B build-threads -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=None \
  "-DCMAKE_CXX_FLAGS=-O1 -fsanitize=thread" -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF \
  -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF -DPREFOPT_TEST_STANDALONE=OFF >build-threads.log 2>&1 || { cat build-threads.log; exit 1; }
programs=(chain engine engine_native list_engine logits ranks ranks_native unpaired_loss token_loss)
cmake --build build-threads --parallel "${JOBS:-$(nproc)}" --target "${programs[@]/#/test_}" test_kernels test_kernels_two_libraries
# Products of matrices by libraries wait for their threads in libgomp, which ThreadSanitizer does not see.
printf 'race:%s\n' libdnnl libopenblas libgomp >build-threads/outside.txt
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 suppressions=$PWD/build-threads/outside.txt ${TSAN_OPTIONS:-}"
for program in "${programs[@]}"; do
  echo "== $program"
  "build-threads/tests/test_$program"
done
echo "== kernels"
# The first use, each time anew.
for ((i = 0; i < 20; ++i)); do build-threads/tests/kernels/test_kernels "kernels: several threads*" >/dev/null; done
build-threads/tests/kernels/test_kernels "kernels:*"
build-threads/tests/kernels/test_kernels_two_libraries
echo "No data races."
