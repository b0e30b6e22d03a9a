// A user's loss in each form of the contract gets all that the library's own losses get.
#include <cmath>
#include <concepts>
#include <limits>
#include <oracle/same_numbers.hpp>
#include <tuple>

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
  static constexpr bool fuses = true;  // as dpo does: the same bits under every modifier
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

// What can be laid over each form.
static_assert(loss_with_opposite_label<by_margin> && loss_with_opposite_label<by_scores>);
static_assert(loss_with_opposite_label<by_link> && loss_with_opposite_label<by_composition>);
static_assert(loss_with_opposite_label<bradley_terry> && loss_with_opposite_label<lcpo<dpo>>);
static_assert(!loss_with_opposite_label<by_row> && !loss_with_opposite_label<lcpo<bradley_terry>>);
template <class L>
using all_modifiers = loss_list<smoothed<L>, labelled<L>, unbiased<L>, lcpo<L>, with_nll<L>>;
static_assert(std::same_as<modifiers_of<by_margin>::type, all_modifiers<by_margin>>);
static_assert(std::same_as<modifiers_of<by_scores>::type, all_modifiers<by_scores>>);
static_assert(std::same_as<modifiers_of<by_link>::type, all_modifiers<by_link>>);
static_assert(std::same_as<modifiers_of<by_composition>::type, all_modifiers<by_composition>>);
static_assert(std::same_as<modifiers_of<by_row>::type, loss_list<unbiased<by_row>, lcpo<by_row>, with_nll<by_row>>>);

/// e^-u of the log-probs: 0 on one side, infinite on the other.
struct by_exponential {
  using score = prefopt::sum;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const right = u > zero;
    V const e = math::exp(math::select(right, V(-u), u));
    V const value = math::select(right, e, math::divide(one, e));
    return {value, V(-value)};
  }
};

/// a^2 + 3 a b + 5 b: no function of a - b, and not the same in both orders.
struct by_two_scores {
  using score = prefopt::sum;
  template <lane V>
  pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const three = math::constant<V>(3), five = math::constant<V>(5);
    return {V(a * a + three * (a * b) + five * b), V(a + a + three * b), V(three * a + five)};
  }
};
static_assert(!margin_loss<by_two_scores> && loss_with_opposite_label<by_two_scores>);

/// More parameters than a cache line holds: c0 + c1 u + … + c8 u^8.
struct polynomial {
  double c0 = 0.5, c1 = -1, c2 = 0.25, c3 = 0.125, c4 = 0.5, c5 = -0.25, c6 = 1, c7 = 0.0625, c8 = 2;
  using score = prefopt::sum;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    V value = math::constant<V>(c8), slope = math::constant<V>(0);
    for (double const c : {c7, c6, c5, c4, c3, c2, c1, c0}) {
      slope = math::fma(slope, u, value);
      value = math::fma(value, u, math::constant<V>(c));
    }
    return {value, slope};
  }
  static constexpr loss_card card{"polynomial", "sum_k c_k u^k", "this test"};
  static constexpr auto parameters() noexcept {
    using p = polynomial;
    return std::tuple{
        parameter{"c0", &p::c0, range{}}, parameter{"c1", &p::c1, range{}}, parameter{"c2", &p::c2, range{}},
        parameter{"c3", &p::c3, range{}}, parameter{"c4", &p::c4, range{}}, parameter{"c5", &p::c5, range{}},
        parameter{"c6", &p::c6, range{}}, parameter{"c7", &p::c7, range{}}, parameter{"c8", &p::c8, range{.low = 0}}};
  }
};
static_assert(sizeof(polynomial) > 64);

/// Nine lines that make a loss.
struct hinge_per_token {
  double beta = 2;
  using score = anchored<length_mean>;
  [[nodiscard]] constexpr rectified link() const noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }
  static constexpr loss_card card{"hinge_per_token", "max(0, 1 - beta mean h)", "this test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &hinge_per_token::beta, range::positive()}};
  }
};

using own_losses = loss_list<polynomial, hinge_per_token, dpo>;

/// Its return type is found by compiling its body, which is one of scores and of nothing else.
struct deduced {
  using score = prefopt::sum;
  template <class V>
  auto operator()(V const& u) const noexcept {
    return value_slope<V>{V(u * u), V(u + u)};
  }
};
static_assert(evaluable_pair_loss<deduced>);

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

