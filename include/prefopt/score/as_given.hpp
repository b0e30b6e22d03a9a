#pragma once

#include <prefopt/score/anchored.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The log-prob; less the reference's if the batch gives that; per token if it gives lengths.
struct as_given {
  static constexpr columns needs = columns::none, takes = columns::reference | columns::length;

  template <lane V>
  PREFOPT_INLINE scored<V> operator()(completion<V> const& c) const noexcept {
    return anchored<length_mean>{}(c);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
