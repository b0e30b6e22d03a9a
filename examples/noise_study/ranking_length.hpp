#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "progress.hpp"

/// Do longer rankings help? Rankings of K candidates are drawn from a Plackett-Luce model that is linear in features;
/// a table of |theta - theta*| for K = 2, 3, 4, 5, 8, fitted to whole rankings, to first places alone, and to the first
/// against the last.
std::string ranking_length_table(std::uint64_t seed, std::size_t repetitions, std::size_t threads, progress& shown);
