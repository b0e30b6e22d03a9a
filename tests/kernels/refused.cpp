// An instruction set that is not there is an error of every evaluate, which tells the other ranks, that wait for it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <prefopt/kernels.hpp>
#include <prefopt/prefopt.hpp>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

using namespace prefopt;

namespace {

bool all_good = true;

/// Runs an evaluate with options under which it must fail, after one call of the all-reduce that says so.
template <class Evaluate>
void check(char const* what, Evaluate const& evaluate) {
  int told = 0;
  bool refused = false;
  auto const sum = [&](std::span<double> values) { told += values[0] == 1 ? 1 : 100; };
  options with_ranks;
  with_ranks.all_reduce = sum;
  try {
    evaluate(with_ranks);
  } catch (std::invalid_argument const& error) {
    refused = std::string_view{error.what()}.starts_with("prefopt::kernels: PREFOPT_ISA is \"avx9\"");
  }
  bool const good = refused && told == 1;
  std::printf("%s: %s, told %d times\n", what, refused ? "refused" : "NOT refused", told);
  all_good = all_good && good;
}

}  // namespace

int main() {
  setenv("PREFOPT_ISA", "avx9", 1);
  std::vector<float> const one{-1}, logits(4);
  std::vector<std::int64_t> const offsets{0, 1}, labels{0, 1}, first{0}, second{1};
  std::vector<std::uint8_t> const mask{1};
  pair_batch<float> const pairs{.chosen = one, .rejected = one};
  list_batch<float> const groups{.logp = one, .offsets = offsets};
  dense_tokens<float> const tokens{.log_prob = {one.data(), 1, 1}, .mask = {mask.data(), 1, 1}};
  token_pair_batch<dense_tokens<float>> const token_pairs{.chosen = tokens, .rejected = tokens};
  logit_policy<float> const policy{.logits = {logits.data(), 2, 2},
                                   .tokens = {.labels = labels, .tokens_per_sequence = 1}};
  policy_pairs<float> const of_policy{.chosen = first, .rejected = second};
  policy_groups<float> const groups_of_policy{.offsets = std::span{offsets}};
  check("pairs", [&](options const& o) { kernels::evaluate(cpo{}, pairs, {}, o); });
  check("groups", [&](options const& o) { kernels::evaluate(adpo{}, groups, {}, o); });
  check("token pairs", [&](options const& o) { kernels::evaluate(cpo{}, token_pairs, {}, o); });
  check("pairs of a policy", [&](options const& o) { kernels::evaluate(cpo{}, policy, of_policy, {}, o); });
  check("and a reference", [&](options const& o) { kernels::evaluate(dpo{}, policy, policy, of_policy, {}, o); });
  check("groups of a policy", [&](options const& o) { kernels::evaluate(adpo{}, policy, groups_of_policy, {}, o); });
  check("and a reference",
        [&](options const& o) { kernels::evaluate(adpo{}, policy, policy, groups_of_policy, {}, o); });
  return all_good ? 0 : 1;
}
