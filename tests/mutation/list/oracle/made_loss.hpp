#pragma once

#include <tuple>

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"

// In the place of tests/oracle/made_loss.hpp: the one loss LOSS, compiled by the program itself.

namespace oracle {
namespace {

inline prefopt::any_list_loss made_list(named_loss const& loss) {
  prefopt::LOSS made{};
  std::apply([&](auto const&... p) { ((made.*p.member = value_of(loss, p.name)), ...); }, prefopt::LOSS::parameters());
  return prefopt::any_list_loss{made};
}

}  // namespace
}  // namespace oracle
