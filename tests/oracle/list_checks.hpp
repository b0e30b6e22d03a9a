#pragma once

#include <string>

#include "oracle/bits.hpp"

namespace oracle {

/// The list loss with several parameters, given every set of columns that it can be given: what the library says of it,
/// and every number of its results, against the oracle. Prints how many, and the largest errors.
template <class T>
void check_list_loss_against_oracle(std::string const& name, random_numbers& random);

/// All of that for every list loss.
template <class T>
void check_every_list_loss_against_oracle();

}  // namespace oracle
