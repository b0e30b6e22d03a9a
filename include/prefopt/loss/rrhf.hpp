#pragma once

#include <array>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RRHF, rank responses to align: a hinge on every ordered pair, and the likelihood of the best.
///     L = sum over r_i > r_j of max(0, s_j - s_i) - sft log_prob_best,  s = log-prob per token, no reference
///     dL/ds_i   counts the pairs that are wrong: + as the worse, - as the better; 0 at the kink
///     special   equal rewards are no pair; K = 1 is the likelihood alone
///     source    Yuan et al. 2023, arXiv:2304.05302, eq. 2 to 4
/// The likelihood is the token sum's. O(K^2).
struct rrhf {
  double sft = 1;  ///< >= 0

  using score = length_mean;
  static constexpr bool is_ranked = true;
  [[nodiscard]] constexpr double sft_weight(std::size_t) const noexcept { return sft; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { c.set_gradient(zero); });
    V value = zero;
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      auto const better = group.at(i);
      V const own = better.score(), reward = better.reward();
      std::array<V, 2> const sums =
          group.part(i + 1, group.size() - i - 1).sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
            V const excess = c.score() - own;
            auto const is_wrong = (c.reward() < reward) & (excess > zero);
            // NaN is not let off by the comparisons.
            V const otherwise = math::select(excess == excess, zero, excess);
            V const slope = math::select(is_wrong, one, otherwise);
            c.set_gradient(V(c.gradient() + slope));
            return std::array<V, 2>{V(math::select(is_wrong, excess, otherwise)), slope};
          });
      value = value + sums[0];
      better.set_gradient(V(better.gradient() - sums[1]));
    }
    return value;
  }

  static constexpr loss_card card{"rrhf", "sum_{r_i > r_j} max(0, s_j - s_i) - sft logp_best",
                                  "arXiv:2304.05302, eq. 2-4"};
  template <class L = rrhf>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
