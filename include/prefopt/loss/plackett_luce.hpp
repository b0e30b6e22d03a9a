#pragma once

#include <algorithm>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/successive_choice.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Plackett-Luce: the likelihood of a ranking; on log-ratios, listwise DPO.
///     L = sum over stages k of lse_k - u_k,  u = beta score, lse_k = log sum_{i >= k} e^(u_i)
///     dL/du_j = sum over k <= j of p_kj - [j is chosen at a stage],  p_kj = e^(u_j - lse_k)
///     smoothing (1 - smoothing) (lse_k - u_k) + smoothing (lse_k - mean_{i >= k} u_i)
///     special   K = 1 gives 0; score -inf at the last place is no loss (smoothed: +inf), at another +inf
///     source    Plackett 1975; Rafailov et al. 2023, arXiv:2305.18290, eq. 18; smoothing: arXiv:2510.18913's code
/// The candidates are ranked by reward, or come best first. Scores are log-probs; less the reference's and per token if
/// the batch gives those columns.
struct plackett_luce {
  double beta = 1;          ///< > 0
  double top_k = 0;         ///< stages that count: the first top_k places, 0 for all
  double smoothing = 0;     ///< in [0, 1)
  bool mean = false;        ///< divides by the number of stages
  bool break_ties = false;  ///< equal rewards keep their order; otherwise they are an error

  using score = as_given;
  static constexpr bool is_ranked = true;
  [[nodiscard]] constexpr bool refuses_ties() const noexcept { return !break_ties; }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    // The last candidate is not chosen from anything.
    std::size_t const choices = group.size() - 1;
    std::size_t const stages =
        top_k > 0 && top_k < static_cast<double>(choices) ? static_cast<std::size_t>(top_k) : choices;
    V value = successive_choice(group, beta, stages);
    if (smoothing != 0) value = value + smooth(group, stages);
    if (mean && stages > 1) {
      V const share = math::constant<V>(1 / static_cast<double>(stages));
      value = value * share;
      group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { c.set_gradient(V(c.gradient() * share)); });
    }
    return value;
  }

  static constexpr loss_card card{"plackett_luce", "sum_k [lse(beta s_k..s_K) - beta s_k]",
                                  "Plackett 1975; arXiv:2305.18290, eq. 18"};
  template <class L = plackett_luce>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"top_k", &L::top_k, range::whole()},
                      parameter{"smoothing", &L::smoothing, range{.low = 0, .high = 1, .high_is_in = false}},
                      parameter{"mean", &L::mean, range::yes_or_no()},
                      parameter{"break_ties", &L::break_ties, range::yes_or_no()}};
  }

 private:
  /// smoothing (u_k - mean_{i >= k} u_i), summed over the stages; adds its gradient.
  template <class Group>
  PREFOPT_INLINE auto smooth(Group const& group, std::size_t stages) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    double const size = static_cast<double>(group.size()), count = static_cast<double>(stages);
    group.from_last(0, [&]<class S>(S const& behind, auto const& c) PREFOPT_INLINE_LAMBDA {
      S const sum = behind + c.score();
      S const own = c.score(), difference = own - math::divide(sum, S(math::constant<S>(size) - c.number()));
      // A score of -inf is +inf in its stage's own term; here it would be the difference of two infinities.
      S const of_infinite = math::select(own == own, math::constant<S>(0), own);
      c.template keep<0>(S(math::select(difference == difference, difference, of_infinite)));
      return sum;
    });
    group.from_first(0, [&]<class S>(S const& before, auto const& c) PREFOPT_INLINE_LAMBDA {
      S const counts = math::select(c.number() < math::constant<S>(count), math::constant<S>(1), math::constant<S>(0));
      S const shares = before + counts / (math::constant<S>(size) - c.number());
      c.set_gradient(S(c.gradient() + math::constant<S>(smoothing * beta) * (counts - shares)));
      return shares;
    });
    return V(math::constant<V>(smoothing * beta) * group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      return V(math::select(c.number() < math::constant<V>(count), c.template kept<0>(), math::constant<V>(0)));
    }));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
