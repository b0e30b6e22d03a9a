#pragma once

#include <cstddef>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pairs.hpp"

namespace oracle {

/// Every number of the loss over the pairs within the oracle's bounds; what the loss says of itself, too. How many
/// numbers were compared.
template <class T>
std::size_t check_against_oracle(named_loss const& loss, std::vector<pair> const& pairs);

/// All of that for every loss and modifier but those that sort the batch. Modifiers that are run over their base's
/// numbers share one path: of these, fewer parameters over fewer pairs.
template <class T>
void check_every_loss_against_oracle(random_numbers& random);

}  // namespace oracle
