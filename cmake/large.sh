#!/usr/bin/env bash
# 10^9 pairs, 4 * 10^9 tokens, a group of 10^8 candidates and a vocabulary of 10^6 words through the library: values that are
# known, and how much is allocated beside them. Minutes, on one core; 14 GiB of memory, 60 of addresses.
#   cmake/large.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -ne 0 ]; then
  echo "cmake/large.sh: got \"$*\", expected nothing, see --help" >&2
  exit 2
fi
install_missing_packages "${program_packages[@]}" catch2
cmake -S . -B build-large -DCMAKE_BUILD_TYPE=Release -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF \
  -DPREFOPT_TEST_STANDALONE=OFF >build-large.log 2>&1 || { cat build-large.log; exit 1; }
cmake --build build-large --target large
build-large/tests/large/large
