// One list loss, NAME, against the oracle.
#include <catch.hpp>

#include "oracle/list_checks.hpp"

TEST_CASE("agrees with the oracle") {
  oracle::random_numbers random{31};
  oracle::check_list_loss_against_oracle<double>(NAME, random);
  oracle::check_list_loss_against_oracle<float>(NAME, random);
}
