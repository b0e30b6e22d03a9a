// A surrogate promises that it does not throw.
#include <prefopt/prefopt.hpp>

#if defined(MISTAKE)
#define PROMISE
#else
#define PROMISE noexcept
#endif

struct advantage_alone {
  template <prefopt::lane V>
  auto operator()(prefopt::token_row<V> const& row) const PROMISE->prefopt::token_value<V> {
    return {row.advantage, row.advantage};
  }
};

double use(prefopt::token_batch<double> const& batch) {
  return prefopt::evaluate(prefopt::policy_gradient<advantage_alone>{}, batch).loss;
}
