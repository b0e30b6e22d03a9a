#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "progress.hpp"

/// Does LCPO find out how reliable an annotator is? Preferences of known, calibrated probability, told right at a rate
/// eta*; a table of the fixed points that prefopt::annotator_reliability reaches, over all data and batch by batch.
std::string reliability_table(std::size_t pairs, std::uint64_t seed, std::size_t threads, progress& shown);
