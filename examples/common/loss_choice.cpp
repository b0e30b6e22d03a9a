#include "loss_choice.hpp"

#include "number_text.hpp"

prefopt::any_pair_loss make_loss(loss_choice const& choice) {
  return prefopt::make_pair_loss(choice.name, choice.parameters, choice.base);
}

std::string description(loss_choice const& choice) {
  std::string text = make_loss(choice).name();
  for (auto const& [name, value] : choice.parameters) text += ", " + name + " " + number_text(value);
  return text;
}
