#include <prefopt/engine/make_loss.hpp>

#include "loss_choice.hpp"

prefopt::any_pair_loss make_pair_loss(loss_choice const& choice) {
  return prefopt::make_pair_loss(choice.name, choice.parameters, choice.base);
}
