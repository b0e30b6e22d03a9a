#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "progress.hpp"

/// Does rDPO undo flipped preferences? Pairs from a log-linear policy's own preferences, flipped at a known rate; a
/// table of |theta - theta*| and of the angle between the two, for dpo, cdpo and rdpo.
std::string flip_correction_table(std::size_t pairs, std::uint64_t seed, std::size_t repetitions, std::size_t threads,
                                  progress& shown);
