// A loss that names a column takes the row that has it.
#include <prefopt/evaluate.hpp>
#include <prefopt/score/as_given.hpp>

struct squared {
  using score = prefopt::as_given;
#if defined(MISTAKE)
  static constexpr prefopt::columns needs = prefopt::columns::margin;
#endif
  template <prefopt::lane V>
  auto operator()(V const& h) const noexcept -> prefopt::value_slope<V> {
    return {V(h * h), V(h + h)};
  }
};

double use(prefopt::pair_batch<double> const& batch) { return prefopt::evaluate(squared{}, batch).loss; }
