#include "oracle/list_checks.hpp"

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "oracle/list_oracle.hpp"
#include "oracle/list_results.hpp"

namespace oracle {
namespace {

/// What was compared, and the largest errors as shares of their bounds.
struct list_tally {
  std::size_t numbers = 0;
  real loss_share = 0, gradient_share = 0;
};

void check_facts(named_loss const& loss) {
  INFO(describe(loss));
  auto const facts = facts_of_list_loss(loss);
  CHECK(facts.name == full_name_of(loss));
  CHECK(facts.parameters == all_values_of(loss));
  CHECK(facts.is_square == is_square(loss.name));
  CHECK(facts.refuses_ties == refuses_ties(loss));
  CHECK(facts.reads.reference == !is_per_token(loss.name));
  CHECK(facts.reads.length);
  CHECK(facts.reads.reward == !is_square(loss.name));
  CHECK(facts.reads.target == has_target(loss.name));
  CHECK(facts.needs.reference == is_told_from_zero(loss.name));
  CHECK(facts.needs.length == (is_per_token(loss.name) || is_told_from_zero(loss.name)));
  CHECK(facts.needs.reward == needs_reward(loss));
  CHECK(!facts.needs.target);
}

/// Every number of the loss's results over the groups against the oracle.
template <class T>
void check_lists_against_oracle(named_loss const& loss, list_given const& given,
                                std::vector<candidate_list> const& groups, list_tally& tally) {
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

}  // namespace

template <class T>
void check_list_loss_against_oracle(std::string const& name, random_numbers& random) {
  list_tally tally;
  std::size_t variant = 0;
  for (named_loss const& loss : list_variants_of(name, 5, random)) {
    check_facts(loss);
    bool large = variant++ < 2;
    for (list_given const& given : ways_of(loss)) {
      check_lists_against_oracle<T>(loss, given, random_lists(random, is_square(name), false, large), tally);
      if (given.reward && !refuses_ties(loss)) {
        check_lists_against_oracle<T>(loss, given, random_lists(random, is_square(name), true, false), tally);
      }
      large = false;
    }
  }
  std::printf("%-18s %-6s %6zu numbers; largest error of a loss %.2Lf of its bound, of a gradient %.2Lf\n",
              name.c_str(), std::is_same_v<T, float> ? "float" : "double", tally.numbers, tally.loss_share,
              tally.gradient_share);
}

template <class T>
void check_every_list_loss_against_oracle() {
  random_numbers random{31};
  for (std::string const& name : list_losses()) check_list_loss_against_oracle<T>(name, random);
}

template void check_list_loss_against_oracle<float>(std::string const&, random_numbers&);
template void check_list_loss_against_oracle<double>(std::string const&, random_numbers&);
template void check_every_list_loss_against_oracle<float>();
template void check_every_list_loss_against_oracle<double>();

}  // namespace oracle
