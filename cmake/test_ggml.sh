#!/usr/bin/env bash
# What calls ggml, against real ones: the adapter's tests, the trainer and the code in the READMEs, with g++.
#   cmake/test_ggml.sh               the newest, as cmake/ggml.sh builds it, and 0.15.3 and 0.9.4, as the package
#                                    libggml-python on PyPI ships them, in a cache folder outside the tree
#   cmake/test_ggml.sh PREFIX...     those that are installed there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [[ ${1:-} == -* ]]; then
  echo "cmake/test_ggml.sh: there is no option $1, see --help" >&2
  exit 2
fi
install_missing_packages "${program_packages[@]}" "${test_packages[@]}"

prefixes=("$@")
if [ $# -eq 0 ]; then
  prefixes=("$(cmake/ggml.sh)")
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/prefopt
  install_missing_packages python3-venv
  for release in 0.15.3 0.9.4; do
    folder=$cache/libggml-python-$release
    if [ ! -f "$folder/libggml/include/ggml.h" ]; then
      rm -rf "$folder"
      [ -x "$cache/pip/bin/pip" ] || python3 -m venv "$cache/pip"
      "$cache/pip/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target "$folder" \
        "libggml-python==$release"
    fi
    prefixes+=("$folder/libggml")
  done
fi

# One folder: what the packages have cached of one ggml gives way to the next.
for prefix in "${prefixes[@]}"; do
  cmake -S . -B build-ggml -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" "-DGGML_DIR=$prefix" >build-ggml.log 2>&1 || { cat build-ggml.log; exit 1; }
  echo "== $(sed -n 's/^-- prefopt: \(ggml [0-9].*\)/\1/p' build-ggml.log)"
  targets=(test_host_ggml train_ggml) names='^(host_ggml:|ggml: )'
  for source in build-ggml/tests/readme/blocks/ggml/*.cpp; do
    name=$(basename "$source" .cpp)
    if [ "$name" = fragments ]; then
      targets+=(readme_fragments_ggml)
    else
      targets+=("readme_$name") names+="|^README: output of $name\$"
    fi
  done
  cmake --build build-ggml --parallel "${JOBS:-$(nproc)}" --target "${targets[@]}"
  # A package is built for some processor, and may ask for more than this one has.
  status=0
  build-ggml/examples/ggml/train_ggml --steps 0 >/dev/null 2>&1 || status=$?
  if [ "$status" -eq 132 ]; then
    echo "skipped: the ggml in $prefix has instructions that this processor lacks"
    continue
  fi
  ctest --test-dir build-ggml --parallel "$(nproc)" --output-on-failure --no-tests=error -R "$names"
done
echo "All tests that call ggml passed."
