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

/// By what is left of the columns that it takes.
struct by_length {
  using score = prefopt::sum;
  static constexpr columns takes = columns::length | columns::reference;
  template <lane V>
  pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    return {V(row.chosen.length + V(10) * row.rejected.length + V(100) * row.chosen.reference +
              V(1000) * row.rejected.reference + a - b),
            math::constant<V>(1), math::constant<V>(-1)};
  }
};

}  // namespace

TEST_CASE("an optional column that is not given has its neutral value: 1 of a length, 0 of a reference") {
  std::vector<double> const zero(13, 0.0), two(13, 2.0), three(13, 3.0);
  std::vector<double> loss(13);
  auto const first_loss = [&](pair_batch<double> batch) {
    batch.chosen = batch.rejected = zero;
    evaluate(by_length{}, batch, {.loss = loss}, {.reduction = reduction::none});
    for (double const x : loss) CHECK(x == loss[0]);
    return loss[0];
  };
  CHECK(first_loss({}) == 11);
  CHECK(first_loss({.chosen_length = two, .rejected_length = three}) == 32);
  CHECK(first_loss({.ref_chosen = two, .ref_rejected = three}) == 3211);
}

TEST_CASE("an optional column of each side comes with its other side") {
  std::vector<double> const a(3, 1.0);
  using batch = pair_batch<double>;
  CHECK(refusal_of(optional_length{}, batch{.chosen = a, .rejected = a, .chosen_length = a}) ==
        "prefopt::evaluate: chosen_length is given, but rejected_length is not");
  CHECK(refusal_of(optional_length{}, batch{.chosen = a, .rejected = a, .rejected_length = a}) ==
        "prefopt::evaluate: rejected_length is given, but chosen_length is not");
}