TEMPLATE_TEST_CASE("a loss without a link is smoothed and labelled as one with it", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 303;
  pairs<T> const data{n};
  auto const agree = [&](auto const& loss, auto const& expected) {
    results<T> got{n, false}, right{n, false};
    auto const seen = evaluate(loss, data.batch(loss), got.outputs(), {.reduction = reduction::none});
    auto const wanted = evaluate(expected, data.batch(expected), right.outputs(), {.reduction = reduction::none});
    double const tolerance = sizeof(T) == 4 ? 2e-6 : 4e-15;
    CHECK(std::fabs(seen.loss - wanted.loss) <= tolerance * std::fabs(wanted.loss));
    // The two terms of a slope have different signs, and each is at most 0.7.
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(std::fabs(got.loss[i] - right.loss[i]) <= tolerance * (1 + std::fabs(right.loss[i])));
      REQUIRE(std::fabs(got.d_chosen[i] - right.d_chosen[i]) <= 2 * tolerance);
      REQUIRE(got.d_rejected[i] == -got.d_chosen[i]);
    }
  };
  dpo const base{.beta = 0.7};
  agree(smoothed<by_margin>{.epsilon = 0.25}, smoothed<dpo>{.base = base, .epsilon = 0.25});
  agree(smoothed<by_scores>{.epsilon = 0.25}, smoothed<dpo>{.base = base, .epsilon = 0.25});
  agree(labelled<by_margin>{}, labelled<dpo>{.base = base});
  agree(labelled<by_scores>{}, labelled<dpo>{.base = base});
  // A modifier without a link is a loss without a link.
  agree(smoothed<unbiased<by_margin>>{.base = {.epsilon = 0.25}, .epsilon = 0.25}, dpo{.beta = 0.7});
  agree(unbiased<smoothed<by_scores>>{.base = {.epsilon = 0.25}, .epsilon = 0.25}, dpo{.beta = 0.7});
}

TEST_CASE("the opposite label of a loss without a link is the pair swapped") {
  std::vector<double> const a{2, -1, 0.5}, b{-3, 4, 8}, label{0.25, 1, 0};
  auto const f = [](double x, double y) { return x * x + 3 * x * y + 5 * y; };
  auto const check = [&](auto const& loss, pair_batch<double> const& batch, std::vector<double> const& right) {
    results<double> got{3, false};
    evaluate(loss, batch, got.outputs(), {.reduction = reduction::none});
    for (std::size_t i = 0; i < 3; ++i) {
      double const q = right[i], p = 1 - q, x = a[i], y = b[i];
      CHECK(got.loss[i] == q * f(x, y) + p * f(y, x));
      CHECK(got.d_chosen[i] == q * (2 * x + 3 * y) + p * (3 * y + 5));
      CHECK(got.d_rejected[i] == q * (3 * x + 5) + p * (2 * y + 3 * x));
    }
  };
  check(smoothed<by_two_scores>{.epsilon = 0.25}, {.chosen = a, .rejected = b}, {0.75, 0.75, 0.75});
  check(labelled<by_two_scores>{}, {.chosen = a, .rejected = b, .label = label}, label);
}

TEMPLATE_TEST_CASE("a label without doubt leaves nothing of an infinite opposite", "", float, double) {
  using T = TestType;
  std::vector<T> const a{2000, -2000, 3, 0}, b{0, 0, 1, 0}, sure{1, 1, 1, 1}, wrong{0, 0, 0, 0};
  auto const of = [](auto const& loss, pair_batch<T> const& batch) {
    results<T> got{4, false};
    evaluate(loss, batch, got.outputs(), {.reduction = reduction::none});
    return got;
  };
  auto const given = of(by_exponential{}, {.chosen = a, .rejected = b});
  auto const swapped = of(by_exponential{}, {.chosen = b, .rejected = a});
  REQUIRE(given.loss[0] == 0);
  REQUIRE(given.loss[1] == std::numeric_limits<T>::infinity());
  CHECK(given.same_bits(of(smoothed<by_exponential>{.epsilon = 0}, {.chosen = a, .rejected = b})));
  CHECK(given.same_bits(of(labelled<by_exponential>{}, {.chosen = a, .rejected = b, .label = sure})));
  CHECK(given.same_bits(of(unbiased<by_exponential>{.epsilon = 0}, {.chosen = a, .rejected = b})));
  auto const flipped = of(labelled<by_exponential>{}, {.chosen = a, .rejected = b, .label = wrong});
  CHECK(oracle::same_numbers(flipped.loss, swapped.loss));
  CHECK(oracle::same_numbers(flipped.d_chosen, swapped.d_rejected));
  CHECK(oracle::same_numbers(flipped.d_rejected, swapped.d_chosen));
}

