// What the losses of single completions are, written once more from the papers in long double and differentiated by
// Eigen; and their limits.
#include <Eigen/Core>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <unsupported/Eigen/AutoDiff>

#include "completions.hpp"

// With names that the library has, too.
namespace by_formula {
namespace {

using oracle::real;
using prefopt::parameter_values;
using scalar = Eigen::AutoDiffScalar<Eigen::Matrix<real, 1, 1>>;

/// A completion as a loss sees it; columns that it does not read at their neutral values.
struct completion {
  real logp = 0, reference = 0, label = 1, target = 0;
};

/// A value and its slope, with the sizes of the terms that they are sums of.
struct sum {
  real value = 0, slope = 0, size = 0, slope_size = 0;

  sum& add(real factor, scalar const& term) {
    value += factor * term.value();
    slope += factor * term.derivatives()[0];
    size += std::fabs(factor * term.value());
    slope_size += std::fabs(factor * term.derivatives()[0]);
    return *this;
  }
};

scalar softplus(scalar const& x) {
  real const v = x.value();
  return {v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)), x.derivatives() / (1 + std::exp(-v))};
}
scalar sigmoid(scalar const& x) {
  real const p = 1 / (1 + std::exp(-x.value())), not_p = 1 / (1 + std::exp(x.value()));
  return {p, x.derivatives() * (p * not_p)};
}

sum with_label(real label, real desirable, real undesirable, scalar const& good, scalar const& bad) {
  sum both;
  if (label != 0) both.add(label * desirable, good);
  if (label != 1) both.add((1 - label) * undesirable, bad);
  return both;
}

/// The loss of the score s. `offset`: what the score is compared with, in its units.
struct formula {
  bool reads_reference, reads_label, reads_target;
  std::function<sum(named_unpaired const&, completion const&, scalar const& s)> loss;
  std::function<real(named_unpaired const&, completion const&)> offset;
};

formula const& formula_of(std::string const& name) {
  auto const none = [](named_unpaired const&, completion const&) -> real { return 0; };
  static std::map<std::string, formula> const all{
      {"kto",
       {true, true, false,
        [](named_unpaired const& l, completion const& at, scalar const& a) {
          scalar const z = real(l.value("beta")) * scalar(a - real(l.value("kl")));
          return with_label(at.label, l.value("desirable_weight"), l.value("undesirable_weight"), sigmoid(scalar(-z)),
                            sigmoid(z));
        },
        [](named_unpaired const& l, completion const&) -> real { return l.value("kl"); }}},
      {"apo_zero_unpaired",
       {true, true, false,
        [](named_unpaired const& l, completion const& at, scalar const& a) {
          scalar const z = real(l.value("beta")) * a;
          return with_label(at.label, l.value("desirable_weight"), l.value("undesirable_weight"), sigmoid(scalar(-z)),
                            sigmoid(z));
        },
        none}},
      {"bco",
       {true, true, false,
        [](named_unpaired const& l, completion const& at, scalar const& a) {
          scalar const z = scalar(real(l.value("beta")) * a) - real(l.value("delta"));
          return with_label(at.label, 1, 1, softplus(scalar(-z)), softplus(z));
        },
        [](named_unpaired const& l, completion const&) -> real { return real(l.value("delta")) / l.value("beta"); }}},
      {"binary_cross_entropy",
       {false, true, false,
        [](named_unpaired const&, completion const& at, scalar const& s) {
          return with_label(at.label, 1, 1, softplus(scalar(-s)), softplus(s));
        },
        none}},
      {"nbpo",
       {false, true, false,
        [](named_unpaired const& l, completion const& at, scalar const& s) {
          real const rho0 = l.value("rho0"), rho1 = l.value("rho1");
          bool const is_good = at.label == 1;
          real const right = is_good ? 1 - rho1 : rho1, wrong = is_good ? rho0 : 1 - rho0;
          // right sigma(s) + wrong sigma(-s); next to 1 by what it lacks.
          if (wrong == 0) return sum{}.add(1, scalar(softplus(scalar(-s)) - std::log(right)));
          if (right == 0) return sum{}.add(1, scalar(softplus(s) - std::log(wrong)));
          scalar const lacks =
              right == 1 ? scalar((1 - wrong) * sigmoid(scalar(-s))) : scalar((1 - right) * sigmoid(s));
          scalar const mixed = right * sigmoid(s) + wrong * sigmoid(scalar(-s));
          bool const is_near_1 = right == 1 || wrong == 1;
          scalar const cost = is_near_1 ? scalar(-std::log1p(-lacks.value()), lacks.derivatives() / (1 - lacks.value()))
                                        : scalar(-log(mixed));
          return sum{}.add(1, cost);
        },
        none}},
      {"score_regression",
       {true, false, true,
        [](named_unpaired const& l, completion const& at, scalar const& a) {
          scalar const distance = scalar(real(l.value("beta")) * a) - at.target;
          return sum{}.add(1, scalar(distance * distance));
        },
        [](named_unpaired const& l, completion const& at) -> real { return at.target / l.value("beta"); }}},
      {"dro",
       {true, false, true,
        [](named_unpaired const& l, completion const& at, scalar const& a) {
          // The score's slope is 1: logp is the score and the reference.
          return sum{}.add(-at.target, scalar(a + at.reference)).add(real(l.value("beta")) / 2, scalar(a * a));
        },
        none}},
      {"weighted_nll",
       {false, false, true,
        [](named_unpaired const& l, completion const& at, scalar const& s) {
          real const exponent = at.target / l.value("beta");
          auto likelihood = sum{}.add(-std::exp(exponent), s);
          // The exponent was rounded.
          likelihood.size *= 1 + std::fabs(exponent);
          likelihood.slope_size *= 1 + std::fabs(exponent);
          return likelihood;
        },
        none}},
      {"log_barrier",
       {false, false, false,
        [](named_unpaired const& l, completion const&, scalar const& r) {
          real const low = real(l.value("lower")) + l.value("epsilon"),
                     high = real(l.value("upper")) - l.value("epsilon");
          scalar const inside = r.value() < low ? scalar(low) : r.value() > high ? scalar(high) : r;
          return sum{}
              .add(-1, log(scalar(real(l.value("upper")) - inside)))
              .add(-1, log(scalar(inside - real(l.value("lower")))));
        },
        [](named_unpaired const& l, completion const&) -> real {
          return std::fabs(l.value("lower")) + std::fabs(l.value("upper"));
        }}}};
  return all.at(name);
}

