#pragma once

#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Humanline's clamp of how far a token's log-prob is from the reference's, for any loss with a reference.
///     clamped   reference + clamp(log_prob - reference, low, high): the policy's token log-probs instead of log_prob
///     inside    1 where low <= log_prob - reference <= high, else 0: the gradient by log_prob is that by clamped
///               times inside
///     special   inside the bounds clamped is log_prob, bit for bit; log_prob -inf alone is at `low`; a NaN, and two
///               infinities that cancel, give NaN and inside 0
///     memory    clamped may be that of log_prob
///     throws    std::invalid_argument, before anything is written: sizes that differ, bounds that are NaN or out of
///               order
///     source    ContextualAI/HALOs, humanline: low -1, high 1.5; the reference follows the policy there
/// Its length-normalized form divides by the tokens whose ratio is not 0, which this leaves to the host.
template <class T>
void token_clamp(column<T> const& log_prob, std::type_identity_t<column<T>> const& reference, double low, double high,
                 std::type_identity_t<output<T>> const& clamped, std::type_identity_t<output<T>> const& inside = {}) {
  constexpr char const* where = "token_clamp";
  if (!(low <= high)) {
    detail::fail(where, "low is " + detail::text(low) + " and high " + detail::text(high) + ", expected low <= high");
  }
  auto const expect = [&](char const* name, bool given, std::size_t size) {
    if (!given || size == log_prob.size()) return;
    detail::fail(where, std::string{name} + " has " + detail::elements(size) + ", log_prob has " +
                            detail::text(log_prob.size()));
  };
  expect("reference", true, reference.size());
  expect("clamped", !clamped.empty(), clamped.size());
  expect("inside", !inside.empty(), inside.size());
  for (std::size_t i = 0; i < log_prob.size(); ++i) {
    T const own = log_prob[i], other = reference[i];
    double const off = static_cast<double>(own) - static_cast<double>(other);
    bool const below = off < low;
    bool const above = off > high;
    bool const is_inside = off >= low && off <= high;
    double const moved = below       ? static_cast<double>(other) + low
                         : above     ? static_cast<double>(other) + high
                         : is_inside ? static_cast<double>(own)
                                     : off;
    detail::put(clamped, i, moved);
    detail::put(inside, i, is_inside ? 1.0 : 0.0);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI
