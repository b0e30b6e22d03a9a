#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <oracle/bits.hpp>
#include <oracle/same_numbers.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <vector>

// Rows of logits, and in long double what exactly follows from one.

/// What logits of type U are computed in.
template <class U>
using computed = prefopt::detail::computed_of<U>;

template <class U>
U stored(double x) {
  if constexpr (std::floating_point<U>) {
    return static_cast<U>(x);
  } else {
    return U(static_cast<float>(x));
  }
}

template <class U>
long double exact(U x) {
  if constexpr (std::floating_point<U>) {
    return static_cast<long double>(x);
  } else {
    return static_cast<long double>(static_cast<float>(x));
  }
}

using oracle::same_number;
using oracle::same_numbers;

/// The softmax of one row and what is read off it: all terms sorted, added from the smallest on, in long double.
struct softmax_of_row {
  long double log_prob = 0, log_sum_exp = 0, entropy = 0, square_sum = 0;
  long double rest = 0;           ///< 1 - p(label)
  long double mean_distance = 0;  ///< sum of p |x - highest|
  bool highest = false;
  std::vector<long double> p;

  template <class U>
  softmax_of_row(std::vector<U> const& row, std::size_t label) {
    std::vector<long double> x(row.size());
    std::transform(row.begin(), row.end(), x.begin(), [](U logit) { return exact(logit); });
    long double const top = *std::max_element(x.begin(), x.end());
    highest = x[label] == top;
    p.resize(x.size());
    std::transform(x.begin(), x.end(), p.begin(), [&](long double logit) { return std::exp(logit - top); });
    long double const of_label = p[label];
    auto others = p;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(label));
    std::sort(others.begin(), others.end());
    long double sum_of_others = 0;
    for (long double const power : others) sum_of_others += power;
    long double const sum = sum_of_others + of_label;
    log_sum_exp = top + std::log(sum);
    log_prob = sum_of_others < of_label ? 0 - std::log1p(sum_of_others / of_label) : x[label] - top - std::log(sum);
    rest = sum_of_others / sum;
    for (std::size_t i = 0; i < x.size(); ++i) {
      p[i] /= sum;
      if (p[i] == 0) continue;
      entropy -= p[i] * (i == label ? log_prob : x[i] - top - std::log(sum));
      square_sum += p[i] * p[i];
      mean_distance += p[i] * (top - x[i]);
    }
  }
};

/// How the logits of a row are spread.
enum class spread {
  normal,         ///< N(0, 1)
  wide,           ///< N(0, 10)
  at_label,       ///< N(0, 1), the label's far above
  not_at_label,   ///< N(0, 1), another far above
  constant,       ///< all 0.3
  all_huge,       ///< all 1e30 (float16: 60000)
  largest,        ///< half of them the type's largest number, half its lowest
  rising,         ///< from -40 to 40, so that every block has a new maximum
  falling,        ///< the same downwards
  far_behind,     ///< one at about 0.1, the others together about as likely: the rounding of their distance adds up
  one_possible,   ///< all -inf but the label's
  mostly_masked,  ///< N(0, 1), nine of ten -inf
};

inline constexpr spread every_spread[] = {spread::normal,       spread::wide,         spread::at_label,
                                          spread::not_at_label, spread::constant,     spread::all_huge,
                                          spread::largest,      spread::rising,       spread::falling,
                                          spread::far_behind,   spread::one_possible, spread::mostly_masked};

inline char const* name_of(spread kind) {
  constexpr char const* names[] = {"N(0,1)",   "N(0,10)",    "label far above", "other far above",
                                   "constant", "all huge",   "largest",         "rising",
                                   "falling",  "far behind", "one possible",    "mostly -inf"};
  return names[static_cast<std::size_t>(kind)];
}

template <class U>
std::vector<U> row_of(spread kind, std::size_t size, std::size_t label, oracle::random_numbers& random) {
  constexpr bool narrow = prefopt::detail::float16_like<U>;
  double const largest = narrow ? 65504
                         : prefopt::detail::bfloat16_like<U>
                             ? 0x1.fep127
                             : static_cast<double>(std::numeric_limits<computed<U>>::max());
  double const infinity = std::numeric_limits<double>::infinity();
  std::size_t const other = (label + 1 + size / 3) % size;
  double const top = random.uniform(0.07, 0.12);
  std::size_t const ahead = random.chance(0.5) ? label : other;
  std::vector<U> row;
  for (std::size_t i = 0; i < size; ++i) {
    double const slope = 80 * static_cast<double>(i) / static_cast<double>(size) - 40;
    double x = 0;
    switch (kind) {
      case spread::normal:
        x = random.normal();
        break;
      case spread::wide:
        x = 10 * random.normal();
        break;
      case spread::at_label:
        x = random.normal() + (i == label ? random.uniform(5, 40) : 0);
        break;
      case spread::not_at_label:
        x = random.normal() + (i == other ? random.uniform(5, 40) : 0);
        break;
      case spread::constant:
        x = 0.3;
        break;
      case spread::all_huge:
        x = narrow ? 60000 : 1e30;
        break;
      case spread::largest:
        x = i % 2 == 0 ? largest : -largest;
        break;
      case spread::rising:
        x = slope + random.uniform();
        break;
      case spread::falling:
        x = random.uniform() - slope;
        break;
      case spread::far_behind:
        x = i == ahead ? top : 0.1 - std::log(static_cast<double>(size));
        break;
      case spread::one_possible:
        x = i == label ? 3 : -infinity;
        break;
      case spread::mostly_masked:
        x = i % 10 == 3 || i == label ? random.normal() : -infinity;
        break;
    }
    row.push_back(stored<U>(x));
  }
  return row;
}

/// Half a unit in the last place of T, relative: what one rounding may lose.
template <class T>
inline constexpr double rounding = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

/// Roundings that the sum of a block of equal powers costs, over what N(0, 1) does: of the 128 / lanes additions that a
/// lane takes part in, a quarter the same way.
template <class T>
inline constexpr double roundings_of_sum = 32.0 / xsimd::batch<T>::size;

/// What of log-sum-exp may be lost, absolutely. A power exp(t), t = x - highest: 1.3 ULP (math::exp), and t half of
/// one, which is |t| roundings of the power. A sum of 512 powers: as many additions as a lane takes part in.
template <class T>
double log_sum_exp_bound(softmax_of_row const& row) {
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  double additions = 2 + std::log2(static_cast<double>(lanes)) + 512.0 / (4 * lanes);
  // In double the sums of the blocks are not more exact than the rest.
  if (std::same_as<T, double>) additions += static_cast<double>(row.p.size() / 512) * 2 + 4;
  // Distances are from a reference that may be 4 below the highest.
  return rounding<T> * (2.6 + additions + static_cast<double>(row.mean_distance) + 4) +
         rounding<double> * (4 + 2 * std::fabs(static_cast<double>(row.log_sum_exp)));
}
