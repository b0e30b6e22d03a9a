#include <algorithm>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/engine/mixture.hpp>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "loss_choice.hpp"

prefopt::any_pair_loss make_pair_loss(loss_choice const& choice) {
  if (choice.parts.empty()) return prefopt::make_pair_loss(choice.name, choice.parameters, choice.base);
  if (!choice.base.empty()) throw input_error{"--base: not with a mixture, got " + choice.base};
  std::vector<prefopt::weighted_loss<prefopt::pair_family>> parts;
  for (auto const& [name, weight] : choice.parts) {
    loss_entry const* const loss = find_loss(name);
    if (loss != nullptr && loss->kind != loss_kind::pair) {
      throw input_error{name + " is no loss of pairs, expected in a mixture some of " +
                        names_of_losses(loss_kind::pair)};
    }
    // Each takes the parameters that it has.
    prefopt::parameter_values own;
    for (auto const& value : choice.parameters) {
      bool const has = loss != nullptr && std::ranges::find(loss->parameters, value.first,
                                                            &prefopt::parameter_card::name) != loss->parameters.end();
      if (has) own.push_back(value);
    }
    parts.push_back({weight, prefopt::make_pair_loss(name, own)});
  }
  return prefopt::mixture<prefopt::pair_family>(std::move(parts));
}
