#include <catch.hpp>

#include "oracle/list_checks.hpp"

TEST_CASE("every list loss agrees with the oracle: float") { oracle::check_every_list_loss_against_oracle<float>(); }
