#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bootstrap.hpp"
#include "choices.hpp"
#include "rank_command.hpp"
#include "rankings.hpp"
#include "worth_fit.hpp"

/// The rankings of a category, and what was fitted to them.
struct fitted_category {
  std::string name;
  rankings data;
  choices terms{};
  std::vector<double> counts{};
  std::size_t zero_item = 0;
  worth_fit fit{};
  std::optional<bootstrap_result> drawn{};

  /// The items' numbers, the best one first where that is wanted, else as in the file.
  std::vector<std::size_t> order(bool best_first) const;
};

/// A worth as it is shown: as it is, or as a rating.
double shown_worth(double worth, std::optional<elo_scale> const& elo);
/// The same for a standard error.
double shown_error(double error, std::optional<elo_scale> const& elo);
