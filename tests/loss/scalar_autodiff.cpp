#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/loss/list.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pair_formula.hpp"

// The library's own code on automatic differentiation: the derivative of the value that it returns is the slope that it
// returns. In long double, so that nothing but the formulas is at stake.

namespace {

using oracle::dual;
using oracle::real;

template <class L>
inline constexpr bool holds_a_constant = false;
template <class L>
inline constexpr bool holds_a_constant<prefopt::lcpo<L>> = true;

/// Calls f.operator()<L>(name) for every loss of the list and every modifier over each.
template <class F>
void for_every_loss(F const& f) {
  prefopt::pair_losses::for_each([&]<class L> {
    oracle::named_loss const base{std::string{L::card.name}};
    f.template operator()<L>(base);
    prefopt::modifiers_of<L>::type::for_each(
        [&]<class M> { f.template operator()<M>(oracle::modified(std::string{M::card.name}, base)); });
  });
}

/// The loss of that type with the parameters of the one by name.
template <class L>
L typed(oracle::named_loss const& named) {
  L loss{};
  if constexpr (requires { L::parameters(); }) {
    std::apply([&](auto const&... p) { ((loss.*p.member = value_of(named, p.name)), ...); }, L::parameters());
  }
  if constexpr (requires { loss.base; }) loss.base = typed<decltype(L::base)>(named.over[0]);
  return loss;
}

}  // namespace

TEST_CASE("every returned slope is the derivative of the returned value") {
  oracle::random_numbers random{3};
  std::size_t losses = 0;
  for_every_loss([&]<class L>(oracle::named_loss const& standard) {
    // lcpo's gradient is not its value's: the posterior in it is a constant. The oracle covers it.
    if constexpr (!holds_a_constant<L>) {
      ++losses;
      for (auto const& given : oracle::variants_of(standard, 20, random)) {
        auto const loss = prefopt::detail::resolve(typed<L>(given));
        auto const formula = oracle::formula_of(given);
        for (int i = 0; i < 50; ++i) {
          double const scale = random.spread(1e-2, 1e2);
          oracle::pair p;
          p.chosen = scale * random.uniform(-1, 1);
          p.rejected = scale * random.uniform(-1, 1);
          p.margin = random.uniform(-1, 3);
          p.label = random.uniform();
          dual const better(p.chosen, 2, 0), worse(p.rejected, 2, 1);
          prefopt::pair_row<dual> const row{dual(p.margin), dual(p.label), dual(p.reliability)};
          auto const result = prefopt::detail::apply(loss, row, better, worse);
          auto const sizes = formula.at(oracle::variables{p}).loss;
          CAPTURE(oracle::describe(given), p.chosen, p.rejected, p.margin, p.label);
          real const eps = 64 * std::numeric_limits<real>::epsilon();
          CHECK(std::fabs(result.value.derivatives()[0] - result.d_chosen.value()) <= eps * (sizes.d_chosen_size + 1));
          CHECK(std::fabs(result.value.derivatives()[1] - result.d_rejected.value()) <=
                eps * (sizes.d_rejected_size + 1));
        }
      }
    }
  });
  CHECK(losses >= 30);
}

TEST_CASE("the losses by name are those of the list and every modifier over each, in order") {
  std::vector<std::string> types, names;
  for_every_loss([&]<class L>(oracle::named_loss const& loss) { types.push_back(oracle::full_name_of(loss)); });
  for (auto const& loss : oracle::every_pair_loss()) names.push_back(oracle::full_name_of(loss));
  CHECK(names == types);
  CHECK(names.size() >= 10 + 38);
}
