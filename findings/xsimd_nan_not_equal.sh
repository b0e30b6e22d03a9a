#!/usr/bin/env bash
# xsimd 8.1.0 (libxsimd-dev 8.1.0-7 of Debian 12): NaN != NaN is true in SSE2's lanes and false in AVX's and AVX-512's.
#
# One expects `x != x` to find the lanes with a NaN, as with scalars, and the same answer from every instruction set. In
# batches of float and of double AVX compares "ordered and unequal", so a NaN is unequal to nothing: a test for NaN by
# `x != x`, or for anything but zero by `x != 0`, lets NaN pass when the same source is compiled for AVX. !(x == x) is
# right everywhere.
set -euo pipefail
grep -qw avx /proc/cpuinfo || { echo "this processor has no AVX" >&2; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libxsimd-dev=8.1.0-7
dpkg -x libxsimd-dev_*.deb xsimd
cat >nan.cpp <<'CPP'
#include <cstdio>
#include <limits>
#include <xsimd/xsimd.hpp>

int main() {
  using lanes = xsimd::batch<XSIMD_LANE, xsimd::XSIMD_ARCH>;
  lanes const nan(std::numeric_limits<XSIMD_LANE>::quiet_NaN());
  std::printf("NaN != NaN %s, !(NaN == NaN) %s\n", xsimd::all(nan != nan) ? "true" : "false",
              xsimd::all(!(nan == nan)) ? "true" : "false");
}
CPP
instruction_sets="sse2 avx"
if grep -qw avx512f /proc/cpuinfo; then instruction_sets+=" avx512f"; fi
for type in float double; do
  for name in $instruction_sets; do
    g++ -std=c++17 -O1 -m"$name" -DXSIMD_LANE=$type -DXSIMD_ARCH="$name" -isystem xsimd/usr/include nan.cpp -o nan
    said="$(./nan)"
    echo "$type $name: $said"
    expected="NaN != NaN false, !(NaN == NaN) true"
    if [ "$name" = sse2 ]; then expected="NaN != NaN true, !(NaN == NaN) true"; fi
    if [ "$said" != "$expected" ]; then
      echo "xsimd 8.1.0 does something else than is said here" >&2
      exit 1
    fi
  done
done
# Seen:
#   float sse2: NaN != NaN true, !(NaN == NaN) true
#   float avx: NaN != NaN false, !(NaN == NaN) true
#   float avx512f: NaN != NaN false, !(NaN == NaN) true
#   double sse2: NaN != NaN true, !(NaN == NaN) true
#   double avx: NaN != NaN false, !(NaN == NaN) true
#   double avx512f: NaN != NaN false, !(NaN == NaN) true
