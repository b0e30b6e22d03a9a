#pragma once

#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pairs.hpp"

namespace oracle {

/// What the library says of the loss, and every number of its results over the pairs, against the oracle.
template <class T>
void check_against_oracle(named_loss const& loss, std::vector<pair> const& pairs);

}  // namespace oracle