sum at(named_unpaired const& loss, completion const& row, real disturbance = 0) {
  auto const& formula = formula_of(loss.name);
  real const score = row.logp - (formula.reads_reference ? row.reference : 0);
  return formula.loss(loss, row, scalar(score + disturbance, 1, 0));
}

/// Its standard parameters, each of them at 0 and at 1, which may have a meaning of their own, and random ones.
std::vector<named_unpaired> variants_of(named_unpaired const& standard, oracle::random_numbers& random) {
  std::vector<named_unpaired> all{standard};
  for (auto const& card : prefopt::unpaired_loss_cards()) {
    if (card.card.name != standard.name || standard.name == "log_barrier") continue;
    for (auto const& p : card.parameters) {
      for (double const end : {0.0, 1.0}) {
        if (!p.valid.contains(end)) continue;
        all.push_back(standard);
        all.back().given.emplace_back(std::string{p.name}, end);
      }
    }
  }
  for (int i = 0; i < 8; ++i) {
    auto loss = standard;
    for (auto const& card : prefopt::unpaired_loss_cards()) {
      if (card.card.name != standard.name) continue;
      for (auto const& p : card.parameters) {
        bool const may_be_0 = p.valid.low == 0 && p.valid.low_is_in;
        double value = may_be_0 && random.chance(0.25) ? 0 : random.spread(0.03, 8);
        if (p.valid.high < 2) value = random.chance(0.2) ? 0 : random.uniform(0, 0.49);
        if (p.valid.low < 0 && random.chance(0.5)) value = -value;
        loss.given.emplace_back(std::string{p.name}, value);
      }
    }
    if (loss.name == "log_barrier") {
      double const lower = random.uniform(-20, 5);
      loss.given = {{"lower", lower}, {"upper", lower + random.uniform(1, 20)}, {"epsilon", random.spread(1e-4, 0.1)}};
    }
    all.push_back(loss);
  }
  return all;
}

