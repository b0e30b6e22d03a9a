#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "choices.hpp"
#include "rankings.hpp"
#include "worth_fit.hpp"

struct bootstrap_settings {
  std::size_t rounds = 0, threads = 1;
  std::uint64_t seed = 0;
};

/// What fits to data drawn from the data tell, item by item.
struct bootstrap_result {
  std::vector<double> lower, upper;  ///< percentiles of the worth relative to the zero item, 2.5 and 97.5
  /// 1 and how many items were worth more in 97.5 % of the rounds at least: items that the data do not tell apart share it.
  std::vector<std::size_t> rank;
  std::size_t rounds_without_maximum = 0;  ///< which are left out
};

/// Fits the terms of the data to as many rankings drawn from them, with replacement, as there are, round after round. The
/// draws of a round depend on the seed and its number alone. Counts have to be whole. Throws an input_error.
bootstrap_result bootstrap(rankings const& data, choices const& terms, prior const& before, fit_settings fit,
                           bootstrap_settings const& settings, std::function<void(std::size_t)> const& finished);
