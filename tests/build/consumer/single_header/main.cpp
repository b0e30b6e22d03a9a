// What the library gives for pairs, here and in another file.
#include <cstdio>
#include <vector>

void print_groups_and_logits();

int main() {
  std::vector<float> const a{-1, -2}, b{-3, -1}, zero{0, 0};
  std::vector<float> d_chosen(2);
  auto const pairs = prefopt::evaluate(
      prefopt::dpo{.beta = 0.5},
      prefopt::pair_batch<float>{.chosen = a, .rejected = b, .ref_chosen = zero, .ref_rejected = zero},
      {.d_chosen = d_chosen});
  std::printf("dpo %a %a\n", pairs.loss, static_cast<double>(d_chosen[1]));
  print_groups_and_logits();
}
