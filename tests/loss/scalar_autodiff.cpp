#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/loss/list.hpp>

#include "oracle/every_loss.hpp"

// The library's own code on automatic differentiation: the derivative of the value that it returns is the slope that it
// returns. In long double, so that nothing but the formulas is at stake.

namespace {

using oracle::dual;
using oracle::real;

template <class L>
inline constexpr bool holds_a_constant = false;
template <class L>
inline constexpr bool holds_a_constant<prefopt::lcpo<L>> = true;

}  // namespace

TEST_CASE("every returned slope is the derivative of the returned value") {
  oracle::random_numbers random{3};
  std::size_t losses = 0;
  oracle::for_every_loss([&]<class L> {
    // lcpo's gradient is not its value's: the posterior in it is a constant. The oracle covers it.
    if constexpr (!holds_a_constant<L>) {
      ++losses;
      for (L const& given : oracle::variants_of<L>(20, random)) {
        auto const loss = prefopt::detail::resolve(given);
        for (int i = 0; i < 50; ++i) {
          double const scale = random.spread(1e-2, 1e2);
          oracle::pair p;
          p.chosen = scale * random.uniform(-1, 1);
          p.rejected = scale * random.uniform(-1, 1);
          p.margin = random.uniform(-1, 3);
          p.label = random.uniform();
          dual const a(p.chosen, 2, 0), b(p.rejected, 2, 1);
          prefopt::pair_row<dual> const row{dual(p.margin), dual(p.label), dual(p.reliability)};
          auto const result = prefopt::detail::apply(loss, row, a, b);
          auto const sizes = oracle::outcome_of(given, p).loss;
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
