#!/usr/bin/env bash
# xsimd 8.1.0 (libxsimd-dev 8.1.0-7 of Debian 12): rsqrt of doubles has 12 bits, and beyond float's range it is 0 or infinite.
#
# "Computes the inverse square root", says the header, as it says of sqrt, and one expects a double's 53 bits, nearly.
# For SSE2 and AVX a batch of doubles is rounded to floats, of which the processor's estimate is taken (RSQRTPS, a relative
# error of up to 1.5 / 4096), and that is returned: rsqrt(1) is 0.99976, rsqrt(1e80) is 0, and of 1e-80 it is infinite.
# No step of Newton's follows, for floats neither. A normalization in double by it (a vector by its length, a step by the
# root of its second moment) is off in the fourth digit, and no check of gradients against differences can pass.
# 1 / sqrt(x) is right. For AVX-512 rsqrt does not compile: for floats it names an intrinsic that does not exist, for doubles
# one that only Xeon Phi has.
set -euo pipefail
grep -qw avx /proc/cpuinfo || { echo "this processor has no AVX" >&2; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libxsimd-dev=8.1.0-7
dpkg -x libxsimd-dev_*.deb xsimd
cat >rsqrt.cpp <<'CPP'
#include <cmath>
#include <cstdio>
#include <xsimd/xsimd.hpp>

int main() {
  using lanes = xsimd::batch<double, xsimd::XSIMD_ARCH>;
  double worst = 0;
  double worst_quotient = 0;
  for (double x = 1; x < 4; x += 0x1p-10) {
    worst = std::fmax(worst, std::fabs(xsimd::rsqrt(lanes(x)).get(0) * std::sqrt(x) - 1));
    worst_quotient = std::fmax(worst_quotient, std::fabs((1. / xsimd::sqrt(lanes(x))).get(0) * std::sqrt(x) - 1));
  }
  double const one = xsimd::rsqrt(lanes(1.)).get(0);
  double const large = xsimd::rsqrt(lanes(1e80)).get(0);
  double const small = xsimd::rsqrt(lanes(1e-80)).get(0);
  std::printf("from 1 to 4 rsqrt is off by up to %.1g, 1 / sqrt by %.1g; ", worst, worst_quotient);
  std::printf("rsqrt(1) is %.5f, rsqrt(1e80) is %g, rsqrt(1e-80) is %g\n", one, large, small);
  // Processors' estimates differ, within Intel's bound.
  return worst > 0x1p-16 && worst < 1.5 / 4096 && worst_quotient < 1e-15 && large == 0 && std::isinf(small) ? 0 : 1;
}
CPP
compile=(g++ -std=c++17 -O1 -isystem xsimd/usr/include rsqrt.cpp -o rsqrt)
for name in sse2 avx; do
  "${compile[@]}" -m"$name" -DXSIMD_ARCH="$name"
  echo -n "$name: "
  if ! ./rsqrt; then
    echo "xsimd 8.1.0 does something else than is said here" >&2
    exit 1
  fi
done
if "${compile[@]}" -mavx512f -mavx512dq -mavx512bw -DXSIMD_ARCH=avx512f 2>/dev/null; then
  echo "xsimd 8.1.0 compiles rsqrt for AVX-512" >&2
  exit 1
fi
echo "avx512f: does not compile"
# Seen:
#   sse2: from 1 to 4 rsqrt is off by up to 0.0003, 1 / sqrt by 1e-16; rsqrt(1) is 0.99976, rsqrt(1e80) is 0, rsqrt(1e-80) is inf
#   avx: from 1 to 4 rsqrt is off by up to 0.0003, 1 / sqrt by 1e-16; rsqrt(1) is 0.99976, rsqrt(1e80) is 0, rsqrt(1e-80) is inf
#   avx512f: does not compile
