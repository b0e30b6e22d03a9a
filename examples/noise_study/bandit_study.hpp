#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bandit_score.hpp"
#include "bandit_settings.hpp"
#include "progress.hpp"

/// The scores of all methods under all corruptions for all seeds.
struct bandit_results {
  std::vector<std::string_view> names;  ///< the reference, which is not trained further, and the methods
  std::vector<std::uint64_t> seeds;
  std::vector<bandit_score> scores;  ///< corruption by corruption, in that seed by seed, in that name by name
  std::vector<double> turned_pairs;  ///< corruption by corruption, in that seed by seed

  bandit_score const& score(std::size_t corruption, std::size_t seed, std::size_t name) const {
    return scores[(corruption * seeds.size() + seed) * names.size() + name];
  }
  /// Of one method under one corruption, a value a seed.
  std::vector<double> values(std::size_t corruption, std::size_t name,
                             double bandit_score::*what = &bandit_score::win_mass) const;
};

/// Every method is trained on the same data and the same batches. The results do not depend on the number of threads.
bandit_results run_bandit_study(bandit_settings const& settings, std::size_t threads, progress& shown);
