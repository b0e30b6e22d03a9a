#pragma once

#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <utility>
#include <vector>

#include "loss_catalog.hpp"

/// A loss by name, and for a modifier the one that it goes over; or a sum of losses.
struct loss_choice {
  loss_kind kind = loss_kind::pair;
  std::string name, base;
  prefopt::parameter_values parameters;
  std::vector<std::pair<std::string, double>> parts{};  ///< of a mixture: names and weights
};

/// The loss itself, by the function for its kind; these compile every loss once, for all programs. They throw
/// input_error or std::invalid_argument for an unknown name or parameter, listing the known ones, and for a parameter
/// out of its range.
prefopt::any_pair_loss make_pair_loss(loss_choice const& choice);
prefopt::any_list_loss make_list_loss(loss_choice const& choice);
prefopt::any_unpaired_loss make_unpaired_loss(loss_choice const& choice);

/// "smoothed<dpo>, epsilon 0.1, beta 0.1": the loss and the parameters of the choice, on one line.
std::string description(loss_choice const& choice);
