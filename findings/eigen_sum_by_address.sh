#!/usr/bin/env bash
# Eigen 3.4.0 (libeigen3-dev 3.4.0-4 of Debian 12): the sum of a mapped vector depends on the address that it lies at.
#
# One expects the sum of the same floats by the same program to be the same bits. Eigen's sum and mean add up first what lies
# before the next boundary of a register, one by one, and behind it in registers: which elements meet in a lane depends on
# the address modulo 16. Memory of a std::vector or of malloc begins at such a boundary, a row of a matrix, a slice of a
# buffer or a span of another library's tensor mostly does not. So a run whose buffers lie otherwise, a resumed one say,
# is another run; a test of bits passes or fails by what was allocated before. squaredNorm() and dot(), made of the
# same sum of an expression, do not: a product of two vectors knows no alignment. There is no option for it but
# EIGEN_DONT_VECTORIZE.
set -euo pipefail
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "the numbers here are of x86-64" >&2; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libeigen3-dev=3.4.0-4
dpkg -x libeigen3-dev_*.deb eigen
cat >sum.cpp <<'CPP'
#include <Eigen/Core>
#include <algorithm>
#include <cstdio>

int main() {
  constexpr int n = 1000;
  alignas(64) static float memory[n + 4];
  for (int begin = 0; begin < 4; ++begin) {
    float* const at = memory + begin;
    for (int i = 0; i < n; ++i) at[i] = 1.0F / static_cast<float>(1 + i);
    Eigen::Map<Eigen::VectorXf const> const x(at, n);
    std::printf("%2d bytes behind a boundary: sum %.9g, squared norm %.9g\n", 4 * begin, double{x.sum()},
                double{x.squaredNorm()});
  }
}
CPP
g++ -std=c++17 -O2 -isystem eigen/usr/include/eigen3 sum.cpp -o sum
said="$(./sum)"
echo "$said"
if [ "$said" != " 0 bytes behind a boundary: sum 7.48547173, squared norm 1.64393425
 4 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425
 8 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425
12 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425" ]; then
  echo "Eigen 3.4.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#    0 bytes behind a boundary: sum 7.48547173, squared norm 1.64393425
#    4 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425
#    8 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425
#   12 bytes behind a boundary: sum 7.48547077, squared norm 1.64393425