template <class T>
completions<T> some_completions(named_unpaired const& loss) {
  completions<T> rows{200, takes_binary(loss.made())};
  auto const tiny = static_cast<double>(std::numeric_limits<T>::denorm_min());
  for (double const h : {0., -0., tiny, -1e3 * tiny, 50., -50., 1e3, -1e3, 1e4, -1e4}) {
    for (double const label : {0., 1., 0.5}) {
      if (label == 0.5 && takes_binary(loss.made())) continue;
      rows.push_back(rows, 0);
      rows.logp.back() = static_cast<T>(h);
      rows.ref_logp.back() = 0;
      rows.label.back() = static_cast<T>(label);
    }
  }
  // Rewards inside of the barrier.
  for (double r = -4; r < 5; r += 0.5) {
    rows.push_back(rows, 1);
    rows.logp.back() = static_cast<T>(r);
  }
  return rows;
}

template <class T>
std::size_t check_against_formula(named_unpaired const& loss) {
  auto const rows = some_completions<T>(loss);
  auto const made = loss.made();
  written<T> const got{made, rows.batch(made)};
  auto const& formula = formula_of(loss.name);
  CHECK(made.reads(prefopt::columns::reference) == formula.reads_reference);
  CHECK(made.reads(prefopt::columns::label) == formula.reads_label);
  CHECK(made.reads(prefopt::columns::target) == formula.reads_target);
  real const eps = std::numeric_limits<T>::epsilon(), flushed = 16 * std::numeric_limits<T>::min();
  std::size_t compared = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    completion const row{rows.logp[i], rows.ref_logp[i], rows.label[i], rows.target[i]};
    auto const exact = at(loss, row);
    real const score = row.logp - (formula.reads_reference ? row.reference : 0);
    real const off = 4 * eps * (std::fabs(score) + std::fabs(formula.offset(loss, row)));
    real value_bound = 0, slope_bound = 0;
    for (real const disturbance : {off, -off}) {
      auto const moved = at(loss, row, disturbance);
      value_bound = std::max(value_bound, std::fabs(moved.value - exact.value));
      slope_bound = std::max(slope_bound, std::fabs(moved.slope - exact.slope));
    }
    // A flushed sigma was meant to be multiplied by a slope, and a weight.
    real const factor = loss.name == "log_barrier" ? 1 : 64;
    auto const check = [&](char const* what, T number, real right, real bound) {
      ++compared;
      if (std::fabs(static_cast<real>(number) - right) <= bound) return;
      INFO(loss.name << " " << what << " of completion " << i << ": logp " << row.logp << " reference " << row.reference
                     << " label " << row.label << " target " << row.target << ", off by "
                     << static_cast<real>(number) - right << ", allowed are " << bound);
      for (auto const& [name, value] : loss.given) UNSCOPED_INFO(name << " " << value);
      CHECK(static_cast<real>(number) == right);
    };
    check("loss", got.loss[i], exact.value, value_bound + 16 * eps * exact.size + factor * flushed);
    check("d_logp", got.d_logp[i], exact.slope, slope_bound + 16 * eps * exact.slope_size + factor * flushed);
    real const scale = made.facts().reward_scale;
    check("reward", got.reward[i], scale * score, 4 * eps * std::fabs(scale * score) + flushed);
  }
  return compared;
}

double const inf = std::numeric_limits<double>::infinity();

}  // namespace

TEMPLATE_TEST_CASE("losses of single completions agree with their formulas", "", float, double) {
  oracle::random_numbers random{82};
  std::size_t losses = 0, numbers = 0;
  for (auto const& standard : every_unpaired_loss()) {
    ++losses;
    for (auto const& loss : variants_of(standard, random)) numbers += check_against_formula<TestType>(loss);
  }
  std::printf("%zu losses of single completions, %zu numbers\n", losses, numbers);
  CHECK(losses == 9);
  CHECK(numbers >= 9 * 9 * 200 * 3);
}

