#include <prefopt/engine/make_loss.hpp>

#include "input_error.hpp"
#include "loss_choice.hpp"

prefopt::any_list_loss make_list_loss(loss_choice const& choice) {
  if (!choice.base.empty()) {
    throw input_error{choice.name + " is not a modifier and takes no base, got base \"" + choice.base + '"'};
  }
  return prefopt::make_list_loss(choice.name, choice.parameters);
}
