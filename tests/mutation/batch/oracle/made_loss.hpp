#pragma once

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"

// In the place of tests/oracle/made_loss.hpp.

namespace oracle {
namespace {

inline prefopt::any_pair_loss made(named_loss const& loss) {
  if (loss.over.empty()) return front::make_pair_loss(loss.name, loss.given);
  auto values = loss.given;
  values.insert(values.end(), loss.over[0].given.begin(), loss.over[0].given.end());
  return front::make_pair_loss(loss.name, values, loss.over[0].name);
}

}  // namespace
}  // namespace oracle