TEMPLATE_TEST_CASE("losses of single completions have their limits", "", float, double) {
  using T = TestType;
  struct limit {
    named_unpaired loss;
    double logp, label, target, value, slope;
  };
  std::vector<limit> const limits{
      {{"kto", {{"desirable_weight", 1.5}}}, inf, 1, 0, 0, 0},
      {{"kto", {{"desirable_weight", 1.5}}}, -inf, 1, 0, 1.5, 0},
      {{"kto", {{"undesirable_weight", 1.5}}}, inf, 0, 0, 1.5, 0},
      {{"kto"}, -1e9, 0, 0, 0, 0},
      {{"kto"}, inf, 0.25, 0, 0.75, 0},
      {{"apo_zero_unpaired"}, -inf, 1, 0, 1, 0},
      {{"apo_zero_unpaired"}, inf, 1, 0, 0, 0},
      {{"bco", {{"beta", 0.5}}}, inf, 1, 0, 0, 0},
      {{"bco", {{"beta", 0.5}}}, -inf, 1, 0, inf, -0.5},
      {{"bco", {{"beta", 0.5}}}, inf, 0, 0, inf, 0.5},
      {{"bco", {{"beta", 0.5}, {"delta", 1}}}, 1e4, 0, 0, 4999, 0.5},
      {{"binary_cross_entropy"}, -1e4, 1, 0, 1e4, -1},
      {{"binary_cross_entropy"}, inf, 1, 0, 0, 0},
      {{"binary_cross_entropy"}, inf, 0, 0, inf, 1},
      {{"nbpo", {{"rho0", 0}, {"rho1", 0}}}, -inf, 1, 0, inf, -1},
      {{"nbpo", {{"rho0", 0.5}, {"rho1", 0.25}}}, -inf, 1, 0, static_cast<double>(T(std::log(2.0L))), 0},
      {{"score_regression"}, inf, 1, 2, inf, inf},
      {{"score_regression"}, -inf, 1, 2, inf, -inf},
      {{"dro", {{"beta", 0}}}, -3, 1, 2, 6, -2},
      {{"dro", {{"beta", 0}}}, inf, 1, 2, -inf, -2},
      {{"dro", {{"beta", 0}}}, inf, 1, 0, 0, 0},
      {{"dro"}, inf, 1, 0, inf, inf},
      {{"dro"}, -inf, 1, 0, inf, -inf},
      {{"weighted_nll"}, -inf, 1, 0, inf, -1},
      {{"weighted_nll"}, -8, 1, -inf, 0, 0},
      {{"log_barrier", {{"lower", -1}, {"upper", 1}, {"epsilon", 0.5}}},
       inf,
       1,
       0,
       static_cast<double>(T(-std::log(0.75L))),
       0},
      {{"log_barrier", {{"lower", -1}, {"upper", 1}, {"epsilon", 0.5}}},
       -inf,
       1,
       0,
       static_cast<double>(T(-std::log(0.75L))),
       0},
      {{"log_barrier"}, 0, 1, 0, static_cast<double>(T(-2 * std::log(5.0L))), 0}};
  for (auto const& [loss, logp, label, target, value, slope] : limits) {
    CAPTURE(loss.name, logp, label, target);
    completions<T> row{1};
    row.logp[0] = static_cast<T>(logp);
    row.ref_logp[0] = 0;
    row.label[0] = static_cast<T>(label);
    row.target[0] = static_cast<T>(target);
    auto const made = loss.made();
    written<T> const got{made, row.batch(made)};
    T const within =
        std::isfinite(value) ? 2 * std::numeric_limits<T>::epsilon() * static_cast<T>(std::fabs(value)) : T(0);
    CHECK((got.loss[0] == static_cast<T>(value) || std::fabs(got.loss[0] - static_cast<T>(value)) <= within));
    CHECK(got.d_logp[0] == static_cast<T>(slope));
  }
}

TEMPLATE_TEST_CASE("a NaN is in its own completion's results, and in no other's", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_unpaired_loss()) {
    auto const made = loss.made();
    completions<T> const sound{37, takes_binary(made)};
    written<T> const before{made, sound.batch(made)};
    for (std::size_t c = 0; c < prefopt::unpaired_family::input_count; ++c) {
      auto const& row = prefopt::unpaired_family::inputs<T>[c];
      if (row.when != prefopt::presence::always && !(row.when == prefopt::presence::as_read && made.needs(row.kind)))
        continue;
      auto bad = sound;
      bad.column(c)[17] = std::numeric_limits<T>::quiet_NaN();
      written<T> const got{made, bad.batch(made)};
      CAPTURE(loss.name, row.name);
      CHECK(std::isnan(got.loss[17]));
      CHECK(std::isnan(got.d_logp[17]));
      CHECK(got.seen.non_finite == 1);
      std::size_t differing = 0;
      for (std::size_t i = 0; i < 37; ++i) {
        differing += i == 17 || (got.loss[i] == before.loss[i] && got.d_logp[i] == before.d_logp[i] &&
                                 got.reward[i] == before.reward[i])
                         ? 0
                         : 1;
      }
      CHECK(differing == 0);
    }
  }
}

}  // namespace by_formula
