#pragma once

#include <array>
#include <limits>
#include <optional>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/successive_choice.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// PRO, preference ranking optimization: candidates ranked by reward, s = log-prob per token, no reference.
///     temperatures  a_ki = r_k - r_i for i > k, a_kk = r_k - r_K (the largest a_ki);
///                   L = sum_{k < K} lse_{i >= k}(a_ki s_i) - a_kk s_k;  dL/ds_j = sum_{k <= j} a_kj (p_kj - [j = k])
///     without       all a_ki = 1: Plackett-Luce; rewards, if given, only rank
///     sft           adds sft (K - 1)^2 (-log_prob of the best), on the token sum
///     eps_compat    the authors' code: log(1e-10 + sum e^z) in the place of every lse
///     special       tied rewards have a = 0, a constant e^0; K = 1 gives 0
///     source        Song et al. 2023, arXiv:2306.17492, eq. 4, 5, 7 to 9
/// The authors' a are the reciprocals of the paper's temperatures. Without temperatures O(K), with them O(K^2).
struct pro {
  bool temperatures = true;
  double sft = 0.05;  ///< >= 0
  bool eps_compat = false;

  using score = length_mean;
  static constexpr bool is_ranked = true;
  [[nodiscard]] constexpr columns needs_too() const noexcept { return temperatures ? columns::reward : columns::none; }
  [[nodiscard]] constexpr double sft_weight(std::size_t size) const noexcept {
    double const others = static_cast<double>(size) - 1;
    return sft * (others * others);
  }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    std::optional<double> const floor = eps_compat ? std::optional{log_epsilon} : std::nullopt;
    std::size_t const stages = group.size() - 1;
    if (!temperatures) return successive_choice(group, 1, stages, floor);
    V value = math::constant<V>(0);
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { c.set_gradient(math::constant<V>(0)); });
    V const lowest_reward = group.at(stages).reward();
    for (std::size_t k = 0; k < stages; ++k) {
      value = value + stage(group.part(k, group.size() - k), lowest_reward);
    }
    return value;
  }

  static constexpr loss_card card{"pro", "sum_k [lse_i>=k(a_ki s_i) - a_kk s_k] - sft (K-1)^2 logp_1",
                                  "arXiv:2306.17492, eq. 4, 5, 7-9"};
  template <class L = pro>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"temperatures", &L::temperatures, range::yes_or_no()},
                      parameter{"sft", &L::sft, range::non_negative()},
                      parameter{"eps_compat", &L::eps_compat, range::yes_or_no()}};
  }

 private:
  static constexpr double log_epsilon = -23.025850929940457;  ///< log 1e-10
  static constexpr std::size_t term = 0, multiplier = 1;      ///< slots: a_ki s_i, then its exponential; a_ki

  /// The first of these candidates against the others.
  template <class Group>
  PREFOPT_INLINE auto stage(Group const& group, typename Group::lane_type const& lowest_reward) const noexcept ->
      typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    V const reward = group.at(0).reward(), own = reward - lowest_reward, own_score = group.at(0).score();
    auto const product = [&](V const& a, V const& s)
                             PREFOPT_INLINE_LAMBDA { return V(math::select(a == zero, zero, V(a * s))); };
    auto top = group.highest([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const a = math::select(c.number() == zero, own, V(reward - c.reward())), logit = product(a, c.score());
      c.template keep<multiplier>(a);
      c.template keep<term>(logit);
      return logit;
    });
    V const floor = math::constant<V>(eps_compat ? log_epsilon : -std::numeric_limits<double>::infinity());
    if (eps_compat) {
      auto const beneath = top.value < floor;
      top.number = math::select(beneath, math::constant<V>(-1), top.number);
      top.value = math::select(beneath, floor, top.value);
    }
    V rest = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const e = math::exp(V(c.template kept<term>() - top.value));
      c.template keep<term>(e);
      return V(math::select(c.number() == top.number, zero, e));
    });
    if (eps_compat) {
      rest = rest + math::select(top.number < zero, zero, math::exp(V(floor - top.value)));
    }
    V const inverse_total = math::divide(one, V(one + rest));
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const p = c.template kept<term>() * inverse_total;
      // Where the first leads, p - 1 is what is left of the others.
      V const first = math::select(top.number == zero, V(-rest * inverse_total), V(p - one));
      c.set_gradient(V(c.gradient() + c.template kept<multiplier>() * math::select(c.number() == zero, first, p)));
    });
    return V((top.value - product(own, own_score)) + math::log1p_unbounded(rest));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
