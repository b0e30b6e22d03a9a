#include <catch.hpp>

#include "oracle/list_oracle_checks.hpp"
#include "oracle/list_results.hpp"

TEST_CASE("every list loss agrees with the oracle: float") {
  oracle::instantiate_results_of_every_list_loss<float>();
  oracle::check_every_list_loss_against_oracle<float>("float");
}
