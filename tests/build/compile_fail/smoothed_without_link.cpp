// Smoothing flips the label at the same logit: the loss must be made of a link.
#include <prefopt/prefopt.hpp>

struct of_margin {
  using score = prefopt::sum;
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return {u, prefopt::math::constant<V>(1)};
  }
};

#if defined(MISTAKE)
using base = of_margin;
#else
using base = prefopt::dpo;
#endif

double use(prefopt::pair_batch<double> const& batch) {
  return prefopt::evaluate(prefopt::smoothed<base>{}, batch).loss;
}
