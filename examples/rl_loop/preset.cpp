#include "preset.hpp"

#include <algorithm>

#include "input_error.hpp"

std::vector<prefopt::token_loss_card> preset_cards() {
  auto cards = prefopt::token_loss_cards();
  std::erase_if(cards, [](auto const& card) { return !card.is_preset; });
  return cards;
}

preset preset_of(std::string_view name, prefopt::parameter_values parameters, rl_settings const& settings,
                 std::size_t longest) {
  auto const cards = preset_cards();
  auto const card = std::ranges::find_if(cards, [&](auto const& each) { return each.card.name == name; });
  if (card == cards.end()) {
    std::string known;
    for (auto const& each : cards) known.append(known.empty() ? "" : ", ").append(each.card.name);
    throw input_error{"--preset: got " + in_quotes(name) + ", expected one of " + known};
  }
  constexpr std::string_view horizon = "horizon";
  auto const is_horizon = [&](auto const& parameter) { return parameter.first == horizon; };
  if (std::ranges::find(card->parameters, horizon, &prefopt::parameter_card::name) != card->parameters.end() &&
      std::ranges::none_of(parameters, is_horizon)) {
    parameters.emplace_back(horizon, static_cast<double>(longest));
  }
  preset made{.name = std::string{name},
              .loss = prefopt::make_token_loss(name, parameters),
              .advantages = card->advantages,
              .whitens = card->whitens,
              .has_critic = name == "ppo"};
  prefopt::kl_penalty& kl = made.loss.kl;
  if (settings.kl_estimator) kl.estimator = *settings.kl_estimator;
  if (settings.kl) kl.coefficient = *settings.kl;
  if (kl.estimator == prefopt::kl_estimator::none && kl.coefficient != 0) kl.estimator = prefopt::kl_estimator::k3;
  return made;
}
