#include <catch.hpp>

#include "oracle/pair_checks.hpp"

TEST_CASE("every loss and modifier agrees with the oracle: float") {
  oracle::random_numbers random{2};
  oracle::check_every_loss_against_oracle<float>(random);
}
