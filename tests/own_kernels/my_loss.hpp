#pragma once

#include <array>
#include <prefopt/prefopt.hpp>
#include <tuple>

// Losses of one's own, as a program declares them for kernels that are picked at run time.

/// max(0, margin - h)^2
struct my_loss {
  double margin = 1;
  using score = prefopt::anchored<prefopt::sum>;

  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& h) const noexcept {
    namespace math = prefopt::math;
    V const short_by = math::positive_part(V(math::constant<V>(margin) - h));
    return {V(short_by * short_by), V(math::constant<V>(-2) * short_by)};
  }

  static constexpr prefopt::loss_card card{"my_loss", "max(0, margin - h)^2", "this test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{prefopt::parameter{"margin", &my_loss::margin, prefopt::range::positive()}};
  }
};

/// softplus(mean of u over the batch - u)
struct my_statistic {
  double mean = 0;
  using score = prefopt::sum;

  template <prefopt::lane V>
  std::array<V, 1> observe(prefopt::pair_row<V> const&, V const& a, V const& b) const noexcept {
    return {V(a - b)};
  }
  [[nodiscard]] my_statistic observed(std::array<double, 1> const& sums, double count) const noexcept {
    return {sums[0] / count};
  }
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return prefopt::logistic{}(V(u - prefopt::math::constant<V>(mean)));
  }

  static constexpr prefopt::loss_card card{"my_statistic", "softplus(mean u - u)", "this test"};
};

/// sum_i (s_i - r_i)^2
struct my_list_loss {
  using score = prefopt::as_given;
  static constexpr prefopt::columns needs = prefopt::columns::reward;

  template <class Group>
  typename Group::lane_type operator()(Group const& group) const noexcept {
    using V = typename Group::lane_type;
    return group.sum([&](auto const& candidate) {
      V const error = candidate.score() - candidate.reward();
      candidate.set_gradient(V(error + error));
      return V(error * error);
    });
  }

  static constexpr prefopt::loss_card card{"my_list_loss", "sum_i (s_i - r_i)^2", "this test"};
};
