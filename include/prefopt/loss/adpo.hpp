#pragma once

#include <array>
#include <cmath>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/softmax.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ADPO, anchored direct preference optimization: the policy's distribution over a group, relative to the anchor, is
/// brought to a target.
///     u_i = (logp_i - ref_logp_i) / tau,  p = softmax(u)
///     L = sum_i q_i (lse(u) - u_i), with `kl` less the entropy of q;  dL/dlogp_i = (p_i sum_j q_j - q_i) / tau
///     target    q = softmax(reward / beta_reward); with `standardize` of (reward - mean) / (sd + 1e-8), sd with K - 1;
///               or the column `target` as it is: a distribution, one-hot, a soft preference (p, 1 - p)
///     adapt     tau max(1 - adapt H(q) / log K, tau_min / tau) in the place of tau: a certain target binds less
///     special   K = 1 gives 0; q = p gives gradient 0; K = 2 with q = (1, 0) is dpo with beta = 1 / tau
///     error     the value with `kl`: a few ULP of the larger of cross-entropy and entropy
///     source    Wang 2025, arXiv:2510.18913, listwise; adapt and standardize: its code
/// The anchor is the column ref_logp; without it, uniform. Per token if the batch gives lengths.
struct adpo {
  double tau = 0.8;          ///< > 0; smaller holds the policy closer to the anchor
  double beta_reward = 0.5;  ///< temperature of the target, > 0
  bool standardize = false;
  bool kl = false;
  double adapt = 0;       ///< in [0, 1]
  double tau_min = 0.05;  ///< lower end of an adapted tau, > 0

  using score = as_given;
  static constexpr columns one_of = columns::reward | columns::target;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return 1 / tau; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    return group.has_target() ? to_given(group) : to_rewards(group);
  }

  static constexpr loss_card card{"adpo", "CE(q, softmax(s / tau)), q = target or softmax(reward / beta_reward)",
                                  "arXiv:2510.18913, listwise"};
  template <class L = adpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()},
                      parameter{"beta_reward", &L::beta_reward, range::positive()},
                      parameter{"standardize", &L::standardize, range::yes_or_no()},
                      parameter{"kl", &L::kl, range::yes_or_no()},
                      parameter{"adapt", &L::adapt, range{.low = 0, .high = 1}},
                      parameter{"tau_min", &L::tau_min, range::positive()}};
  }

 private:
  template <class V>
  PREFOPT_INLINE V inverse_tau(V const& entropy, std::size_t size) const noexcept {
    V const fixed = math::constant<V>(1 / tau);
    if (adapt == 0 || size < 2) return fixed;
    V const lowered =
        math::constant<V>(tau) - math::constant<V>(tau * adapt / std::log(static_cast<double>(size))) * entropy;
    V const least = math::constant<V>(tau_min);
    return math::divide(math::constant<V>(1), math::select(lowered < least, least, lowered));
  }

  template <class Group>
  PREFOPT_INLINE auto to_given(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    bool const wants_entropy = kl || adapt != 0;
    std::array<V, 2> const sums = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const q = c.target();
      c.template keep<0>(q);
      return std::array<V, 2>{q, wants_entropy ? V(math::select(q == zero, zero, V(-q * math::log(q)))) : zero};
    });
    V const value = cross_entropy(group, inverse_tau(sums[1], group.size()), one, sums[0]);
    return kl ? V(value - sums[1]) : value;
  }

  template <class Group>
  PREFOPT_INLINE auto to_rewards(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const reward = [](auto const& c) PREFOPT_INLINE_LAMBDA { return c.reward(); };
    V scale = math::constant<V>(1 / beta_reward);
    if (standardize && group.size() > 1) scale = math::divide(scale, V(deviation(group) + math::constant<V>(1e-8)));
    auto const top = group.highest(reward);
    bool const wants_entropy = kl || adapt != 0;
    std::array<V, 2> const sums = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const below = (top.value - c.reward()) * scale;
      V const e = math::exp(V(-below));
      c.template keep<0>(e);
      V const other = math::select(c.number() == top.number, zero, e);
      return std::array<V, 2>{other, wants_entropy ? V(math::select(other == zero, zero, V(other * below))) : zero};
    });
    V const q_scale = math::divide(one, V(one + sums[0]));
    V const entropy = wants_entropy ? V(math::log1p_unbounded(sums[0]) + sums[1] * q_scale) : zero;
    V const value = cross_entropy(group, inverse_tau(entropy, group.size()), q_scale, one);
    return kl ? V(value - entropy) : value;
  }

  template <class Group>
  PREFOPT_INLINE auto deviation(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const mean = group.sum([](auto const& c) PREFOPT_INLINE_LAMBDA { return c.reward(); }) *
                   math::constant<V>(1 / static_cast<double>(group.size()));
    V const squares = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const d = c.reward() - mean;
      return V(d * d);
    });
    return math::sqrt(V(squares * math::constant<V>(1 / (static_cast<double>(group.size()) - 1))));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
