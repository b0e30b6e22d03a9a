#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/engine/ranks.hpp>
#include <prefopt/token/kl_penalty.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What becomes of the rewards R of a group of K samples; mean and std are the group's, std divides by K - 1.
enum class advantage_mode : unsigned char {
  centered,              ///< R - mean: Dr. GRPO
  group_std,             ///< (R - mean) / (std + epsilon): GRPO
  group_std_population,  ///< the same, std divides by K
  batch_std,             ///< (R - mean) / (std of all rewards + epsilon)
  leave_one_out,         ///< R - mean of the others: RLOO
  mean_scaled,           ///< (R - mean) / (mean + epsilon)
  length_weighted,       ///< R - (sum of length R) / (sum of length)
  best_of_k,             ///< of the best (best - second best) / (std + epsilon), of the others 0
  non_zero_scaled        ///< (R - mean) * rewards / rewards that are not 0, of the whole batch: GPG
};

/// What a sample that is alone in its group gets.
enum class lone_sample : unsigned char {
  zero,   ///< 0: it is its own mean
  reward  ///< R, as if its mean were 0; of non_zero_scaled times rewards / rewards that are not 0
};

struct advantage_options {
  advantage_mode mode = advantage_mode::group_std;
  /// >= 0; not given: that of the mode, 1e-4 for group_std and batch_std, 1e-8 for group_std_population, 1e-6 for
  /// mean_scaled and best_of_k.
  std::optional<double> epsilon{};
  lone_sample lone = lone_sample::zero;
  /// A reward that is NaN or infinite; skip: it is in no mean and no std, and gets 0.
  on_invalid non_finite = on_invalid::error;
  /// For what is of the whole batch: batch_std and non_zero_scaled.
  prefopt::all_reduce all_reduce{};
};

namespace detail {

inline constexpr std::string_view advantage_mode_names[]{"centered",        "group_std",     "group_std_population",
                                                         "batch_std",       "leave_one_out", "mean_scaled",
                                                         "length_weighted", "best_of_k",     "non_zero_scaled"};

constexpr double standard_epsilon(advantage_mode mode) noexcept {
  switch (mode) {
    case advantage_mode::group_std:
    case advantage_mode::batch_std:
      return 1e-4;
    case advantage_mode::group_std_population:
      return 1e-8;
    case advantage_mode::mean_scaled:
    case advantage_mode::best_of_k:
      return 1e-6;
    default:
      return 0;
  }
}

/// Count, sum and sum of squares about a shift.
struct moments {
  double count = 0, mean = 0, squares = 0;  ///< squares: of the deviations from the mean

  void add(double x) noexcept {
    count += 1;
    double const before = x - mean;
    mean += before / count;
    squares += before * (x - mean);
  }
  /// 0 where it divides by nothing.
  [[nodiscard]] double deviation(double less) const noexcept {
    return count > less ? std::sqrt(squares / (count - less)) : 0;
  }
};

/// Of all ranks: their sums of counts, then of means, then of squares about the common mean.
inline moments over_ranks(moments own, all_reduce const& sum, std::string_view where) {
  if (!sum) return own;
  std::array<double, 2> first{own.count, own.count * own.mean};
  add_up_ranks(sum, first, where);
  double const mean = first[0] == 0 ? 0 : first[1] / first[0], apart = own.mean - mean;
  std::array<double, 1> squares{own.squares + own.count * apart * apart};
  add_up_ranks(sum, squares, where);
  return {first[0], mean, squares[0]};
}

inline double quotient_or_zero(double x, double y) noexcept { return x == 0 ? 0 : x / y; }

template <class T>
void check_mask(std::string_view where, column<T> const& mask) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0 && mask[i] != 1) {
      fail(where, {"mask[", text(i), "] is ", text(static_cast<double>(mask[i])), ", expected 0 or 1"});
    }
  }
}

}  // namespace detail

/// "group_std" and so on.
constexpr std::string_view name_of(advantage_mode mode) noexcept {
  return detail::advantage_mode_names[static_cast<std::size_t>(mode)];
}
inline advantage_mode advantage_mode_of(std::string_view name) {
  return detail::enumerator_of<advantage_mode>(name, detail::advantage_mode_names, "mode", "advantages");
}

