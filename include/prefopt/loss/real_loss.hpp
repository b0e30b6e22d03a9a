#pragma once

#include <array>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// REAL: the samples of a prompt as a classification by the sign of their advantage, with both sides' scores told from 0.
///     s = mean over the tokens of log-prob - old log-prob (given as ref_logp); better: reward > 0, worse: reward <= 0
///     L = log(1 + sum over worse of e^(s / tau)) + log(1 + sum over better of e^(-s / tau))
///     dL/ds_i   e^(s_i / tau) / (tau (1 + sum)) of a worse one, -e^(-s_i / tau) / (tau (1 + sum)) of a better one
///     special   a group without both kinds gives 0, and counts; NaN in a score or a reward gives NaN
///     source    swift's loss_type real
/// Of two it is bco_pair of means with beta = 1 / tau.
struct real_loss {
  double tau = 0.5;  ///< > 0

  using score = anchored<length_mean>;
  static constexpr columns needs = columns::reward;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return 1 / tau; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1), scale = math::constant<V>(1 / tau);
    V value = zero;
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { c.set_gradient(zero); });
    // 0, or what is no number.
    V const unknown = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      auto const is_known = (c.score() == c.score()) & (c.reward() == c.reward());
      return V(math::select(is_known, zero, V(c.score() + c.reward())));
    });
    V in_both = one;
    for (bool const of_better : {false, true}) {
      V const signed_scale = of_better ? V(-scale) : scale;
      auto const is_meant = [&](auto const& c) PREFOPT_INLINE_LAMBDA {
        V const better = math::indicator<V>(c.reward() > zero);
        return (of_better ? better : V(one - better)) > zero;
      };
      // Beside the members' logits stands the 0 of the 1.
      auto const top = group.highest([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        return math::select(is_meant(c), V(signed_scale * c.score()), zero);
      });
      V const highest = math::positive_part(top.value);
      std::array<V, 2> const sums = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        V const z = signed_scale * c.score();
        auto const meant = is_meant(c);
        // 0 from itself, at infinity, too.
        V const e = math::exp(V(math::select(z == highest, zero, V(z - highest))));
        c.template keep<0>(math::select(meant, e, zero));
        return std::array<V, 2>{math::select(meant, e, zero), math::select(meant, one, zero)};
      });
      V const of_one = math::exp(V(-highest)), total = of_one + sums[0];
      // Where the 1 is the largest, what is added to it must not be lost.
      V const logarithm = math::select(highest > zero, V(highest + math::log(total)), math::log1p_unbounded(sums[0]));
      V const share = math::divide(signed_scale, total);
      group.for_each([&](auto const& c)
                         PREFOPT_INLINE_LAMBDA { c.set_gradient(V(c.gradient() + c.template kept<0>() * share)); });
      value = value + logarithm;
      in_both = math::select(sums[1] > zero, in_both, zero);
    }
    auto const counts = in_both > zero;
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      c.set_gradient(V(math::select(counts, c.gradient(), zero) + unknown));
    });
    return math::select(counts, value, zero) + unknown;
  }

  static constexpr loss_card card{"real", "log(1 + sum_worse e^(s / tau)) + log(1 + sum_better e^(-s / tau))", "swift"};
  template <class L = real_loss>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
