#include <prefopt/engine/make_token_loss.hpp>

#include "token_loss/made.hpp"

namespace {

template <class... L>
std::vector<std::string_view> names_of(prefopt::loss_list<L...>) {
  return {L::card.name...};
}

}  // namespace

prefopt::any_token_loss made_token_loss(std::string_view name, prefopt::parameter_values const& values) {
  return prefopt::make_token_loss(name, values);
}

std::vector<std::string_view> surrogate_names() { return names_of(prefopt::token_surrogates{}); }
std::vector<std::string_view> preset_names() { return names_of(prefopt::token_losses{}); }

prefopt::advantage_mode advantages_of_preset(std::string_view name) {
  for (auto const& card : prefopt::token_loss_cards()) {
    if (card.is_preset && card.card.name == name) return card.advantages;
  }
  throw std::invalid_argument{"no preset"};
}
