#include <prefopt/engine/make_loss.hpp>

#include "input_error.hpp"
#include "loss_choice.hpp"

prefopt::any_unpaired_loss make_unpaired_loss(loss_choice const& choice) {
  if (!choice.base.empty()) {
    throw input_error{choice.name + " is not a modifier and takes no base, got base \"" + choice.base + '"'};
  }
  return prefopt::make_unpaired_loss(choice.name, choice.parameters);
}
