#pragma once

#include "oracle/front.hpp"
#include "oracle/typed_loss.hpp"

// In the place of tests/oracle/made_loss.hpp: the one loss LOSS, compiled by the program itself.

namespace oracle {
namespace {

inline prefopt::any_list_loss made_list(named_loss const& loss) {
  return prefopt::any_list_loss{typed<prefopt::LOSS>(loss)};
}

}  // namespace
}  // namespace oracle
