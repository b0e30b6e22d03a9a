#pragma once

#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "oracle/every_loss.hpp"

namespace oracle {

/// Margins of 0, subnormal ones, +-50, +-1e4, under every kind of label.
template <class T>
std::vector<pair> extreme_pairs() {
  double const tiny = static_cast<double>(std::numeric_limits<T>::denorm_min());
  double const smallest = static_cast<double>(std::numeric_limits<T>::min());
  std::vector<pair> pairs;
  for (double const h : {0., -0., tiny, -tiny, 1e3 * tiny, smallest, 50., -50., 1e3, -1e3, 1e4, -1e4}) {
    for (double const eta : {0., 0.5, 0.9, 1.}) {
      pairs.push_back({.chosen = h, .label = eta, .reliability = eta});
      pairs.push_back({.rejected = h, .chosen_length = 4, .rejected_length = 2, .label = eta, .reliability = eta});
      pairs.push_back({.chosen = -3, .rejected = -3, .ref_chosen = h, .margin = 1, .label = eta, .reliability = eta});
    }
  }
  return pairs;
}

/// Every number of L's results over the pairs against the oracle.
template <class T, class L>
void check_against_oracle(L const& loss, std::vector<pair> const& pairs) {
  using prefopt::columns;
  CHECK(reads<L>(columns::reference) == dependence<L>::reference);
  CHECK(reads<L>(columns::length) == dependence<L>::length);
  CHECK(reads<L>(columns::margin) == dependence<L>::margin);
  CHECK(reads<L>(columns::label) == dependence<L>::label);
  CHECK(reads<L>(columns::reliability) == dependence<L>::reliability);
  auto const got = results_of<T>(loss, pairs);
  std::size_t compared = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pair const seen = as_read<T, L>(pairs[i]);
    auto const [exact, bound] = expected<T>(loss, seen);
    auto const check = [&](char const* what, T number, real right, real within) {
      ++compared;
      if (std::fabs(static_cast<real>(number) - right) <= within) return;
      INFO(describe(loss) << ", pair " << i << ": " << what << " is off by " << static_cast<real>(number) - right
                          << ", allowed are " << within << "; chosen " << seen.chosen << " rejected " << seen.rejected
                          << " references " << seen.ref_chosen << " " << seen.ref_rejected << " lengths "
                          << seen.chosen_length << " " << seen.rejected_length << " margin " << seen.margin << " label "
                          << seen.label << " reliability " << seen.reliability);
      CHECK(static_cast<real>(number) == right);
    };
    check("loss", got.loss[i], exact.loss, bound.loss);
    check("d_chosen", got.d_chosen[i], exact.d_chosen, bound.d_chosen);
    check("d_rejected", got.d_rejected[i], exact.d_rejected, bound.d_rejected);
    CHECK((std::isfinite(got.loss[i]) && std::isfinite(got.d_chosen[i]) && std::isfinite(got.d_rejected[i])));
    if (got.posterior.empty()) continue;
    check("posterior", got.posterior[i], exact.posterior, bound.posterior);
    CHECK((got.posterior[i] >= 0 && got.posterior[i] <= 1));
  }
  CHECK(compared == pairs.size() * (got.posterior.empty() ? 3 : 4));
}

}  // namespace oracle
