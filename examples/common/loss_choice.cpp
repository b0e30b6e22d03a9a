#include "loss_choice.hpp"

#include "number_text.hpp"

std::string description(loss_choice const& choice) {
  std::string text = choice.kind == loss_kind::pair   ? make_pair_loss(choice).name()
                     : choice.kind == loss_kind::list ? make_list_loss(choice).name()
                                                      : make_unpaired_loss(choice).name();
  for (auto const& [name, value] : choice.parameters) text += ", " + name + " " + number_text(value);
  return text;
}