namespace detail {

template <class T>
void find_advantages(column<T> const& reward, column<std::int64_t> const& group_offsets, output<T> const& advantage,
                     advantage_options const& options, column<T> const& length) {
  constexpr std::string_view where = "advantages";
  std::size_t const n = reward.size();
  check_offsets(where, group_offsets, n, [](std::size_t, std::size_t) {}, {"group_offsets", "group", "reward"});
  if (advantage.size() != n)
    fail(where, {"output advantage has ", elements(advantage.size()), ", reward has ", text(n)});
  auto const mode = options.mode;
  bool const reads_length = mode == advantage_mode::length_weighted;
  if (reads_length && length.size() != n)
    fail(where, {"length has ", elements(length.size()), ", reward has ", text(n)});
  if (!reads_length && !length.empty()) fail(where, {name_of(mode), " does not read length, which is given"});
  double const epsilon = options.epsilon.value_or(standard_epsilon(mode));
  if (!(epsilon >= 0) || !std::isfinite(epsilon))
    fail(where, "epsilon is " + text(epsilon) + ", expected a finite number >= 0");
  for (std::size_t i = 0; i < n; ++i) {
    if (options.non_finite == on_invalid::error && !std::isfinite(reward[i])) {
      fail(where, {"reward[", text(i), "] is ", text(static_cast<double>(reward[i])), ", expected a finite number"});
    }
    if (reads_length && !(length[i] >= 0 && std::isfinite(length[i]))) {
      fail(where,
           {"length[", text(i), "] is ", text(static_cast<double>(length[i])), ", expected a finite number >= 0"});
    }
  }
  auto const counts = [&](std::size_t i) { return options.non_finite != on_invalid::skip || std::isfinite(reward[i]); };
  auto const at = [&](std::size_t i) { return static_cast<double>(reward[i]); };

  moments all;
  double non_zero = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!counts(i)) continue;
    all.add(at(i));
    non_zero += reward[i] == 0 ? 0 : 1;
  }
  if (mode == advantage_mode::batch_std) all = over_ranks(all, options.all_reduce, where);
  if (mode == advantage_mode::non_zero_scaled && options.all_reduce) {
    std::array<double, 2> numbers{all.count, non_zero};
    add_up_ranks(options.all_reduce, numbers, where);
    all.count = numbers[0];
    non_zero = numbers[1];
  }

  std::vector<double> values(n);
  for (std::size_t group = 0; group + 1 < group_offsets.size(); ++group) {
    auto const begin = static_cast<std::size_t>(group_offsets[group]),
               end = static_cast<std::size_t>(group_offsets[group + 1]);
    moments own;
    double weighted = 0, lengths = 0, best = -std::numeric_limits<double>::infinity(), second = best;
    std::size_t best_at = end;
    for (std::size_t i = begin; i < end; ++i) {
      if (!counts(i)) continue;
      own.add(at(i));
      if (at(i) > best) {
        second = std::exchange(best, at(i));
        best_at = i;
      } else {
        second = std::max(second, at(i));
      }
    }
    // About the mean: equal rewards give 0 to the bit.
    for (std::size_t i = begin; reads_length && i < end; ++i) {
      if (!counts(i)) continue;
      weighted += static_cast<double>(length[i]) * (at(i) - own.mean);
      lengths += static_cast<double>(length[i]);
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (!counts(i)) continue;
      if (own.count == 1 && options.lone == lone_sample::reward) {
        values[i] = mode == advantage_mode::non_zero_scaled && non_zero > 0 ? at(i) * (all.count / non_zero) : at(i);
        continue;
      }
      double const apart = at(i) - own.mean;
      switch (mode) {
        case advantage_mode::centered:
          values[i] = apart;
          break;
        case advantage_mode::group_std:
          values[i] = quotient_or_zero(apart, own.deviation(1) + epsilon);
          break;
        case advantage_mode::group_std_population:
          values[i] = quotient_or_zero(apart, own.deviation(0) + epsilon);
          break;
        case advantage_mode::batch_std:
          values[i] = quotient_or_zero(apart, all.deviation(1) + epsilon);
          break;
        case advantage_mode::leave_one_out:
          values[i] = own.count > 1 ? apart * (own.count / (own.count - 1)) : 0;
          break;
        case advantage_mode::mean_scaled:
          values[i] = quotient_or_zero(apart, own.mean + epsilon);
          break;
        case advantage_mode::length_weighted:
          values[i] = lengths == 0 ? at(i) : apart - weighted / lengths;
          break;
        case advantage_mode::best_of_k:
          values[i] = i == best_at && own.count > 1 ? quotient_or_zero(best - second, own.deviation(1) + epsilon) : 0;
          break;
        case advantage_mode::non_zero_scaled:
          values[i] = non_zero == 0 ? 0 : apart * (all.count / non_zero);
          break;
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) put(advantage, i, values[i]);
}

}  // namespace detail

/// Advantages of n samples, one a sample, from their rewards. Group g is [group_offsets[g], group_offsets[g + 1]).
///     length     tokens of each sample, for length_weighted only; >= 0
///     special    equal rewards in a group give 0 in every mode but length_weighted with lengths that are all 0, which
///                gives R
///     computed   in double
///     throws     std::invalid_argument, before anything is written: sizes that differ, offsets that fall or do not span the
///                rewards, epsilon < 0, a missing or an unread length, what non_finite calls an error. Over ranks, of what is of
///                the whole batch, such a rank makes the call on every rank throw
template <class T>
void advantages(column<T> const& reward, column<std::int64_t> const& group_offsets,
                std::type_identity_t<output<T>> const& advantage, advantage_options const& options = {},
                std::type_identity_t<column<T>> const& length = {}) {
  auto own = options;
  if (own.mode != advantage_mode::batch_std && own.mode != advantage_mode::non_zero_scaled) own.all_reduce = {};
  detail::with_ranks(own, [&](advantage_options const& given) {
    detail::find_advantages<T>(reward, group_offsets, advantage, given, length);
  });
}

