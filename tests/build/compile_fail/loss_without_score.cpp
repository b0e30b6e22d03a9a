// A loss must name its score.
#include <prefopt/evaluate.hpp>
#include <prefopt/score/sum.hpp>
#include <vector>

struct own_loss {
#if !defined(MISTAKE)
  using score = prefopt::sum;
#endif
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return {u, prefopt::math::constant<V>(1)};
  }
};

void use(std::vector<float> const& a, std::vector<float> const& b) {
  prefopt::evaluate(own_loss{}, prefopt::pair_batch<float>{.chosen = a, .rejected = b});
}
