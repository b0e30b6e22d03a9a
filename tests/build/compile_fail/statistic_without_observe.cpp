// A loss that takes sums over the batch says what is summed, of the row and both scores.
#include <array>
#include <prefopt/prefopt.hpp>

#if defined(MISTAKE)
#define ROW
#else
#define ROW prefopt::pair_row<V> const&,
#endif

struct own_loss {
  double mean = 0;
  using score = prefopt::sum;
  template <prefopt::lane V>
  std::array<V, 1> observe(ROW V const& a, V const& b) const noexcept {
    return {V(a - b)};
  }
  own_loss observed(std::array<double, 1> const& sums, double count) const noexcept { return {sums[0] / count}; }
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return {V(u - prefopt::math::constant<V>(mean)), prefopt::math::constant<V>(1)};
  }
};

double use(prefopt::pair_batch<double> const& batch) { return prefopt::evaluate(own_loss{}, batch).loss; }
