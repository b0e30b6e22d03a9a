// A user's loss in each form of the contract gets all that the library's own losses get.
#include <cmath>
#include "pairs.hpp"

using namespace prefopt;

namespace {

/// softplus(-scale u) in four spellings.
struct by_margin {
  double scale = 0.7;
  using score = anchored<prefopt::sum>;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    auto const at = logistic{}(V(math::constant<V>(scale) * u));
    return {at.value, V(math::constant<V>(scale) * at.slope)};
  }
};

struct by_scores {
  double scale = 0.7;
  using score = anchored<prefopt::sum>;
  template <lane V>
  pair_value<V> operator()(V const& a, V const& b) const noexcept {
    auto const at = logistic{}(V(math::constant<V>(scale) * (a - b)));
    V const slope = math::constant<V>(scale) * at.slope;
    return {at.value, slope, V(-slope)};
  }
};

struct by_link {
  double scale = 0.7;
  using score = anchored<prefopt::sum>;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = scale}; }
};

struct by_composition {
  double scale = 0.7;
  [[nodiscard]] constexpr dpo composition() const noexcept { return {.beta = scale}; }
};

/// Reads every further column, optional and needed.
struct by_row {
  using score = length_mean;
  static constexpr columns needs = columns::label, takes = columns::margin | columns::reliability;
  template <lane V>
  pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    return {V(row.label * a - row.reliability * b + row.margin), row.label, V(-row.reliability)};
  }
};

/// A score of one's own: half of the log-prob, and the reference.
struct half_score {
  static constexpr columns needs = columns::reference;
  template <lane V>
  scored<V> operator()(completion<V> const& c) const noexcept {
    return {V(math::constant<V>(0.5) * c.log_prob + c.reference), math::constant<V>(0.5)};
  }
};

struct by_score {
  using score = half_score;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    return {V(u * u), V(u + u)};
  }
};

static_assert(margin_loss<by_margin> && pair_loss<by_margin> && !linked_loss<by_margin>);
static_assert(!margin_loss<by_scores> && pair_loss<by_scores> && !linked_loss<by_scores>);
static_assert(margin_loss<by_link> && linked_loss<by_link>);
static_assert(margin_loss<by_composition> && linked_loss<by_composition>);
static_assert(!margin_loss<by_row> && pair_loss<by_row>);
static_assert(margin_loss<by_score>);

}  // namespace

TEMPLATE_TEST_CASE("four spellings of one loss give the same numbers, report and modifiers", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 303;
  pairs<T> const data{n};
  auto const evaluated = [&](auto const& loss) {
    any_pair_loss const like{loss};
    results<T> got{n, like};
    auto const seen = evaluate(loss, data.batch(like), got.outputs(), {.non_finite = on_invalid::skip});
    return std::pair{seen, got};
  };
  auto const agree = [&](auto const& first, auto const& second, double tolerance) {
    auto const [x, a] = evaluated(first);
    auto const [y, b] = evaluated(second);
    CHECK(std::fabs(x.loss - y.loss) <= tolerance * std::fabs(y.loss));
    CHECK(x.accuracy == y.accuracy);
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(std::fabs(static_cast<double>(a.loss[i] - b.loss[i])) <=
              tolerance * std::fabs(static_cast<double>(b.loss[i])));
      REQUIRE(std::fabs(static_cast<double>(a.d_chosen[i] - b.d_chosen[i])) <=
              tolerance * std::fabs(static_cast<double>(b.d_chosen[i])));
      REQUIRE(std::fabs(static_cast<double>(a.d_rejected[i] - b.d_rejected[i])) <=
              tolerance * std::fabs(static_cast<double>(b.d_rejected[i])));
    }
  };
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
  auto const expected = dpo{.beta = 0.7};
  agree(by_margin{}, expected, 0);
  agree(by_scores{}, expected, 0);
  agree(by_link{}, expected, 0);
  agree(by_composition{}, expected, 0);
  auto const corrected = unbiased<dpo>{.base = expected, .epsilon = 0.2};
  // The difference of two near terms: absolute in the larger one.
  agree(unbiased<by_link>{.epsilon = 0.2}, corrected, 0);
  agree(unbiased<by_composition>{.epsilon = 0.2}, corrected, 0);
  auto const near = lcpo<dpo>{.base = expected};
  agree(lcpo<by_margin>{}, near, sizeof(T) == 4 ? 2e-3 : 1e-10);
  agree(lcpo<by_scores>{}, near, sizeof(T) == 4 ? 2e-3 : 1e-10);
  agree(lcpo<by_composition>{}, near, tolerance);
  agree(smoothed<by_link>{.epsilon = 0.25}, smoothed<dpo>{.base = expected, .epsilon = 0.25}, 0);
  agree(labelled<by_composition>{}, labelled<dpo>{.base = expected}, 0);
}

