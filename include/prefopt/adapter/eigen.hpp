#pragma once

#include <Eigen/Core>
#include <prefopt/logprob/tokens.hpp>

namespace prefopt::inline PREFOPT_ABI {

static_assert(EIGEN_WORLD_VERSION > 3 || (EIGEN_WORLD_VERSION == 3 && EIGEN_MAJOR_VERSION >= 4),
              "prefopt: Eigen 3.4 or later is needed");

// Eigen's vectors, maps, refs and blocks become columns, outputs and matrices by themselves, without this header.
// It adds what has to be said in Eigen's own terms.

/// Token log-probs [sequences, max_tokens] and a mask of the same shape, of any storage order, stride and scalar.
template <class Values, class Mask>
dense_tokens<typename Values::Scalar> tokens_of(Eigen::DenseBase<Values> const& values,
                                                Eigen::DenseBase<Mask> const& mask) noexcept {
  return {.log_prob = values.derived(), .mask = mask.derived()};
}

/// The same without a mask: every token counts.
template <class Values>
dense_tokens<typename Values::Scalar> tokens_of(Eigen::DenseBase<Values> const& values) noexcept {
  return {.log_prob = values.derived()};
}

/// A contiguous column of a report or batch as an Eigen array.
template <class T>
Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> as_array(std::span<T> values) noexcept {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

}  // namespace prefopt::inline PREFOPT_ABI
