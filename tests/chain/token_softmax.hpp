#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <oracle/bits.hpp>
#include <oracle/same_numbers.hpp>
#include <prefopt/simd/half.hpp>
#include <span>
#include <vector>

// What follows from logits, exactly, and how far the library may be from it.

using real = long double;

/// A number as it is stored in U.
template <class U>
U stored(double x) {
  if constexpr (std::floating_point<U>) {
    return static_cast<U>(x);
  } else {
    return U(static_cast<float>(x));
  }
}

template <class U>
real exact(U x) {
  if constexpr (std::floating_point<U>) {
    return static_cast<real>(x);
  } else {
    return static_cast<real>(static_cast<float>(x));
  }
}

/// The spacing of the numbers from 1 on.
template <class U>
inline constexpr real spacing = std::numeric_limits<U>::epsilon();
template <>
inline constexpr real spacing<prefopt::bfloat16> = 0x1p-7L;
template <>
inline constexpr real spacing<prefopt::float16> = 0x1p-10L;

using oracle::same_number;
using oracle::same_numbers;

/// The distribution that a row of logits makes, in long double.
struct token_softmax {
  std::vector<real> p, distance;  ///< and log-sum-exp minus the logit
  real log_prob = 0, rest = 0;    ///< of the label, and 1 - p(label)

  token_softmax(std::span<real const> logits, std::size_t label) {
    real const top = *std::max_element(logits.begin(), logits.end());
    real others = 0, sum = 0;
    for (std::size_t j = 0; j < logits.size(); ++j) {
      real const power = std::exp(logits[j] - top);
      sum += power;
      if (j != label) others += power;
    }
    for (real const logit : logits) {
      distance.push_back(top - logit + std::log(sum));
      p.push_back(std::exp(logit - top) / sum);
    }
    rest = others / sum;
    // Next to p = 1 the logarithm keeps its digits.
    log_prob = p[label] > 0.5L ? std::log1p(-rest) : -distance[label];
  }

  /// What token_logprobs states of its log_prob computed in T, in absolute terms.
  template <class T>
  [[nodiscard]] real log_prob_bound(std::size_t label) const {
    real const units = p[label] <= 0.5L ? 2 : 2 + std::fabs(std::log(rest));
    return units * spacing<T> * std::fabs(log_prob);
  }

  /// The derivative of log_prob by logit j.
  [[nodiscard]] real slope(std::size_t j, std::size_t label) const { return j == label ? rest : -p[j]; }

  /// What token_logprob_gradients states of it, relative to the value, computed in T.
  template <class T>
  [[nodiscard]] real slope_bound(std::size_t j) const {
    return spacing<T> * (2 + std::fabs(distance[j]));
  }
};

/// The largest error met, as a share of its bound.
struct worst_share {
  real share = 0;

  /// Whether the number is within its bound.
  bool within(real got, real right, real bound) {
    real const off = std::fabs(got - right);
    if (bound > 0) share = std::max(share, off / bound);
    return off <= bound;
  }
};
