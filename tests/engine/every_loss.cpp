// The one file that makes every pair loss by name.
#include "pairs.hpp"

using namespace prefopt;

std::vector<any_pair_loss> const& every_loss() {
  static std::vector<any_pair_loss> const all = [] {
    std::vector<any_pair_loss> made;
    for (auto const& card : pair_loss_cards()) {
      if (!card.is_modifier) made.push_back(make_pair_loss(card.card.name));
      for (auto const base : card.bases) made.push_back(make_pair_loss(card.card.name, {}, base));
    }
    return made;
  }();
  return all;
}
