// The one file that makes every list loss by name.
#include "groups.hpp"

using namespace prefopt;

any_list_loss made(std::string_view name, parameter_values const& values) { return make_list_loss(name, values); }

std::vector<any_list_loss> const& every_list_loss() {
  static std::vector<any_list_loss> const all = [] {
    std::vector<any_list_loss> losses;
    for (auto const& card : list_loss_cards()) losses.push_back(make_list_loss(card.card.name));
    losses.push_back(make_list_loss("plackett_luce", {{"beta", 0.7}, {"top_k", 3}, {"smoothing", 0.2}, {"mean", 1}}));
    losses.push_back(make_list_loss("plackett_luce", {{"beta", 0.1}, {"smoothing", 0.1}, {"break_ties", 1}}));
    losses.push_back(make_list_loss("pro", {{"temperatures", 0}}));
    losses.push_back(make_list_loss("pro", {{"eps_compat", 1}, {"sft", 0}}));
    losses.push_back(make_list_loss("pro", {{"temperatures", 0}, {"eps_compat", 1}}));
    losses.push_back(make_list_loss("adpo", {{"kl", 1}, {"standardize", 1}, {"adapt", 0.5}}));
    losses.push_back(make_list_loss("rrhf", {{"sft", 0}}));
    return losses;
  }();
  return all;
}
