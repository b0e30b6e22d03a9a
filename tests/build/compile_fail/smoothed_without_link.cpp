// A loss that reads the margin column has an opposite label only if it is made of a link.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/smoothed.hpp>
#include <prefopt/score/sum.hpp>

struct of_margin {
  using score = prefopt::sum;
#if defined(MISTAKE)
  static constexpr prefopt::columns takes = prefopt::columns::margin;
#endif
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(prefopt::pair_row<V> const& row, V const& u) const noexcept {
    return {V(u - row.margin), prefopt::math::constant<V>(1)};
  }
};

double use(prefopt::pair_batch<double> const& batch) {
  return prefopt::evaluate(prefopt::smoothed<of_margin>{}, batch).loss;
}
