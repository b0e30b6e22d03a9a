// A modifier gives sums over the batch to its base itself, which a name for it has no place for.
#include <array>
#include <prefopt/prefopt.hpp>

struct own_loss {
  double mean = 0;
  using score = prefopt::sum;
  template <prefopt::lane V>
  std::array<V, 1> observe(prefopt::pair_row<V> const&, V const& a, V const& b) const noexcept {
    return {V(a - b)};
  }
  own_loss observed(std::array<double, 1> const& sums, double count) const noexcept { return {sums[0] / count}; }
  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& u) const noexcept {
    return {V(u - prefopt::math::constant<V>(mean)), prefopt::math::constant<V>(1)};
  }
};

struct own_name {
  constexpr own_loss composition() const noexcept { return {}; }
};

#if defined(MISTAKE)
using base = own_name;
#else
using base = own_loss;
#endif

double use(prefopt::pair_batch<double> const& batch) {
  return prefopt::evaluate(own_name{}, batch).loss + prefopt::evaluate(prefopt::lcpo<base>{}, batch).loss;
}
