#pragma once

#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The best of a group against its worst, as a pair: dpo, or Bradley-Terry without a reference.
///     L = log(1 + e^(-beta (s_best - s_worst)));  the candidates between them get gradient 0
///     special   K = 1 gives 0
/// Among equal rewards the first is the best and the last the worst.
struct best_versus_worst {
  double beta = 1;  ///< > 0

  using score = as_given;
  static constexpr bool is_ranked = true;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const scale = math::constant<V>(beta), zero = math::constant<V>(0);
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { c.set_gradient(zero); });
    if (group.size() == 1) return zero;
    auto const best = group.at(0), worst = group.at(group.size() - 1);
    auto const link = logistic{}(V(scale * (best.score() - worst.score())));
    best.set_gradient(V(scale * link.slope));
    worst.set_gradient(V(-scale * link.slope));
    return link.value;
  }

  static constexpr loss_card card{"best_versus_worst", "softplus(-beta (s_best - s_worst))", "Bradley and Terry 1952"};
  template <class L = best_versus_worst>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
