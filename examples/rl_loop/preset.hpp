#pragma once

#include <prefopt/engine/make_token_loss.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "rl_settings.hpp"

/// A loss of tokens with the advantages that it goes with.
struct preset {
  std::string name;
  prefopt::any_token_loss loss;
  prefopt::advantage_mode advantages;
  bool whitens;
  bool has_critic;  ///< advantages are from a critic's values: ppo
};

/// The library's, in its order.
std::vector<prefopt::token_loss_card> preset_cards();

/// With these parameters, and the settings' KL. `longest` is the horizon of a preset that has one and is not told
/// otherwise. Throws input_error or std::invalid_argument.
preset preset_of(std::string_view name, prefopt::parameter_values parameters, rl_settings const& settings,
                 std::size_t longest);