/// Generalized advantage estimates of tokens, from rewards of steps and the values of a critic, both one a token.
///     A_t = sum over s >= t in the sequence of (gamma lambda)^(s - t) (R_s + gamma V_(s+1) - V_s), V 0 behind the last
/// Without values they are the discounted returns: A_t = sum of gamma^(s - t) R_s. A token that the mask leaves out gets 0
/// and is passed over, as if it were not there.
///     source    Schulman et al. 2016, arXiv:1506.02438, eq. 16
struct discounting {
  double gamma = 1, lambda = 1;  ///< in [0, 1]
};
template <class T>
void discounted_advantages(column<T> const& reward, std::type_identity_t<column<T>> const& value,
                           std::type_identity_t<column<T>> const& mask, column<std::int64_t> const& offsets,
                           std::type_identity_t<output<T>> const& advantage, discounting const& by = {}) {
  using detail::fail, detail::text, detail::elements;
  constexpr std::string_view where = "discounted_advantages";
  std::size_t const n = reward.size();
  detail::check_offsets(where, offsets, n, [](std::size_t, std::size_t) {}, {"offsets", "sequence", "reward"});
  auto const expect_size = [&](std::string_view name, std::size_t size, bool may_be_absent) {
    if (size != n && !(may_be_absent && size == 0))
      fail(where, {name, " has ", elements(size), ", reward has ", text(n)});
  };
  expect_size("value", value.size(), true);
  expect_size("mask", mask.size(), true);
  expect_size("output advantage", advantage.size(), false);
  auto const expect_share = [&](std::string_view name, double x) {
    if (!(x >= 0 && x <= 1)) fail(where, {name, " is ", text(x), ", expected a number in [0, 1]"});
  };
  expect_share("gamma", by.gamma);
  expect_share("lambda", by.lambda);
  detail::check_mask(where, mask);
  double const decay = value.empty() ? by.gamma : by.gamma * by.lambda;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    double later = 0, next_value = 0;
    auto const begin = static_cast<std::size_t>(offsets[s]);
    for (auto i = static_cast<std::size_t>(offsets[s + 1]); i-- > begin;) {
      if (!mask.empty() && mask[i] == 0) {
        detail::put(advantage, i, 0.0);
        continue;
      }
      double const own_value = value.empty() ? 0 : static_cast<double>(value[i]);
      later = static_cast<double>(reward[i]) + by.gamma * next_value - own_value + decay * later;
      next_value = own_value;
      detail::put(advantage, i, later);
    }
  }
}

/// How values are brought to mean 0 and deviation 1: (x - mean) / sqrt(max(variance, floor) + epsilon).
struct whitening {
  bool is_population = false;  ///< the variance divides by n, not by n - 1
  double epsilon = 1e-8;       ///< >= 0
  double floor = 0;            ///< >= 0
  bool keeps_mean = false;     ///< the mean is added again
  prefopt::all_reduce all_reduce{};
};

namespace detail {

template <class T>
void whiten(column<T> const& value, column<T> const& mask, output<T> const& whitened, whitening const& how) {
  constexpr std::string_view where = "whiten";
  std::size_t const n = value.size();
  if (!mask.empty() && mask.size() != n) fail(where, {"mask has ", elements(mask.size()), ", value has ", text(n)});
  if (whitened.size() != n) fail(where, {"output whitened has ", elements(whitened.size()), ", value has ", text(n)});
  if (!(how.epsilon >= 0) || !(how.floor >= 0)) {
    fail(where, {"epsilon is ", text(how.epsilon), " and floor ", text(how.floor), ", expected numbers >= 0"});
  }
  check_mask(where, mask);
  auto const counts = [&](std::size_t i) { return mask.empty() || mask[i] != 0; };
  moments all;
  for (std::size_t i = 0; i < n; ++i) {
    if (counts(i)) all.add(static_cast<double>(value[i]));
  }
  all = over_ranks(all, how.all_reduce, where);
  double const deviation = all.deviation(how.is_population ? 0 : 1);
  double const scale = std::sqrt(std::max(deviation * deviation, how.floor) + how.epsilon);
  for (std::size_t i = 0; i < n; ++i) {
    double const apart = counts(i) ? static_cast<double>(value[i]) - all.mean : 0;
    put(whitened, i, quotient_or_zero(apart, scale) + (how.keeps_mean && counts(i) ? all.mean : 0));
  }
}

}  // namespace detail

/// Whitens the values that the mask counts, of all ranks; the others become 0. In place, too. REINFORCE++ is
/// `discounted_advantages` without values of R - c k1 and then this: as verl has it, or, with is_population, epsilon 0 and
/// floor 1e-8, as OpenRLHF. A rank that refuses its values makes the call on every rank throw.
template <class T>
void whiten(column<T> const& value, std::type_identity_t<column<T>> const& mask,
            std::type_identity_t<output<T>> const& whitened, whitening const& how = {}) {
  detail::with_ranks(how, [&](whitening const& given) { detail::whiten<T>(value, mask, whitened, given); });
}

}  // namespace prefopt::inline PREFOPT_ABI
