#include <catch.hpp>

#include "oracle/oracle_checks.hpp"
#include "oracle/results.hpp"

TEST_CASE("every loss and modifier agrees with the oracle: double") {
  oracle::instantiate_results_of_every_loss<double>();
  oracle::random_numbers random{1};
  auto pairs = oracle::random_pairs(203, random);
  for (oracle::pair const& p : oracle::extreme_pairs<double>()) pairs.push_back(p);
  oracle::for_every_loss([&]<class L> {
    for (L const& loss : oracle::variants_of<L>(5, random)) oracle::check_against_oracle<double>(loss, pairs);
  });
}
