// Columns that a loss of one's own may be given.
#include "pairs.hpp"

using namespace prefopt;

namespace {

/// A loss of the margin that reads lengths if there are any.
struct optional_length {
  using score = prefopt::sum;
  static constexpr columns takes = columns::length;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    return {u, math::constant<V>(1)};
  }
};

}  // namespace

TEST_CASE("an optional column of each side comes with its other side") {
  std::vector<double> const a(3, 1.0);
  using batch = pair_batch<double>;
  CHECK(refusal_of(optional_length{}, batch{.chosen = a, .rejected = a, .chosen_length = a}) ==
        "prefopt::evaluate: chosen_length is given, but rejected_length is not");
  CHECK(refusal_of(optional_length{}, batch{.chosen = a, .rejected = a, .rejected_length = a}) ==
        "prefopt::evaluate: rejected_length is given, but chosen_length is not");
}