TEMPLATE_TEST_CASE("a user's loss may be larger than a cache line", "", float, double) {
  using T = TestType;
  std::vector<T> const a{0.5, 0, 2, -1, 0.25}, b{0, 0, 1, 0.5, 0.75}, eta{1, 0.5, 0.75, 0.25, 1};
  polynomial const loss{1, 2, -3, 4, 5, -6, 7, 8, 9};
  parameter_values const values{{"c0", 1},  {"c1", 2}, {"c2", -3}, {"c3", 4}, {"c4", 5},
                                {"c5", -6}, {"c6", 7}, {"c7", 8},  {"c8", 9}};
  auto const of = [](auto const& function, pair_batch<T> const& batch) {
    results<T> got{5, any_pair_loss{function}};
    evaluate(function, batch, got.outputs(), {.reduction = reduction::sum});
    return got;
  };
  pair_batch<T> batch{.chosen = a, .rejected = b};
  auto const got = of(loss, batch);
  for (std::size_t i = 0; i < a.size(); ++i) {
    long double const u = static_cast<long double>(a[i]) - static_cast<long double>(b[i]);
    long double value = 0, slope = 0;
    for (std::size_t k = values.size(); k-- > 0;) {
      slope = slope * u + value;
      value = value * u + static_cast<long double>(values[k].second);
    }
    long double const tolerance = 64 * static_cast<long double>(std::numeric_limits<T>::epsilon());
    CHECK(std::fabs(static_cast<long double>(got.loss[i]) - value) <= tolerance * (1 + std::fabs(value)));
    CHECK(std::fabs(static_cast<long double>(got.d_chosen[i]) - slope) <= tolerance * (1 + std::fabs(slope)));
  }
  CHECK(of(any_pair_loss{loss}, batch).same_bits(got));
  auto const named = make_pair_loss<own_losses>("polynomial", values);
  CHECK(of(named, batch).same_bits(got));
  CHECK(named.parameters() == values);
  CHECK(refusal([&] {
          make_pair_loss<own_losses>("polynomial", {{"c8", -1}});
        }) == "prefopt::polynomial: c8 is -1, expected a finite number >= 0");

  batch.reliability = eta;
  lcpo<polynomial> const near{.base = loss};
  auto const expected = of(near, batch);
  CHECK(of(any_pair_loss{near}, batch).same_bits(expected));
  CHECK(of(make_pair_loss<own_losses>("lcpo", values, "polynomial"), batch).same_bits(expected));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (eta[i] == 1) CHECK(expected.posterior[i] == 1);
  }
}

TEST_CASE("nine lines make a loss: by type, by name, under every modifier") {
  constexpr std::size_t n = 300;
  pairs<double> const data{n};
  auto const of = [&](auto const& loss) {
    any_pair_loss const like{loss};
    results<double> got{n, like};
    auto const seen = evaluate(loss, data.batch(like), got.outputs(), {.reduction = reduction::sum});
    return std::pair{seen, got};
  };
  auto const [seen, got] = of(hinge_per_token{});
  long double total = 0;
  std::size_t flat = 0;
  for (std::size_t i = 0; i < n; ++i) {
    long double const h =
        (static_cast<long double>(data.chosen[i]) - static_cast<long double>(data.ref_chosen[i])) /
            static_cast<long double>(data.chosen_length[i]) -
        (static_cast<long double>(data.rejected[i]) - static_cast<long double>(data.ref_rejected[i])) /
            static_cast<long double>(data.rejected_length[i]);
    long double const weight = static_cast<long double>(data.weight[i]), value = std::max(0.0L, 1 - 2 * h);
    total += weight * value;
    REQUIRE(std::fabs(static_cast<long double>(got.loss[i]) - weight * value) < 1e-13L * (1 + weight * value));
    long double const slope = value > 0 ? -2 * weight / static_cast<long double>(data.chosen_length[i]) : 0;
    REQUIRE(std::fabs(static_cast<long double>(got.d_chosen[i]) - slope) < 1e-14L);
    flat += value == 0;
  }
  CHECK(flat > 0);
  CHECK(std::fabs(static_cast<long double>(seen.loss) - total) < 1e-12L * total);

  auto const same = [&](auto const& by_type, std::string_view name, std::string_view base) {
    CAPTURE(name, base);
    auto const [expected_report, expected] = of(by_type);
    auto const named = make_pair_loss<own_losses>(name, {}, base);
    auto const [named_report, by_name] = of(named);
    CHECK(by_name.same_bits(expected));
    CHECK(same_bits(named_report, expected_report));
    CHECK(named.name() == detail::name_of<std::remove_cvref_t<decltype(by_type)>>());
  };
  std::size_t modifiers = 0;
  same(hinge_per_token{}, "hinge_per_token", "");
  modifiers_of<hinge_per_token>::type::for_each([&]<class M> {
    same(M{}, M::card.name, "hinge_per_token");
    ++modifiers;
  });
  CHECK(modifiers == 5);
  for (auto const& card : pair_loss_cards<own_losses>()) {
    std::vector<std::string_view> const everywhere{"polynomial", "hinge_per_token", "dpo"};
    if (card.is_modifier) CHECK(card.bases == everywhere);
  }
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
