// In the place of list_engine/every_list_loss.cpp: a loss of each kind of kernel, compiled by the program itself.
#include "list_engine/groups.hpp"

using namespace prefopt;

any_list_loss made(std::string_view name, parameter_values const& values) {
  return make_list_loss<loss_list<info_nce, pro, plackett_luce, adpo, adpo_ranked, sami, best_versus_worst>>(name,
                                                                                                             values);
}

std::vector<any_list_loss> const& every_list_loss() {
  static std::vector<any_list_loss> const all{
      made("info_nce"), made("pro"), made("plackett_luce", {{"beta", 0.7}, {"top_k", 3}, {"smoothing", 0.2}}),
      made("adpo", {{"kl", 1}, {"standardize", 1}, {"adapt", 0.5}}), made("sami")};
  return all;
}
