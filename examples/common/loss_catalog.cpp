#include "loss_catalog.hpp"

#include <algorithm>
#include <prefopt/engine/make_loss.hpp>

std::vector<loss_entry> const& loss_catalog() {
  static std::vector<loss_entry> const all = [] {
    std::vector<loss_entry> entries;
    for (auto const& loss : prefopt::pair_loss_cards()) {
      entries.push_back(
          {loss_kind::pair, loss.card, loss.needs, loss.takes, prefopt::columns::none, loss.parameters, loss.bases});
    }
    for (auto const& loss : prefopt::list_loss_cards()) {
      entries.push_back({loss_kind::list, loss.card, loss.needs, loss.takes, loss.one_of, loss.parameters, {}});
    }
    for (auto const& loss : prefopt::unpaired_loss_cards()) {
      entries.push_back({loss_kind::unpaired, loss.card, loss.needs, loss.takes, loss.one_of, loss.parameters, {}});
    }
    return entries;
  }();
  return all;
}

loss_entry const* find_loss(std::string_view name) {
  auto const& all = loss_catalog();
  auto const found = std::ranges::find(all, name, [](loss_entry const& loss) { return loss.card.name; });
  return found == all.end() ? nullptr : &*found;
}

std::string names_of_losses(std::optional<loss_kind> kind) {
  std::string names;
  for (auto const& loss : loss_catalog()) {
    if (kind.value_or(loss.kind) == loss.kind) names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}
