#!/usr/bin/env bash
# Every float, and as many random doubles as are asked for, through every function and link whose header states a largest
# error (tests/simd/accuracy_table.hpp), on every instruction set that this processor has. Half an hour each on two cores.
#   cmake/sweep.sh [OPTION]...    those of tests/sweep/every_float.cpp: --doubles N, --names TEXT, --stride N, --threads N
# ISAS in the environment are the instruction sets (default: "sse2 avx2 avx512", those of them that the processor has).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
install_missing_packages "${program_packages[@]}" catch2

has() { # has ISA
  case $1 in
    sse2) [ "$(uname -m)" = x86_64 ] ;;
    avx2) grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo ;;
    avx512) grep -qw avx512vl /proc/cpuinfo && grep -qw avx512dq /proc/cpuinfo ;;
    *) [ "$1" = native ] ;;
  esac
}

isas=()
for isa in ${ISAS:-sse2 avx2 avx512}; do
  if has "$isa"; then isas+=("$isa"); else echo "skipped: this processor has no $isa"; fi
done
[ ${#isas[@]} -ne 0 ] || isas=(native)
cmake -S . -B build-sweep -DCMAKE_BUILD_TYPE=Release -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF \
  -DPREFOPT_TEST_STANDALONE=OFF >build-sweep.log 2>&1 || { cat build-sweep.log; exit 1; }
cmake --build build-sweep --parallel "$(nproc)" --target "${isas[@]/#/every_float_}"
status=0
for isa in "${isas[@]}"; do
  echo "== $isa"
  "build-sweep/tests/sweep/every_float_$isa" "$@" || status=1
done
exit $status
