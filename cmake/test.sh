#!/usr/bin/env bash
# The whole test suite from a fresh checkout: installs what is missing, builds and tests everything with g++; then the
# library's own tests (all but the oracles') again with clang under the address and undefined-behaviour sanitizers. The
# files of a program are compiled together, which takes less time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh

install_missing_packages "${program_packages[@]}" "${test_packages[@]}" "${host_packages[@]}"
jobs=$(nproc)

leg() { # leg NAME CMAKE-ARGUMENT...
  local name=$1
  shift
  echo "== $name"
  cmake -S . -B "build-$name" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 \
    -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON "$@" >"build-$name.log" 2>&1 || { cat "build-$name.log"; return 1; }
  cmake --build "build-$name" --parallel "$jobs"
  ctest --test-dir "build-$name" --parallel "$jobs" --output-on-failure
}

rm -f build-*.log
# What the numbers come from, the kernels and the functions of vectors, is optimized more all the same.
leg gcc -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG"
leg clang-sanitized -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DPREFOPT_BUILD_EXAMPLES=OFF \
  -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF -DPREFOPT_TEST_NUMBERS=OFF \
  -DPREFOPT_TEST_STANDALONE=OFF \
  "-DCMAKE_CXX_FLAGS=-O0 -fsanitize=address,undefined -fno-sanitize-recover=all"
echo "All tests passed."
