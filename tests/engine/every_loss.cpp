// The one file that makes every pair loss by name.
#include "pairs.hpp"

using namespace prefopt;

namespace {

/// Of the likelihoods' modes one that does not depend on the batch; otherwise the standard parameters.
parameter_values without_statistics(std::string_view loss) {
  if (loss == "sft") return {{"mode", 1}};
  if (loss == "with_nll") return {{"nll_mode", 1}};
  return {};
}

}  // namespace

std::vector<any_pair_loss> const& every_loss() {
  static std::vector<any_pair_loss> const all = [] {
    std::vector<any_pair_loss> made;
    for (auto const& card : pair_loss_cards()) {
      auto const values = without_statistics(card.card.name);
      if (!card.is_modifier) made.push_back(make_pair_loss(card.card.name, values));
      for (auto const base : card.bases) made.push_back(make_pair_loss(card.card.name, values, base));
    }
    return made;
  }();
  return all;
}

std::vector<any_pair_loss> const& every_independent_loss() {
  static std::vector<any_pair_loss> const all = [] {
    std::vector<any_pair_loss> independent;
    for (auto const& loss : every_loss()) {
      auto const& facts = loss.facts();
      if (facts.observed == 0 && facts.matches == rank_matching::none) independent.push_back(loss);
    }
    return independent;
  }();
  return all;
}
