// Losses of single completions through libtorch.
#include "torch_catch.hpp"

#include <prefopt/adapter/torch.hpp>
#include <prefopt/prefopt.hpp>

#include "refusal.hpp"

using prefopt::torch_evaluate;
using prefopt::torch_unpaired;

namespace {

torch_unpaired completions(std::int64_t n) {
  return {.logp = (-60 + 8 * torch::rand({n}, at::kDouble)).requires_grad_(),
          .ref_logp = -60 + 8 * torch::rand({n}, at::kDouble),
          .label = torch::randint(0, 2, {n}, at::kDouble),
          .weight = 0.5 + torch::rand({n}, at::kDouble)};
}

at::Tensor gradient_of(at::Tensor const& loss, at::Tensor const& by) { return torch::autograd::grad({loss}, {by})[0]; }

}  // namespace

TEST_CASE("torch: unpaired losses are what autograd makes of their formulas") {
  torch::manual_seed(5);
  auto const pairs = completions(41);
  auto const a = pairs.logp - pairs.ref_logp;
  at::Tensor const sign = 2 * pairs.label - 1, total = pairs.weight.sum();
  auto const check = [&](prefopt::any_unpaired_loss const& loss, at::Tensor const& each) {
    INFO(loss.name());
    auto const seen = torch_evaluate(loss, pairs);
    at::Tensor const expected = (pairs.weight * each).sum() / total;
    CHECK(std::abs(seen.loss.item<double>() - expected.item<double>()) < 1e-12);
    CHECK((gradient_of(seen.loss, pairs.logp) - gradient_of(expected, pairs.logp)).abs().max().item<double>() < 1e-14);
    CHECK(seen.reward.defined());
    CHECK_FALSE(seen.chosen_reward.defined());
  };
  check(prefopt::kto{.beta = 0.3, .kl = 0.5}, torch::sigmoid(-sign * 0.3 * (a - 0.5)));
  check(prefopt::bco{.beta = 0.3, .delta = 0.2}, -torch::log_sigmoid(sign * (0.3 * a - 0.2)));
  auto const seen = torch_evaluate(prefopt::kto{}, pairs, {.reduction = prefopt::reduction::none});
  CHECK(seen.loss.sizes() == pairs.logp.sizes());
}

TEST_CASE("torch: kto's KL comes from columns, too") {
  torch::manual_seed(6);
  auto pairs = completions(17);
  pairs.kl_logp = -50 + torch::rand({17}, at::kDouble);
  pairs.ref_kl_logp = -52 + torch::rand({17}, at::kDouble);
  double const kl = (pairs.kl_logp - pairs.ref_kl_logp).mean().item<double>();
  auto const by_columns = torch_evaluate(prefopt::kto{}, pairs);
  pairs.kl_logp = pairs.ref_kl_logp = at::Tensor{};
  auto const by_number = torch_evaluate(prefopt::kto{.kl = kl}, pairs);
  CHECK(std::abs(by_columns.loss.item<double>() - by_number.loss.item<double>()) < 1e-12);
}

TEST_CASE("torch: unpaired losses from logits") {
  torch::manual_seed(7);
  auto const logits = torch::randn({4, 6, 11}, at::kDouble).requires_grad_();
  auto const labels = torch::randint(0, 11, {4, 6}, at::kLong),
             label = torch::tensor({1.0, 0.0, 0.0, 1.0}, at::kDouble);
  auto const reference = -12 + torch::rand({4}, at::kDouble);
  auto const seen = torch_evaluate(prefopt::bco{.beta = 0.5}, {.logits = logits, .labels = labels},
                                   prefopt::torch_policy_completions{.ref_log_prob = reference, .label = label});
  auto const logp = torch::log_softmax(logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1).sum(-1);
  auto const expected = (-torch::log_sigmoid((2 * label - 1) * 0.5 * (logp - reference))).mean();
  CHECK(std::abs(seen.loss.item<double>() - expected.item<double>()) < 1e-12);
  CHECK((gradient_of(seen.loss, logits) - gradient_of(expected, logits)).abs().max().item<double>() < 1e-13);
  CHECK((seen.log_prob - logp).abs().max().item<double>() < 1e-12);
}

TEST_CASE("torch: what an unpaired loss cannot take is refused") {
  auto const pairs = completions(5);
  auto const refused = [](auto const& f) { return refusal([&] { static_cast<void>(f()); }); };
  CHECK(refused([&] { return torch_evaluate(prefopt::dro{}, pairs); }) ==
        "prefopt::evaluate: dro does not read the column label, which is given");
  auto short_label = pairs;
  short_label.label = torch::ones({4});
  CHECK(refused([&] { return torch_evaluate(prefopt::kto{}, short_label); }) ==
        "prefopt::evaluate: label has 4 elements, logp has 5");
}
