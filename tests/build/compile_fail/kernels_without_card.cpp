// Kernels that are picked at run time are found by their loss's name.
#include <prefopt/kernels.hpp>

struct own_loss {
  using score = prefopt::sum;
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return {u, prefopt::math::constant<V>(1)};
  }
#if !defined(MISTAKE)
  static constexpr prefopt::loss_card card{"own_loss", "u", "this test"};
#endif
};

double use(prefopt::pair_batch<double> const& batch) { return prefopt::kernels::evaluate(own_loss{}, batch).loss; }
