#pragma once

#include <cmath>
#include <limits>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/link/softmax.hpp>
#include <prefopt/score/as_given.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SAMI: the mutual information of n principles and n responses, InfoNCE in both directions. A group is the n x n
/// matrix s_ij = log p(response j | prompt, principle i), row by row; the pairs that belong together are on its
/// diagonal.
///     L = (1/n) sum_i [(lse of row i + lse of column i) / 2 - s_ii]
///     dL/ds_ij = ((P_row + P_column)_ij / 2 - [i = j]) / n
///     range     group sizes that are squares
///     special   n = 1 gives 0
///     source    Franken et al. 2024, arXiv:2404.14313
/// Scores are log-probs, per token if the batch gives lengths.
struct sami {
  using score = as_given;
  static constexpr bool is_square = true;

  template <class Group>
  PREFOPT_INLINE auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    std::size_t const n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(group.size()))));
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    V const share = math::constant<V>(0.5 / static_cast<double>(n));
    if (n == 1) {
      V const only = group.at(0).score(), value = math::select(only == only, zero, only);
      group.at(0).set_gradient(value);
      return value;
    }
    V value = zero;
    for (std::size_t i = 0; i < n; ++i) value = value + row(group.part(i * n, n), i, share);

    // Columns, each in its lane of the first row: the highest, its row, the rest of the sum.
    auto const state = group.part(0, n);
    state.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      c.template keep<0>(math::constant<V>(-std::numeric_limits<double>::infinity()));
      c.template keep<1>(zero);
      c.template keep<2>(zero);
    });
    for (std::size_t i = 0; i < n; ++i) {
      auto const line = group.part(i * n, n);
      V const number = math::constant<V>(static_cast<double>(i));
      line.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        auto const column = line.same_in(state, c);
        auto const higher = c.score() > column.template kept<0>();
        column.template keep<1>(V(math::select(higher, number, column.template kept<1>())));
        column.template keep<0>(V(math::select(higher, c.score(), column.template kept<0>())));
      });
    }
    for (std::size_t i = 0; i < n; ++i) {
      auto const line = group.part(i * n, n);
      V const number = math::constant<V>(static_cast<double>(i));
      line.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        auto const column = line.same_in(state, c);
        V const e = math::exp(V(c.score() - column.template kept<0>()));
        c.template keep<3>(e);
        column.template keep<2>(
            V(column.template kept<2>() + math::select(column.template kept<1>() == number, zero, e)));
      });
    }
    for (std::size_t i = 0; i < n; ++i) {
      auto const line = group.part(i * n, n);
      V const number = math::constant<V>(static_cast<double>(i));
      V const sum = line.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
        auto const column = line.same_in(state, c);
        V const rest = column.template kept<2>(), inverse = math::divide(one, V(one + rest));
        auto const leads = column.template kept<1>() == number;
        V const p = c.template kept<3>() * inverse;
        V const own = math::select(leads, V(-rest * inverse), V(p - one));
        c.set_gradient(V(c.gradient() + share * math::select(c.number() == number, own, p)));
        V const loss = (column.template kept<0>() - c.score()) + math::log1p_unbounded(rest);
        return V(math::select(c.number() == number, loss, zero));
      });
      value = value + share * sum;
    }
    return value;
  }

  static constexpr loss_card card{"sami", "(CE of rows + CE of columns) / 2 of the n x n matrix s", "arXiv:2404.14313"};

 private:
  /// Of one row, with its positive at `number`: its share of the loss; sets its gradient.
  template <class Group>
  PREFOPT_INLINE static auto row(Group const& line, std::size_t at, typename Group::lane_type const& share) noexcept ->
      typename Group::lane_type {
    using V = typename Group::lane_type;
    V const one = math::constant<V>(1), number = math::constant<V>(static_cast<double>(at));
    auto const parts = softmax<3>(line, [](auto const& c) PREFOPT_INLINE_LAMBDA { return c.score(); });
    line.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
      V const p = c.template kept<3>() * parts.inverse_total;
      V const own = math::select(parts.top.number == number, V(-parts.rest * parts.inverse_total), V(p - one));
      c.set_gradient(V(share * math::select(c.number() == number, own, p)));
    });
    return V(share * ((parts.top.value - line.at(at).score()) + parts.log_total()));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
