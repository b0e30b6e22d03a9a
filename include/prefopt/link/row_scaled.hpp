#pragma once

#include <prefopt/link/link.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The logit z = scale u with each pair's own scale. Where that is 0 the logit is, whatever u: a pair that does not
/// count must not turn an infinite margin into 0 * inf.
template <lane V>
struct row_scaled {
  V scale;

  PREFOPT_INLINE V operator()(V const& u) const noexcept {
    V const zero = math::constant<V>(0), z = scale * u;
    // Not wherever the scale is 0: on automatic differentiation the product has a derivative by it.
    V const nothing = math::select(u == u, zero, z);
    return math::select(scale == zero, V(math::select(z == z, z, nothing)), z);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
