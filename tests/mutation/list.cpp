// One list loss, LOSS_NAME in the environment, against the oracle.
#include <catch.hpp>
#include <cstdlib>
#include <string>

#include "oracle/list_checks.hpp"

TEST_CASE("agrees with the oracle") {
  oracle::random_numbers random{31};
  std::string const name = std::getenv("LOSS_NAME");
  oracle::check_list_loss_against_oracle<double>(name, random);
  oracle::check_list_loss_against_oracle<float>(name, random);
}
