#pragma once

#include <algorithm>
#include <cmath>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/softmax.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ADPO with a target that outliers among the rewards cannot bend: each reward's place in a smoothed distribution of
/// the group's rewards.
///     F_i = (1/K) sum_j Phi((r_i - r_j) / b), clamped to [0.001, 0.999];  q = softmax(logit(F) / beta_reward)
///     b = 1.06 min(sd, (upper - lower quartile) / 1.34) K^(-1/5), at least 1e-6; sd with K - 1, quartiles interpolated
///     L, dL/dlogp  as adpo
///     special   K = 1 gives 0; a reward that is not finite gives NaN
///     source    inspired by the KDE listwise variant of arXiv:2510.18913, whose formula is not public: this one is
///               ours
/// O(K^2).
struct adpo_kde {
  double tau = 0.8;          ///< > 0
  double beta_reward = 0.5;  ///< > 0

  using score = as_given;
  static constexpr bool is_ranked = true;
  static constexpr columns needs = columns::reward;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return 1 / tau; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    double const size = static_cast<double>(group.size());
    V const inverse_bandwidth = math::divide(math::constant<V>(1), bandwidth(group));
    for (std::size_t i = 0; i < group.size(); ++i) {
      V const reward = group.at(i).reward();
      V const below = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        return math::normal_cdf(V((reward - c.reward()) * inverse_bandwidth));
      });
      V const low = math::constant<V>(0.001), high = math::constant<V>(0.999);
      V const f = below * math::constant<V>(1 / size);
      V const clamped = math::select(f < low, low, V(math::select(f > high, high, f)));
      group.at(i).template keep<1>(
          V(math::log(math::divide(clamped, V(math::constant<V>(1) - clamped))) * math::constant<V>(1 / beta_reward)));
    }
    auto const target = softmax<0>(group, [](auto const& c) PREFOPT_INLINE_LAMBDA { return c.template kept<1>(); });
    return cross_entropy(group, math::constant<V>(1 / tau), target.inverse_total, math::constant<V>(1));
  }

  static constexpr loss_card card{"adpo_kde", "CE(q, softmax(s / tau)), q = softmax(logit F(reward) / beta_reward)",
                                  "inspired by arXiv:2510.18913"};
  template <class L = adpo_kde>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()},
                      parameter{"beta_reward", &L::beta_reward, range::positive()}};
  }

 private:
  /// The reward below which this part of the group lies; best first.
  template <class Group>
  PREFOPT_INLINE static auto quantile(Group const& group, double part) noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    double const place = (1 - part) * static_cast<double>(group.size() - 1);
    auto const above = static_cast<std::size_t>(place);
    std::size_t const below = std::min(above + 1, group.size() - 1);
    V const upper = group.at(above).reward();
    return V(upper + math::constant<V>(place - static_cast<double>(above)) * (group.at(below).reward() - upper));
  }

  template <class Group>
  PREFOPT_INLINE static auto bandwidth(Group const& group) noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    double const size = static_cast<double>(group.size());
    V const mean =
        group.sum([](auto const& c) PREFOPT_INLINE_LAMBDA { return c.reward(); }) * math::constant<V>(1 / size);
    V const squares = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const d = c.reward() - mean;
      return V(d * d);
    });
    V const deviation = math::sqrt(V(squares * math::constant<V>(1 / std::max(size - 1, 1.0))));
    V const spread = (quantile(group, 0.75) - quantile(group, 0.25)) * math::constant<V>(1 / 1.34);
    V const width =
        math::constant<V>(1.06 * std::pow(size, -0.2)) * math::select(spread < deviation, spread, deviation);
    V const least = math::constant<V>(1e-6);
    return V(math::select(width < least, least, width));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
