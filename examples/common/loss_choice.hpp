#pragma once

#include <prefopt/loss/any.hpp>
#include <string>

/// A loss by name, and for a modifier the one that it goes over.
struct loss_choice {
  std::string name, base;
  prefopt::parameter_values parameters;
};

/// The loss itself; every loss of the list is compiled here once, for all programs. Throws std::invalid_argument for an
/// unknown name or parameter, listing the known ones, and for a parameter out of its range.
prefopt::any_pair_loss make_loss(loss_choice const& choice);

/// "smoothed<dpo>, epsilon 0.1, beta 0.1": the loss and the parameters of the choice, on one line.
std::string description(loss_choice const& choice);
