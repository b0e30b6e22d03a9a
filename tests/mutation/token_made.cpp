// In the place of token_loss/native_made.cpp: the one surrogate LOSS, whose header is given to the compiler.
#include <prefopt/engine/make_token_loss.hpp>

#include "token_loss/made.hpp"

prefopt::any_token_loss made_token_loss(std::string_view name, prefopt::parameter_values const& values) {
  if (name != prefopt::LOSS::card.name)
    throw std::out_of_range{"only " + std::string{prefopt::LOSS::card.name} + " is made"};
  return prefopt::detail::make_token_loss_with<prefopt::default_instruction_set, prefopt::LOSS>(values);
}

std::vector<std::string_view> surrogate_names() { return {prefopt::LOSS::card.name}; }
