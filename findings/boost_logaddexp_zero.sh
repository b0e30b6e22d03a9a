#!/usr/bin/env bash
# Boost.Math 1.81.0 (libboost1.81-dev 1.81.0-5+deb12u1 of Debian 12): logaddexp of log 0 and log 0.25 is log 0.
#
# log(exp(x) + exp(y)) adds probabilities that are kept as logarithms, and one expects nothing added, whose logarithm is
# -inf, to make no difference, as in NumPy. logaddexp gives back the first argument that is not finite, for either sign: with
# -inf on either side everything else is gone. A sum that starts at -inf, as sums of this kind do, stays there, whatever is
# added, and the loss of what it is a part of is infinite. logsumexp of two numbers takes the same way where they are two
# arguments, and not where they are a vector of two, which is right. There it is all of them that must not be -inf: of
# log 0 alone it is -inf, and of log 0 twice it is NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libboost1.81-dev=1.81.0-5+deb12u1
dpkg -x libboost1.81-dev_*.deb boost
cat >logaddexp.cpp <<'CPP'
// This one includes logaddexp.hpp, too, and both here would not compile: neither has a guard.
#include <boost/math/special_functions/logsumexp.hpp>
#include <boost/version.hpp>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

using boost::math::logaddexp;
using boost::math::logsumexp;

std::string text(double x) {
  return std::isnan(x) ? "NaN" : std::isinf(x) ? (x < 0 ? "-inf" : "inf") : std::to_string(x);
}

template <class T>
void show(char const* type) {
  T const zero = std::log(T{0}), quarter = std::log(T{0.25}), half = std::log(T{0.5});
  auto const tell = [type](char const* name, T said, T right) {
    std::printf("%s: %s is %s, right %s\n", type, name, text(said).c_str(), text(right).c_str());
  };
  tell("logaddexp of log 0.25 and log 0.5", logaddexp(quarter, half), std::log(T{0.75}));
  tell("logaddexp of log 0 and log 0.25", logaddexp(zero, quarter), quarter);
  tell("logaddexp of log 0.25 and log 0", logaddexp(quarter, zero), quarter);
  tell("logsumexp of log 0 and log 0.25, two arguments", logsumexp(zero, quarter), quarter);
  tell("logsumexp of log 0 and log 0.25, a vector", logsumexp(std::vector<T>{zero, quarter}), quarter);
  tell("logsumexp of log 0, a vector", logsumexp(std::vector<T>{zero}), zero);
  tell("logsumexp of log 0 and log 0, a vector", logsumexp(std::vector<T>{zero, zero}), zero);
  T sum = zero;
  for (T const x : {quarter, half, quarter}) sum = logaddexp(sum, x);
  tell("a sum from log 0 on of log 0.25, log 0.5 and log 0.25", sum, T{0});
}

int main() {
  std::printf("Boost %d.%d.%d\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
  show<float>("float");
  show<double>("double");
}
CPP
g++ -std=c++17 -O1 -isystem boost/usr/include logaddexp.cpp -o logaddexp
said=$(./logaddexp)
echo "$said"
expected="Boost 1.81.0"
for type in float double; do
  expected+="
$type: logaddexp of log 0.25 and log 0.5 is -0.287682, right -0.287682
$type: logaddexp of log 0 and log 0.25 is -inf, right -1.386294
$type: logaddexp of log 0.25 and log 0 is -inf, right -1.386294
$type: logsumexp of log 0 and log 0.25, two arguments is -inf, right -1.386294
$type: logsumexp of log 0 and log 0.25, a vector is -1.386294, right -1.386294
$type: logsumexp of log 0, a vector is -inf, right -inf
$type: logsumexp of log 0 and log 0, a vector is NaN, right -inf
$type: a sum from log 0 on of log 0.25, log 0.5 and log 0.25 is -inf, right 0.000000"
done
if [ "$said" != "$expected" ]; then
  echo "Boost 1.81.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   Boost 1.81.0
#   float: logaddexp of log 0.25 and log 0.5 is -0.287682, right -0.287682
#   float: logaddexp of log 0 and log 0.25 is -inf, right -1.386294
#   float: logaddexp of log 0.25 and log 0 is -inf, right -1.386294
#   float: logsumexp of log 0 and log 0.25, two arguments is -inf, right -1.386294
#   float: logsumexp of log 0 and log 0.25, a vector is -1.386294, right -1.386294
#   float: logsumexp of log 0, a vector is -inf, right -inf
#   float: logsumexp of log 0 and log 0, a vector is NaN, right -inf
#   float: a sum from log 0 on of log 0.25, log 0.5 and log 0.25 is -inf, right 0.000000
#   double: logaddexp of log 0.25 and log 0.5 is -0.287682, right -0.287682
#   double: logaddexp of log 0 and log 0.25 is -inf, right -1.386294
#   double: logaddexp of log 0.25 and log 0 is -inf, right -1.386294
#   double: logsumexp of log 0 and log 0.25, two arguments is -inf, right -1.386294
#   double: logsumexp of log 0 and log 0.25, a vector is -1.386294, right -1.386294
#   double: logsumexp of log 0, a vector is -inf, right -inf
#   double: logsumexp of log 0 and log 0, a vector is NaN, right -inf
#   double: a sum from log 0 on of log 0.25, log 0.5 and log 0.25 is -inf, right 0.000000
