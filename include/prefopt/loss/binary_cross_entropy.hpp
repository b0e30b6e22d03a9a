#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Binary cross-entropy of a classifier: logp is the logit that the completion is good.
///     L = label log(1 + e^-s) + (1 - label) log(1 + e^s),  dL/ds = sigma(s) - label
///     special   the right end gives 0, the wrong one +inf
///     source    the logistic likelihood; nbpo without noise
struct binary_cross_entropy {
  using score = sum;
  static constexpr columns needs = columns::label;

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& s) const noexcept {
    return logistic{}.mixed(row.label, V(math::constant<V>(1) - row.label), s);
  }

  static constexpr loss_card card{"binary_cross_entropy", "label softplus(-s) + (1 - label) softplus(s)",
                                  "logistic likelihood"};
};

}  // namespace prefopt::inline PREFOPT_ABI
