#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "oracle/every_list_loss.hpp"

namespace oracle {

/// What was compared, and the largest errors as shares of their bounds.
struct list_tally {
  std::size_t numbers = 0;
  real loss_share = 0, gradient_share = 0;
};

/// Every number of L's results over the groups against the oracle.
template <class T, class L>
void check_lists_against_oracle(L const& loss, list_given const& given, std::vector<candidate_list> const& groups,
                                list_tally& tally) {
  auto const got = list_results_of<T>(loss, groups, given);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    candidate_list const seen = rounded_to<T>(groups[g]);
    auto const right = list_expected<T>(loss, seen, given);
    auto const check = [&](char const* what, std::size_t i, T number, real exact, real bound, real& share) {
      ++tally.numbers;
      real const off = std::fabs(static_cast<real>(number) - exact);
      if (bound > 0) share = std::max(share, off / bound);
      if (off <= bound) return;
      INFO(describe_list(loss, given) << ", group " << g << " of " << seen.size() << ": " << what << " " << i
                                      << " is off by " << off << ", allowed are " << bound);
      CHECK(static_cast<real>(number) == exact);
    };
    check("loss", 0, got.loss[g], right.loss, right.loss_bound, tally.loss_share);
    REQUIRE(got.d_logp[g].size() == seen.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      check("d_logp", i, got.d_logp[g][i], right.d_logp[i], right.d_logp_bound[i], tally.gradient_share);
    }
  }
}

/// Every list loss with several parameters, given every set of columns that it can be given.
template <class T>
void check_every_list_loss_against_oracle(char const* type) {
  random_numbers random{31};
  prefopt::list_losses::for_each([&]<class L> {
    list_tally tally;
    std::size_t variant = 0;
    for (L const& loss : list_variants_of<L>(5, random)) {
      bool large = variant++ < 2;
      for (list_given const& given : ways_of(loss)) {
        check_lists_against_oracle<T>(loss, given, random_lists<L>(random, false, large), tally);
        if (given.reward && !refuses_ties(loss)) {
          check_lists_against_oracle<T>(loss, given, random_lists<L>(random, true, false), tally);
        }
        large = false;
      }
    }
    std::printf("%-18s %-6s %6zu numbers; largest error of a loss %.2Lf of its bound, of a gradient %.2Lf\n",
                std::string{L::card.name}.c_str(), type, tally.numbers, tally.loss_share, tally.gradient_share);
  });
}

}  // namespace oracle
