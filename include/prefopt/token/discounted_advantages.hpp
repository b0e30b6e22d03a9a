#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/token/check_mask.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <string_view>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Generalized advantage estimates of tokens, from rewards of steps and the values of a critic, both one a token.
///     A_t = sum over s >= t in the sequence of (gamma lambda)^(s - t) (R_s + gamma V_(s+1) - V_s), V 0 behind the last
/// Without values they are the discounted returns: A_t = sum of gamma^(s - t) R_s. A token that the mask leaves out gets 0
/// and is passed over, as if it were not there.
///     source    Schulman et al. 2016, arXiv:1506.02438, eq. 16
struct discounting {
  double gamma = 1, lambda = 1;  ///< in [0, 1]
};
template <class T>
void discounted_advantages(column<T> const& reward, std::type_identity_t<column<T>> const& value,
                           std::type_identity_t<column<T>> const& mask, column<std::int64_t> const& offsets,
                           std::type_identity_t<output<T>> const& advantage, discounting const& by = {}) {
  using detail::fail, detail::text, detail::elements;
  constexpr std::string_view where = "discounted_advantages";
  std::size_t const n = reward.size();
  detail::check_offsets(where, offsets, n, [](std::size_t, std::size_t) {}, {"offsets", "sequence", "reward"});
  auto const expect_size = [&](std::string_view name, std::size_t size, bool may_be_absent) {
    if (size != n && !(may_be_absent && size == 0))
      fail(where, {name, " has ", elements(size), ", reward has ", text(n)});
  };
  expect_size("value", value.size(), true);
  expect_size("mask", mask.size(), true);
  expect_size("output advantage", advantage.size(), false);
  auto const expect_share = [&](std::string_view name, double x) {
    if (!(x >= 0 && x <= 1)) fail(where, {name, " is ", text(x), ", expected a number in [0, 1]"});
  };
  expect_share("gamma", by.gamma);
  expect_share("lambda", by.lambda);
  detail::check_mask(where, mask);
  double const decay = value.empty() ? by.gamma : by.gamma * by.lambda;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    double later = 0, next_value = 0;
    auto const begin = static_cast<std::size_t>(offsets[s]);
    for (auto i = static_cast<std::size_t>(offsets[s + 1]); i-- > begin;) {
      if (!mask.empty() && mask[i] == 0) {
        detail::put(advantage, i, 0.0);
        continue;
      }
      double const own_value = value.empty() ? 0 : static_cast<double>(value[i]);
      later = static_cast<double>(reward[i]) + by.gamma * next_value - own_value + decay * later;
      next_value = own_value;
      detail::put(advantage, i, later);
    }
  }
}

}  // namespace prefopt::inline PREFOPT_ABI