TEST_CASE("a user's loss is called \"this loss\" in errors unless it has a card") {
  std::vector<double> const a{-1};
  CHECK(refusal_of(by_margin{}, pair_batch<double>{.chosen = a, .rejected = a}) ==
        "prefopt::evaluate: this loss needs the column ref_chosen, which is not given");
  CHECK(refusal_of(lcpo<by_margin>{}, pair_batch<double>{.chosen = a, .rejected = a, .margin = a}) ==
        "prefopt::evaluate: lcpo<this loss> needs the column ref_chosen, which is not given");
}

TEST_CASE("a user's loss reads the further columns; those not given have their neutral value") {
  std::vector<double> const a{-2, -6}, b{-8, -4}, length{2, 2}, other{4, 1}, label{0.5, 1}, margin{10, 20},
      eta{0.25, 0.5};
  results<double> got{2, false};
  evaluate(by_row{},
           pair_batch<double>{.chosen = a,
                              .rejected = b,
                              .chosen_length = length,
                              .rejected_length = other,
                              .margin = margin,
                              .label = label,
                              .reliability = eta},
           got.outputs(), {.reduction = reduction::sum});
  CHECK(got.loss == std::vector<double>{0.5 * -1 - 0.25 * -2 + 10, -3 - 0.5 * -4 + 20});
  CHECK(got.d_chosen == std::vector<double>{0.25, 0.5});
  CHECK(got.d_rejected == std::vector<double>{-0.25 / 4, -0.5});
  CHECK(got.chosen_reward == std::vector<double>{-1, -3});
  evaluate(
      by_row{},
      pair_batch<double>{.chosen = a, .rejected = b, .chosen_length = length, .rejected_length = other, .label = label},
      got.outputs(), {.reduction = reduction::sum});
  CHECK(got.loss == std::vector<double>{0.5 * -1 + 2, -3 + 4.0});
  CHECK(refusal_of(by_row{},
                   pair_batch<double>{.chosen = a, .rejected = b, .chosen_length = length, .rejected_length = other}) ==
        "prefopt::evaluate: this loss needs the column label, which is not given");
}

TEST_CASE("a score of one's own is read from the right columns and differentiated") {
  std::vector<double> const a{-2}, b{-8}, ref_a{1}, ref_b{3};
  results<double> got{1, false};
  auto const seen =
      evaluate(by_score{}, pair_batch<double>{.chosen = a, .rejected = b, .ref_chosen = ref_a, .ref_rejected = ref_b},
               got.outputs());
  CHECK(got.loss[0] == 1);
  CHECK(got.d_chosen[0] == 1);
  CHECK(got.d_rejected[0] == -1);
  CHECK(seen.chosen_reward == 0);
  CHECK(seen.rejected_reward == -1);
  CHECK(seen.accuracy == 1);
}

TEST_CASE("lcpo over a user's pair loss keeps E-step and gradient consistent") {
  constexpr std::size_t n = 64;
  pairs<double> const data{n};
  auto const loss = lcpo<by_scores>{};
  results<double> got{n, true};
  evaluate(loss, data.batch(loss, false), got.outputs(), {.reduction = reduction::none});
  for (std::size_t i = 0; i < n; ++i) {
    double const h = (data.chosen[i] - data.ref_chosen[i]) - (data.rejected[i] - data.ref_rejected[i]), gap = 0.7 * h;
    double const p = 1 / (1 + std::exp(-gap)), eta = data.reliability[i];
    double const w = p * eta / (p * eta + (1 - p) * (1 - eta));
    CHECK(std::fabs(got.posterior[i] - w) < 1e-12);
    CHECK(std::fabs(got.d_chosen[i] - 0.7 * (p - w)) < 1e-12);
    CHECK(std::fabs(got.d_chosen[i] + got.d_rejected[i]) < 1e-15);
  }
}
