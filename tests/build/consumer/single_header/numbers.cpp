// What the library gives for groups and for logits.
#include <cstdio>
#include <vector>

void print_groups_and_logits() {
  std::vector<float> const logp{-1, -2, -1.5F}, reward{1, 0, 0.5F};
  std::vector<int> const offsets{0, 3};
  std::vector<float> d_logp(3);
  auto const groups = prefopt::evaluate(prefopt::plackett_luce{},
                                        prefopt::list_batch<float>{.logp = logp, .reward = reward, .offsets = offsets},
                                        {.d_logp = d_logp});
  std::printf("plackett_luce %a %a\n", groups.loss, static_cast<double>(d_logp[0]));

  std::vector<float> const logits{0, 1, 2, 3, 2, 1, 0, 1, 0, 2, 1, 3};
  std::vector<int> const labels{0, 1, 2, 0};
  auto const tokens = prefopt::evaluate(
      prefopt::cpo{},
      prefopt::logit_policy<float>{.logits = {logits.data(), 4, 3},
                                   .tokens = {.labels = {labels.data(), 4}, .tokens_per_sequence = 2}},
      {});
  std::printf("cpo %a\n", tokens.loss);
}
