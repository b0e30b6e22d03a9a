// A user's file, for his own flags: pairs, groups and logits.
#include <prefopt/prefopt.hpp>
#include <vector>

double loss_of_pairs(std::vector<float> const& a, std::vector<float> const& b, std::vector<float>& d_chosen) {
  return prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<float>{.chosen = a, .rejected = b},
                           {.d_chosen = d_chosen})
      .loss;
}

double loss_of_groups(std::vector<float> const& logp, std::vector<float> const& reward,
                      std::vector<int> const& offsets) {
  return prefopt::evaluate(prefopt::plackett_luce{},
                           prefopt::list_batch<float>{.logp = logp, .reward = reward, .offsets = offsets})
      .loss;
}

double loss_of_logits(std::vector<prefopt::bfloat16> const& logits, std::vector<int> const& labels) {
  return prefopt::evaluate(
             prefopt::cpo{},
             prefopt::logit_policy<prefopt::bfloat16>{
                 .logits = {logits.data(), labels.size(), logits.size() / labels.size()},
                 .tokens = {.labels = {labels.data(), labels.size()}, .tokens_per_sequence = labels.size() / 2}},
             {})
      .loss;
}
