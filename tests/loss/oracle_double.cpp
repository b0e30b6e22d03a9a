#include <catch.hpp>

#include "oracle/pair_checks.hpp"

TEST_CASE("every loss and modifier agrees with the oracle: double") {
  oracle::random_numbers random{1};
  auto pairs = oracle::random_pairs(203, random);
  for (oracle::pair const& p : oracle::extreme_pairs<double>()) pairs.push_back(p);
  for (auto const& standard : oracle::every_pair_loss()) {
    for (auto const& loss : oracle::variants_of(standard, 5, random)) {
      oracle::check_against_oracle<double>(loss, pairs);
    }
  }
}
