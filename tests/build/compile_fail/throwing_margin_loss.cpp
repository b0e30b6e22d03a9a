// A margin loss must promise not to throw: kernels are noexcept.
#include <prefopt/evaluate.hpp>
#include <prefopt/score/sum.hpp>
#include <vector>

#if defined(MISTAKE)
#define PROMISE
#else
#define PROMISE noexcept
#endif

struct own_loss {
  using score = prefopt::sum;
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const PROMISE {
    return {u, prefopt::math::constant<V>(1)};
  }
};

void use(std::vector<float> const& a, std::vector<float> const& b) {
  prefopt::evaluate(own_loss{}, prefopt::pair_batch<float>{.chosen = a, .rejected = b});
}
