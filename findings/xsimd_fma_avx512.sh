#!/usr/bin/env bash
# xsimd 8.1.0 (libxsimd-dev 8.1.0-7 of Debian 12): fma in AVX-512's lanes rounds twice.
#
# One expects xsimd::fma to be a fused multiply-add wherever the processor has one, and AVX-512 always has. For AVX2 with
# FMA it is fused; for AVX-512 there is no overload of its own, and the general one is a product and a sum. With
# a = 1 + 2^-20 and b = 1 - 2^-20, a * b - 1 is -2^-40 if it is rounded once, and 0 if the product is rounded first, as it
# is here. An algorithm that relies on the one rounding, such as an exact product or a reduction of an argument, is
# silently less exact on the wider registers.
set -euo pipefail
grep -qw avx512f /proc/cpuinfo || { echo "this processor has no AVX-512" >&2; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libxsimd-dev=8.1.0-7
dpkg -x libxsimd-dev_*.deb xsimd
cat >fma.cpp <<'CPP'
#include <cmath>
#include <cstdio>
#include <xsimd/xsimd.hpp>

template <class Arch>
void show(char const* name) {
  using lanes = xsimd::batch<float, Arch>;
  float const tiny = std::ldexp(1.0F, -20);
  std::printf("%s: %g\n", name, double{xsimd::fma(lanes(1 + tiny), lanes(1 - tiny), lanes(-1)).get(0)});
}

int main() {
  show<xsimd::fma3<xsimd::avx2>>("AVX2 with FMA");
  show<xsimd::avx512f>("AVX-512");
}
CPP
g++ -std=c++17 -O2 -ffp-contract=off -mavx2 -mfma -mavx512f -isystem xsimd/usr/include fma.cpp -o fma 2>warnings ||
  { cat warnings >&2; exit 1; }
said="$(./fma)"
echo "$said"
if [ "$said" != "AVX2 with FMA: -9.09495e-13
AVX-512: 0" ]; then
  echo "xsimd 8.1.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   AVX2 with FMA: -9.09495e-13
#   AVX-512: 0
