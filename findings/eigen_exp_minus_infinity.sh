#!/usr/bin/env bash
# Eigen 3.4.0 (libeigen3-dev 3.4.0-4 of Debian 12): exp of an array's -inf is 0 or 2.9e-39, by where the element stands.
#
# One expects exp(-inf) to be 0, as std::exp has it, and one function of an array to be the same of every element. What
# fills a register of SSE or AVX goes through a polynomial that takes any argument below -88.4 (-709.1 in double, on
# AVX-512, too) for that one; the elements that are left over go through std::exp. So a softmax whose masked logits are
# -inf leaves its masked words a probability above 0, all but the last few of a row, and the log of that is finite: -88.7
# instead of -inf. Selecting on the mask afterwards is right everywhere; EIGEN_DONT_VECTORIZE is, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libeigen3-dev=3.4.0-4
dpkg -x libeigen3-dev_*.deb eigen
cat >exp.cpp <<'CPP'
#include <Eigen/Core>
#include <cstdio>
#include <limits>

template <class T>
void show(char const* type) {
  // 17 are a register and one over of any instruction set.
  Eigen::Array<T, Eigen::Dynamic, 1> const masked =
      Eigen::Array<T, Eigen::Dynamic, 1>::Constant(17, -std::numeric_limits<T>::infinity()).exp();
  std::printf("%s: exp(-inf) is %g at the first place, %g at the last\n", type, double{masked[0]}, double{masked[16]});
}

int main() {
  show<float>("float");
  show<double>("double");
}
CPP
for name in sse2 avx2 avx512f; do
  grep -qw "$name" /proc/cpuinfo || continue
  options=("-m$name")
  [ "$name" = sse2 ] || options+=(-mfma)
  g++ -std=c++17 -O2 "${options[@]}" -isystem eigen/usr/include/eigen3 exp.cpp -o exp
  said="$(./exp)"
  echo "$name:"
  echo "$said"
  first=2.93827e-39
  [ "$name" != avx512f ] || first=0
  if [ "$said" != "float: exp(-inf) is $first at the first place, 0 at the last
double: exp(-inf) is 5.55553e-309 at the first place, 0 at the last" ]; then
    echo "Eigen 3.4.0 does something else than is said here" >&2
    exit 1
  fi
done
g++ -std=c++17 -O2 -DEIGEN_DONT_VECTORIZE -isystem eigen/usr/include/eigen3 exp.cpp -o exp
if [ "$(./exp | grep -c 'is 0 at the first place, 0 at the last')" != 2 ]; then
  echo "Eigen 3.4.0 does something else without vectorization than is said here" >&2
  exit 1
fi
# Seen:
#   sse2:
#   float: exp(-inf) is 2.93827e-39 at the first place, 0 at the last
#   double: exp(-inf) is 5.55553e-309 at the first place, 0 at the last
#   avx2:
#   float: exp(-inf) is 2.93827e-39 at the first place, 0 at the last
#   double: exp(-inf) is 5.55553e-309 at the first place, 0 at the last
#   avx512f:
#   float: exp(-inf) is 0 at the first place, 0 at the last
#   double: exp(-inf) is 5.55553e-309 at the first place, 0 at the last
