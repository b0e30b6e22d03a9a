#pragma once

#include <Eigen/Core>
#include <prefopt/logprob/tokens.hpp>
#include <span>
#include <type_traits>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {

static_assert(EIGEN_WORLD_VERSION > 3 || (EIGEN_WORLD_VERSION == 3 && EIGEN_MAJOR_VERSION >= 4),
              "prefopt: Eigen 3.4 or later is needed");

// Eigen's vectors, maps, refs and blocks become columns, outputs and matrices by themselves, without this header.
// It adds what has to be said in Eigen's own terms.

namespace detail {

/// What log-probs of an Eigen scalar are computed in: double, or float for all others.
template <class Values>
using eigen_computed =
    std::conditional_t<std::is_same_v<typename std::remove_cvref_t<Values>::Scalar, double>, double, float>;

}  // namespace detail

/// Token log-probs [sequences, max_tokens] and a mask of the same shape, of any storage order, stride and scalar: of
/// doubles dense_tokens<double>, of all others dense_tokens<float>. Both are viewed: an array that is a temporary is
/// refused.
template <detail::viewable_matrix Values, detail::viewable_matrix Mask>
auto tokens_of(Values&& values, Mask&& mask) noexcept {
  return dense_tokens<detail::eigen_computed<Values>>{.log_prob = std::forward<Values>(values),
                                                      .mask = std::forward<Mask>(mask)};
}

/// The same without a mask: every token counts.
template <detail::viewable_matrix Values>
auto tokens_of(Values&& values) noexcept {
  return dense_tokens<detail::eigen_computed<Values>>{.log_prob = std::forward<Values>(values)};
}

/// A contiguous column, such as those that a step keeps, as an Eigen array; of constants, one to read.
template <class T>
auto as_array(std::span<T> values) noexcept {
  using array = Eigen::Array<std::remove_const_t<T>, Eigen::Dynamic, 1>;
  using viewed = std::conditional_t<std::is_const_v<T>, array const, array>;
  return Eigen::Map<viewed>{values.data(), static_cast<Eigen::Index>(values.size())};
}

}  // namespace prefopt::inline PREFOPT_ABI
