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
#include <prefopt/core/ranks.hpp>
#include <prefopt/token/kl_penalty.hpp>
#include <prefopt/token/moments.hpp>
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
  leave_one_out_std,     ///< (R - mean of the others) / (std of the others + epsilon), not divided where that std is 0
  mean_scaled,           ///< (R - mean) / (mean + epsilon)
  length_weighted,       ///< R - (sum of length R) / (sum of length)
  best_of_k,             ///< of the best (best - second best) / (std + epsilon), of the others 0
  gpg,                   ///< (R - mean) * rewards / rewards that are not 0, of the whole batch
  remax                  ///< R - baseline, the reward of a greedy sample
};

/// What a sample that is alone in its group gets.
enum class lone_sample : unsigned char {
  zero,   ///< 0: it is its own mean
  reward  ///< R, as if its mean were 0; of gpg times rewards / rewards that are not 0
};

struct advantage_options {
  advantage_mode mode = advantage_mode::group_std;
  /// >= 0; not given: that of the mode, 1e-4 for group_std and batch_std, 1e-8 for group_std_population, 1e-6 for
  /// leave_one_out_std, mean_scaled and best_of_k.
  std::optional<double> epsilon{};
  lone_sample lone = lone_sample::zero;
  /// A reward, or a baseline, that is NaN or infinite; skip: the sample is in no mean and no std, and gets 0.
  on_invalid non_finite = on_invalid::error;
  /// For what is of the whole batch: batch_std and gpg.
  prefopt::all_reduce all_reduce{};
};

namespace detail {

inline constexpr std::string_view advantage_mode_names[]{"centered",
                                                         "group_std",
                                                         "group_std_population",
                                                         "batch_std",
                                                         "leave_one_out",
                                                         "leave_one_out_std",
                                                         "mean_scaled",
                                                         "length_weighted",
                                                         "best_of_k",
                                                         "gpg",
                                                         "remax"};

constexpr double standard_epsilon(advantage_mode mode) noexcept {
  switch (mode) {
    case advantage_mode::group_std:
    case advantage_mode::batch_std:
      return 1e-4;
    case advantage_mode::group_std_population:
      return 1e-8;
    case advantage_mode::leave_one_out_std:
    case advantage_mode::mean_scaled:
    case advantage_mode::best_of_k:
      return 1e-6;
    default:
      return 0;
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

/// The columns that a mode may read beside the rewards, one value a sample.
template <class T>
struct advantage_columns {
  column<T> const &reward, &length, &baseline;
};

/// Fails for what does not fit. `name` is that of the rewards.
template <class T>
void check_advantages(std::string_view where, std::string_view name, advantage_columns<T> const& of,
                      column<std::int64_t> const& group_offsets, advantage_options const& options) {
  std::size_t const n = of.reward.size();
  check_offsets(where, group_offsets, n, [](std::size_t, std::size_t) {}, {"group_offsets", "group", name});
  auto const check_column = [&](std::string_view column, std::size_t size, advantage_mode reader) {
    if (options.mode == reader && size != n)
      fail(where, {column, " has ", elements(size), ", ", name, " has ", text(n)});
    if (options.mode != reader && size != 0)
      fail(where, {name_of(options.mode), " does not read ", column, ", which is given"});
  };
  check_column("length", of.length.size(), advantage_mode::length_weighted);
  check_column("baseline", of.baseline.size(), advantage_mode::remax);
  double const epsilon = options.epsilon.value_or(0);
  if (!(epsilon >= 0) || !std::isfinite(epsilon))
    fail(where, "epsilon is " + text(epsilon) + ", expected a finite number >= 0");
  auto const refuse = [&](std::string_view column, std::size_t i, T got, std::string_view expected) {
    fail(where, {column, "[", text(i), "] is ", text(static_cast<double>(got)), ", expected ", expected});
  };
  bool const must_be_finite = options.non_finite == on_invalid::error;
  for (std::size_t i = 0; i < n; ++i) {
    if (must_be_finite && !std::isfinite(of.reward[i])) refuse(name, i, of.reward[i], "a finite number");
    if (!of.length.empty() && !(of.length[i] >= 0 && std::isfinite(of.length[i])))
      refuse("length", i, of.length[i], "a finite number >= 0");
    if (must_be_finite && !of.baseline.empty() && !std::isfinite(of.baseline[i]))
      refuse("baseline", i, of.baseline[i], "a finite number");
  }
}

/// What the whole batch has: of all its rewards, and how many of them are not 0.
struct batch_rewards {
  moments all;
  double non_zero = 0;
};

/// The advantages of a group, of the samples that count. With equal rewards deviations from the mean are 0 to the bit.
class advantages_of_group {
 public:
  advantages_of_group(advantage_options const& options, batch_rewards const& batch) noexcept
      : options_{options}, batch_{batch}, epsilon_{options.epsilon.value_or(standard_epsilon(options.mode))} {}

  std::vector<double> reward, length, baseline;

  void find(std::vector<double>& advantage) {
    std::size_t const size = reward.size();
    advantage.assign(size, 0);
    moments own;
    for (double const r : reward) own.add(r);
    if (options_.mode == advantage_mode::remax) {
      for (std::size_t i = 0; i < size; ++i) advantage[i] = reward[i] - baseline[i];
    } else if (size == 1 && options_.lone == lone_sample::reward) {
      advantage[0] = options_.mode == advantage_mode::gpg ? of_deviation(reward[0], own) : reward[0];
    } else if (options_.mode == advantage_mode::length_weighted) {
      find_length_weighted(own, advantage);
    } else if (size == 1) {
      advantage[0] = reward[0] - own.mean;
    } else if (options_.mode == advantage_mode::best_of_k) {
      find_best(own, advantage);
    } else if (options_.mode == advantage_mode::leave_one_out_std) {
      find_left_out(advantage);
    } else {
      for (std::size_t i = 0; i < size; ++i) advantage[i] = of_deviation(reward[i] - own.mean, own);
    }
  }

 private:
  [[nodiscard]] double of_deviation(double apart, moments const& own) const noexcept {
    switch (options_.mode) {
      case advantage_mode::group_std:
        return quotient_or_zero(apart, own.deviation(1) + epsilon_);
      case advantage_mode::group_std_population:
        return quotient_or_zero(apart, own.deviation(0) + epsilon_);
      case advantage_mode::batch_std:
        return quotient_or_zero(apart, batch_.all.deviation(1) + epsilon_);
      case advantage_mode::leave_one_out:
        return apart * (own.count / (own.count - 1));
      case advantage_mode::mean_scaled:
        return quotient_or_zero(apart, own.mean + epsilon_);
      case advantage_mode::gpg:
        return batch_.non_zero == 0 ? 0 : apart * (batch_.all.count / batch_.non_zero);
      default:
        return apart;
    }
  }

  void find_length_weighted(moments const& own, std::vector<double>& advantage) const {
    double weighted = 0, lengths = 0;
    for (std::size_t i = 0; i < reward.size(); ++i) {
      weighted += length[i] * (reward[i] - own.mean);
      lengths += length[i];
    }
    for (std::size_t i = 0; i < reward.size(); ++i) {
      advantage[i] = lengths == 0 ? reward[i] : reward[i] - own.mean - weighted / lengths;
    }
  }

  void find_best(moments const& own, std::vector<double>& advantage) const {
    double best = -std::numeric_limits<double>::infinity(), second = best;
    std::size_t best_at = 0;
    for (std::size_t i = 0; i < reward.size(); ++i) {
      if (reward[i] > best) {
        second = std::exchange(best, reward[i]);
        best_at = i;
      } else {
        second = std::max(second, reward[i]);
      }
    }
    if (!reward.empty()) advantage[best_at] = quotient_or_zero(best - second, own.deviation(1) + epsilon_);
  }

  /// Those before and those behind a sample are put together: of equal others nothing is left to divide by.
  void find_left_out(std::vector<double>& advantage) const {
    std::vector<moments> behind(reward.size());
    for (std::size_t i = reward.size(); i-- > 1;) {
      behind[i - 1] = behind[i];
      behind[i - 1].add(reward[i]);
    }
    moments before;
    for (std::size_t i = 0; i < reward.size(); ++i) {
      moments const others = before.with(behind[i]);
      double const deviation = others.deviation(1), apart = reward[i] - others.mean;
      advantage[i] = deviation == 0 ? apart : apart / (deviation + epsilon_);
      before.add(reward[i]);
    }
  }

  advantage_options const& options_;
  batch_rewards const& batch_;
  double epsilon_;
};

/// The advantages of checked rewards, in double.
template <class T>
std::vector<double> find_advantages(std::string_view where, advantage_columns<T> const& of,
                                    column<std::int64_t> const& group_offsets, advantage_options const& options) {
  std::size_t const n = of.reward.size();
  auto const counts = [&](std::size_t i) {
    return options.non_finite != on_invalid::skip ||
           (std::isfinite(of.reward[i]) && (of.baseline.empty() || std::isfinite(of.baseline[i])));
  };
  batch_rewards batch;
  for (std::size_t i = 0; i < n; ++i) {
    if (!counts(i)) continue;
    batch.all.add(static_cast<double>(of.reward[i]));
    batch.non_zero += of.reward[i] == 0 ? 0 : 1;
  }
  if (options.mode == advantage_mode::batch_std) batch.all = over_ranks(batch.all, options.all_reduce, where);
  if (options.mode == advantage_mode::gpg && options.all_reduce) {
    std::array<double, 2> numbers{batch.all.count, batch.non_zero};
    add_up_ranks(options.all_reduce, numbers, where);
    batch.all.count = numbers[0];
    batch.non_zero = numbers[1];
  }

  std::vector<double> all(n), of_group;
  std::vector<std::size_t> places;
  advantages_of_group group{options, batch};
  for (std::size_t g = 0; g + 1 < group_offsets.size(); ++g) {
    for (auto* const values : {&group.reward, &group.length, &group.baseline}) values->clear();
    places.clear();
    auto const end = static_cast<std::size_t>(group_offsets[g + 1]);
    for (auto i = static_cast<std::size_t>(group_offsets[g]); i < end; ++i) {
      if (!counts(i)) continue;
      places.push_back(i);
      group.reward.push_back(static_cast<double>(of.reward[i]));
      if (!of.length.empty()) group.length.push_back(static_cast<double>(of.length[i]));
      if (!of.baseline.empty()) group.baseline.push_back(static_cast<double>(of.baseline[i]));
    }
    group.find(of_group);
    for (std::size_t k = 0; k < places.size(); ++k) all[places[k]] = of_group[k];
  }
  return all;
}

}  // namespace detail

/// Advantages of n samples, one a sample, from their rewards. Group g is [group_offsets[g], group_offsets[g + 1]).
///     length     tokens of each sample, for length_weighted only; >= 0
///     baseline   for remax only: the reward of the greedy sample of the same prompt, one a sample
///     special    equal rewards in a group give 0 in every mode but remax, and length_weighted with lengths that are all
///                0, which gives R
///     computed   in double
///     range      of rewards that differ: by 1e-150 to 1e150, or the squares of a std do not fit in a double
///     throws     std::invalid_argument, before anything is written: sizes that differ, offsets that fall or do not span the
///                rewards, epsilon < 0, a missing or an unread column, what non_finite calls an error. Over ranks, of what
///                is of the whole batch, such a rank makes the call on every rank throw
template <class T>
void advantages(column<T> const& reward, column<std::int64_t> const& group_offsets,
                std::type_identity_t<output<T>> const& advantage, advantage_options const& options = {},
                std::type_identity_t<column<T>> const& length = {},
                std::type_identity_t<column<T>> const& baseline = {}) {
  constexpr std::string_view where = "advantages";
  auto own = options;
  if (own.mode != advantage_mode::batch_std && own.mode != advantage_mode::gpg) own.all_reduce = {};
  detail::with_ranks(own, [&](advantage_options const& given) {
    detail::advantage_columns<T> const columns{reward, length, baseline};
    detail::check_advantages(where, "reward", columns, group_offsets, given);
    if (advantage.size() != reward.size()) {
      detail::fail(where, {"output advantage has ", detail::elements(advantage.size()), ", reward has ",
                           detail::text(reward.size())});
    }
    auto const found = detail::find_advantages(where, columns, group_offsets, given);
    for (std::size_t i = 0; i < found.size(); ++i) detail::put(advantage, i, found[i]);
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
