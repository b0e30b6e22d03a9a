#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <prefopt/loss/list.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pair_formula.hpp"

// The library's own code on automatic differentiation: the derivative of the value that it returns is the slope that it
// returns, by the scores and by further columns. In long double, so that nothing but the formulas is at stake.

namespace {

using oracle::dual;
using oracle::named_loss;
using oracle::real;

// Not those whose gradient takes something in their value for a constant: lcpo's posterior, alpha_dpo's target, which
// the oracle covers; and what aot compares is of two pairs.
template <class L>
inline constexpr bool is_differentiated = !std::is_same_v<L, prefopt::alpha_dpo> && !std::is_same_v<L, prefopt::aot>;
template <class L>
inline constexpr bool is_differentiated<prefopt::lcpo<L>> = false;

/// A loss of each kind: fused ones, of a row's logit, of a link alone, of both scores, with a rest, with gradients by
/// further columns, of more than the scores.
template <class L>
inline constexpr bool is_modified_here =
    std::is_same_v<L, prefopt::dpo> || std::is_same_v<L, prefopt::simpo> || std::is_same_v<L, prefopt::cpo> ||
    std::is_same_v<L, prefopt::bradley_terry> || std::is_same_v<L, prefopt::r_dpo> ||
    std::is_same_v<L, prefopt::cauchy_dpo> || std::is_same_v<L, prefopt::nca_pair> ||
    std::is_same_v<L, prefopt::cal_dpo> || std::is_same_v<L, prefopt::tdpo> || std::is_same_v<L, prefopt::sft>;

/// The loss of that type with the parameters of the one by name.
template <class L>
L typed(named_loss const& named) {
  L loss{};
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) {
          ((loss.*p.member = static_cast<std::remove_reference_t<decltype(loss.*p.member)>>(value_of(named, p.name))),
           ...);
        },
        L::parameters());
  }
  if constexpr (requires { loss.base; }) loss.base = typed<decltype(L::base)>(named.over[0]);
  return loss;
}

/// Of one token a pair, as the oracle is told.
template <class L>
void set_statistics(L& loss) {
  if constexpr (requires { loss.pairs_per_token; }) loss.pairs_per_token = 0.125;
  if constexpr (requires { loss.base; }) set_statistics(loss.base);
}

oracle::pair random_pair(oracle::random_numbers& random) {
  double const scale = random.spread(1e-2, 1e2);
  oracle::pair p;
  p.chosen = scale * random.uniform(-1, 1);
  p.rejected = scale * random.uniform(-1, 1);
  // So that the mean over the batch's tokens has the share 1 / 8.
  p.chosen_length = 8;
  p.rejected_length = 3;
  p.margin = random.uniform(-1, 3);
  p.label = random.uniform();
  p.target = random.uniform(0.1, 2);
  p.scale = random.uniform(0.1, 3);
  p.chosen_kl = random.uniform(0, 5);
  p.rejected_kl = random.uniform(0, 5);
  p.chosen_deviation = random.uniform(0.2, 3);
  p.rejected_deviation = random.uniform(0.2, 3);
  p.rejected_sign = random.uniform(-1, 1);
  p.rationale = -random.uniform(0, 9);
  p.gold = -random.uniform(0, 9);
  return p;
}

prefopt::pair_row<dual> row_of(oracle::pair const& p) {
  prefopt::pair_row<dual> row;
  row.chosen = {dual{p.chosen}, dual{p.ref_chosen}, dual{p.chosen_length}};
  row.rejected = {dual{p.rejected}, dual{p.ref_rejected}, dual{p.rejected_length}};
#define FILL(name, kind, range, neutral, type) row.name = dual{p.name};
  PREFOPT_PAIR_COLUMNS(FILL, )
#undef FILL
  return row;
}

real derivative(dual const& x, int by) { return x.derivatives().size() == 0 ? 0 : x.derivatives()[by]; }

/// `what` the library says is the derivative of its value, within rounding of terms of that size.
void check_slope(char const* what, real returned, real derived, real size) {
  CAPTURE(what, returned, derived);
  CHECK(std::fabs(derived - returned) <= 64 * std::numeric_limits<real>::epsilon() * (size + 1));
}

/// The second version of tdpo takes the chosen completion's divergence for a constant.
bool is_held_constant(std::string const& what, named_loss const& named) {
  named_loss const& base = named.over.empty() ? named : named.over[0];
  return what == "d_chosen_kl" && base.name == "tdpo" && value_of(base, "version") == 2;
}

