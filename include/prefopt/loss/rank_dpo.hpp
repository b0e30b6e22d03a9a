#pragma once

#include <array>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RankDPO: every ordered pair of a group, weighted by what its exchange would cost in discounted cumulative gain.
///     L = sum over pairs i before j of D_ij log(1 + e^(-beta (s_i - s_j)))
///     D_ij = |2^r_i - 2^r_j| |1 / log(1 + i) - 1 / log(1 + j)|, places i, j from 1 by reward; constants
///     range     rewards up to 100: they are the gains' exponents
///     special   equal rewards have D = 0; K = 1 gives 0
///     error     of the gains 2^r 0.7 |r| ULP beyond the arithmetic's; D has that of their difference
///     source    Karthik et al. 2024, arXiv:2410.18013
/// O(K^2).
struct rank_dpo {
  double beta = 0.1;  ///< > 0

  using score = as_given;
  static constexpr bool is_ranked = true;
  static constexpr columns needs = columns::reward;
  static constexpr double highest_reward = 100;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1), scale = math::constant<V>(beta);
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      c.set_gradient(zero);
      V const power = math::exp(V(-math::abs(V(c.reward() * math::constant<V>(0.69314718055994531)))));
      c.template keep<0>(V(math::select(c.reward() > zero, math::divide(one, power), power)));
      c.template keep<1>(math::divide(one, math::log(V(c.number() + math::constant<V>(2)))));
    });
    V value = zero;
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      auto const better = group.at(i);
      V const own = better.score(), gain = better.template kept<0>(), discount = better.template kept<1>();
      std::array<V, 2> const sums =
          group.part(i + 1, group.size() - i - 1).sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
            V const weight = (gain - c.template kept<0>()) * (discount - c.template kept<1>());
            auto const link = logistic{}(V(scale * (own - c.score())));
            V const slope = weight * link.slope;
            c.set_gradient(V(c.gradient() - scale * slope));
            return std::array<V, 2>{V(math::select(weight == zero, zero, V(weight * link.value))), slope};
          });
      value = value + sums[0];
      better.set_gradient(V(better.gradient() + scale * sums[1]));
    }
    return value;
  }

  static constexpr loss_card card{"rank_dpo", "sum_{i<j} D_ij softplus(-beta (s_i - s_j)), D of DCG",
                                  "arXiv:2410.18013"};
  template <class L = rank_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
