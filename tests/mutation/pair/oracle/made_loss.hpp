#pragma once

#include "oracle/front.hpp"
#include "oracle/typed_loss.hpp"

// In the place of tests/oracle/made_loss.hpp: the one loss LOSS, compiled by the program itself.

namespace oracle {
namespace {

using namespace prefopt;

inline any_pair_loss made(named_loss const& loss) { return any_pair_loss{typed<LOSS>(loss)}; }

}  // namespace
}  // namespace oracle
