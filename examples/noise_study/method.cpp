#include "method.hpp"

#include <algorithm>
#include <prefopt/prefopt.hpp>

std::vector<method> make_methods(bandit_settings const& settings, double wrong_share) {
  using enum anchoring;
  double const tau = settings.tau, beta_reward = settings.beta_reward;
  // At one half nothing can be learnt, and above it everything would have to be turned over.
  double const epsilon = std::min(wrong_share, 0.45);
  prefopt::dpo const dpo{.beta = 1 / tau};
  prefopt::labelled<prefopt::dpo> const pairwise{.base = dpo};
  prefopt::adpo const listwise{.tau = tau, .beta_reward = beta_reward};
  prefopt::adpo_kde const kde{.tau = tau, .beta_reward = beta_reward};
  return {{"dpo", dpo},
          {"dpo_unanchored", dpo, none},
          {"cdpo", prefopt::cdpo{.beta = 1 / tau, .epsilon = epsilon}},
          {"rdpo", prefopt::rdpo{.beta = 1 / tau, .epsilon = epsilon}},
          {"lcpo", prefopt::lcpo<prefopt::dpo>{.base = dpo}},
          {"noise_mixture", prefopt::noise_mixture{.rho0 = epsilon, .rho1 = epsilon}, none},
          {"cauchy_dpo", prefopt::cauchy_dpo{.beta = 1 / tau}},
          {"focal_po", prefopt::focal_po{.beta = 1 / tau}},
          {"dpop", prefopt::dpop{.beta = 1 / tau}},
          {"apo_zero", prefopt::apo_zero{.beta = 1 / tau}},
          {"kto", prefopt::kto{.beta = 1 / tau}},
          {"adpo_pairwise", pairwise, fixed, beta_reward},
          {"adpo_pairwise_unanchored", pairwise, none, beta_reward},
          {"adpo_listwise", listwise},
          {"adpo_listwise_unanchored", listwise, none},
          {"adpo_kde", kde},
          {"adpo_kde_unanchored", kde, none},
          {"adpo_average", listwise, average},
          {"adpo_copies", listwise, copies},
          {"adpo_copies_when_far", listwise, copies_when_far},
          {"pro", prefopt::pro{}, none}};
}

std::vector<std::string_view> method_names() {
  std::vector<std::string_view> names;
  for (method const& one : make_methods({}, 0)) names.push_back(one.name);
  return names;
}

std::string method_explanations() {
  return R"(  dpo                   every pair of a context's candidates, the one of higher reward is chosen; beta = 1 / tau
  cdpo, rdpo            the same; told which share of these pairs the corruption has turned over (at most 0.45)
  lcpo                  over dpo; has to find that share out (one annotator, as in prefopt::annotator_reliability)
  noise_mixture         told the same share, which stands inside the logarithm; has no anchor
  cauchy_dpo, focal_po  dpo with links that give up pairs far on the wrong side
  dpop                  dpo that does not let the chosen candidate become less likely
  apo_zero              each candidate by itself against the anchor: chosen up, rejected down, both bounded
  kto                   single candidates: desirable above the mean reward of their context, undesirable below
  adpo_pairwise         dpo with soft labels sigma(reward difference / beta_reward)
  adpo_listwise         the target over the candidates is softmax(reward / beta_reward)
  adpo_kde              the target comes from the rewards' places in their smoothed distribution
  adpo_average          adpo_listwise, the anchor follows by a moving average of weights, decay 0.99
  adpo_copies           adpo_listwise, the anchor becomes a copy of the policy every 100 steps
  adpo_copies_when_far  adpo_listwise, a copy whenever the policy is 0.1 nats away from the anchor
  pro                   ranks all candidates, has no anchor
  ..._unanchored        the same loss without a reference
)";
}