/// How many slopes were compared.
template <class L>
std::size_t check_slopes(L const& loss, named_loss const& named, oracle::pair const& p) {
  using score = typename L::score;
  auto const formula = oracle::formula_of(named);
  if (formula.see) formula.see({p});
  CAPTURE(oracle::describe(named), p.chosen, p.rejected, p.margin, p.label);
  auto const applied = [&](prefopt::pair_row<dual> const& row) {
    return prefopt::detail::apply(loss, row, score{}(row.chosen).value, score{}(row.rejected).value);
  };
  auto row = row_of(p);
  row.chosen.log_prob = dual(p.chosen, 2, 0);
  row.rejected.log_prob = dual(p.rejected, 2, 1);
  auto const result = applied(row);
  auto const sizes = formula.at(oracle::variables{p}).loss;
  // By the score; by the log-prob it is divided by the length, for some.
  real d_chosen = result.d_chosen.value() * score{}(row.chosen).slope.value();
  if constexpr (requires { result.d_chosen_log_prob; }) d_chosen += result.d_chosen_log_prob.value();
  check_slope("d_chosen", d_chosen, derivative(result.value, 0), sizes.d_chosen_size);
  check_slope("d_rejected", result.d_rejected.value() * score{}(row.rejected).slope.value(),
              derivative(result.value, 1), sizes.d_rejected_size);
  std::size_t compared = 2;
#define COMPARE(name, type)                                                                       \
  if constexpr (requires { result.d_##name; })                                                    \
    if (!is_held_constant("d_" #name, named)) {                                                   \
      auto by = row_of(p);                                                                        \
      by.name = dual(p.name, 2, 0);                                                               \
      auto const size = formula.at(oracle::variables{p, &oracle::pair::name}).loss.d_chosen_size; \
      auto const other = applied(by);                                                             \
      check_slope("d_" #name, other.d_##name.value(), derivative(other.value, 0), size);          \
      ++compared;                                                                                 \
    }
  PREFOPT_PAIR_GRADIENTS(COMPARE, )
#undef COMPARE
  return compared;
}

template <class L>
std::size_t check_type(named_loss const& standard, oracle::random_numbers& random) {
  std::size_t compared = 0;
  for (auto const& given : oracle::variants_of(standard, 10, random)) {
    auto made = typed<L>(given);
    set_statistics(made);
    auto loss = prefopt::detail::resolve(made);
    auto const formula = oracle::formula_of(given);
    for (int i = 0; i < 30; ++i) {
      auto p = random_pair(random);
      if (formula.admit) formula.admit(p);
      // At a difference of 0 that two clamps have made, absolute values inside have a kink.
      if (p.chosen == p.rejected) p.rejected /= 2;
      if constexpr (std::is_same_v<L, prefopt::beta_dpo>) {
        // The batch is the pair itself.
        double const h = static_cast<double>((p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected));
        loss = made.observed({h}, 1);
      }
      compared += check_slopes(loss, given, p);
    }
  }
  return compared;
}

}  // namespace

TEST_CASE("every returned slope is the derivative of the returned value") {
  oracle::random_numbers random{3};
  std::size_t losses = 0, modifiers = 0, slopes = 0;
  prefopt::pair_losses::for_each([&]<class L> {
    named_loss const base{std::string{L::card.name}};
    if constexpr (is_differentiated<L> && !std::is_same_v<L, prefopt::aot_unpaired>) {
      ++losses;
      slopes += check_type<L>(base, random);
    }
    if constexpr (is_modified_here<L>) {
      prefopt::modifiers_of<L>::type::for_each([&]<class M> {
        if constexpr (is_differentiated<M>) {
          ++modifiers;
          slopes += check_type<M>(oracle::modified(std::string{M::card.name}, base), random);
        }
      });
    }
  });
  std::printf("%zu slopes of %zu losses and %zu modifiers differentiated\n", slopes, losses, modifiers);
  CHECK(losses == oracle::pair_losses().size() - 3);
  CHECK(modifiers >= 30);
}

TEST_CASE("the losses by name are those of the list and every modifier over each, in order") {
  std::vector<std::string> types, names;
  prefopt::pair_losses::for_each([&]<class L> {
    types.emplace_back(prefopt::detail::name_of<L>());
    prefopt::modifiers_of<L>::type::for_each([&]<class M> {
      bool const has_a_name = oracle::goes_over(M::card.name, L::card.name);
      if (has_a_name) types.emplace_back(prefopt::detail::name_of<M>());
    });
  });
  for (auto const& loss : oracle::every_pair_loss()) names.push_back(oracle::full_name_of(loss));
  CHECK(names == types);
  CHECK(names.size() >= 60 + 150);
}
