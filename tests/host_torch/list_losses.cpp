// Every list loss through libtorch: against differences of the loss itself and torch's autograd of the same formulas.
#include "torch_catch.hpp"

#include <cstdio>
#include <prefopt/adapter/torch.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/prefopt.hpp>

#include "refusal.hpp"

using prefopt::torch_evaluate;
using prefopt::torch_groups;

namespace {

std::vector<prefopt::any_list_loss> every_list_loss() {
  std::vector<prefopt::any_list_loss> all;
  prefopt::list_losses::for_each([&]<class L> { all.push_back(L{}); });
  return all;
}

at::Tensor log_probs_of_candidates(std::int64_t n) { return -6 + 2 * torch::randn({n}, at::kDouble); }

/// Groups of these sizes with a weight each and what the loss reads, in double; rewards all differ, around 0.
torch_groups groups_for(prefopt::any_list_loss const& loss, std::vector<std::int64_t> const& sizes) {
  at::Tensor const ends = integers(sizes).cumsum(0);
  auto const n = ends[-1].item<std::int64_t>();
  torch_groups groups{.logp = log_probs_of_candidates(n), .offsets = torch::cat({torch::zeros({1}, at::kLong), ends})};
  if (loss.reads(prefopt::columns::reference)) groups.ref_logp = log_probs_of_candidates(n);
  if (loss.needs(prefopt::columns::length)) groups.length = torch::randint(3, 9, {n}, at::kDouble);
  if (loss.reads(prefopt::columns::reward)) {
    groups.reward = torch::randperm(n).to(at::kDouble) * (2.0 / static_cast<double>(n)) - 1;
  }
  groups.weight = 0.5 + torch::rand({static_cast<std::int64_t>(sizes.size())}, at::kDouble);
  return groups;
}

torch_groups of_type(torch_groups groups, at::ScalarType type) {
  for (auto const member : prefopt::detail::torch_columns<prefopt::list_family>::members) {
    if ((groups.*member).defined()) groups.*member = (groups.*member).to(type);
  }
  return groups;
}

torch_groups trained(torch_groups groups) {
  groups.logp = groups.logp.detach().requires_grad_();
  return groups;
}

/// Squares, as sami wants them.
std::vector<std::int64_t> const sizes{4, 1, 9, 4, 16};

}  // namespace

TEST_CASE("torch: the gradient of every list loss is the difference of the loss") {
  torch::manual_seed(1);
  constexpr double step = 1e-5;
  double worst = 0, worst_in_float = 0;
  for (auto const& loss : every_list_loss()) {
    INFO(loss.name());
    auto const groups = trained(groups_for(loss, sizes));
    auto const seen = torch_evaluate(loss, groups);
    REQUIRE(seen.loss.dim() == 0);
    REQUIRE(seen.loss.scalar_type() == at::kDouble);
    CHECK(seen.loss.item<double>() == seen.report.loss);
    CHECK_FALSE(seen.chosen_reward.defined());
    at::Tensor const d = grad({-2.5 * seen.loss}, {groups.logp})[0];

    at::Tensor const differences = torch::empty_like(d);
    for (std::int64_t i = 0; i < d.size(0); ++i) {
      torch::NoGradGuard const no_gradient;
      auto const at = [&](double by) {
        auto moved = groups;
        moved.logp = groups.logp.clone();
        moved.logp[i] += by;
        return torch_evaluate(loss, moved).loss.item<double>();
      };
      differences[i] = -2.5 * (at(step) - at(-step)) / (2 * step);
    }
    worst = std::max(worst, difference(d, differences));

    auto const in_float = trained(of_type(groups, at::kFloat));
    at::Tensor const d_in_float = grad({-2.5 * torch_evaluate(loss, in_float).loss}, {in_float.logp})[0];
    REQUIRE(d_in_float.scalar_type() == at::kFloat);
    worst_in_float = std::max(worst_in_float, difference(d_in_float, d));
  }
  std::printf("torch, every list loss: gradient against differences %.1e, float against double %.1e\n", worst,
              worst_in_float);
  CHECK(worst < 1e-6);
  CHECK(worst_in_float < 1e-3);
}

TEST_CASE("torch: list losses are what autograd makes of their formulas") {
  torch::manual_seed(2);
  // One group's loss from its scores and rewards.
  auto const adpo = [](at::Tensor const& score, at::Tensor const& reward) {
    return -(torch::softmax(reward / 0.6, 0) * torch::log_softmax(score / 0.4, 0)).sum();
  };
  auto const plackett_luce = [](at::Tensor const& score, at::Tensor const& reward) {
    at::Tensor const ranked = 0.7 * score.index_select(0, reward.argsort(0, true));
    return (ranked.flip(0).logcumsumexp(0).flip(0) - ranked).sum();
  };
  auto const real = [](at::Tensor const& score, at::Tensor const& reward) -> at::Tensor {
    at::Tensor const better = reward > 0, worse = better.logical_not(), z = score / 0.4;
    if (!better.any().item<bool>() || !worse.any().item<bool>()) return 0 * z.sum();
    return torch::log1p(torch::exp(z.masked_select(worse)).sum()) +
           torch::log1p(torch::exp(-z.masked_select(better)).sum());
  };
  auto const compare = [&](prefopt::any_list_loss const& loss, auto const& formula, at::ScalarType type) {
    INFO(loss.name());
    auto const groups = trained(of_type(groups_for(loss, sizes), type));
    // Autograd loses digits of some gradients in float: it is given double.
    auto const wide = trained(of_type(groups, at::kDouble));
    std::vector<at::Tensor> values;
    for (std::size_t g = 0; g < sizes.size(); ++g) {
      auto const begin = wide.offsets[static_cast<std::int64_t>(g)].item<std::int64_t>();
      auto const part = [&](at::Tensor const& column) { return column.slice(0, begin, begin + sizes[g]); };
      at::Tensor const score = part(wide.logp) - part(wide.ref_logp);
      values.push_back(formula(wide.length.defined() ? score / part(wide.length) : score, part(wide.reward)));
    }
    at::Tensor const each = wide.weight * torch::stack(values);
    double worst = 0;
    for (auto const reduction : {prefopt::reduction::mean, prefopt::reduction::sum, prefopt::reduction::none}) {
      at::Tensor const expected = reduction == prefopt::reduction::mean  ? each.sum() / wide.weight.sum()
                                  : reduction == prefopt::reduction::sum ? each.sum()
                                                                         : each;
      at::Tensor const got = torch_evaluate(loss, groups, {.reduction = reduction}).loss;
      REQUIRE(got.scalar_type() == type);
      // A different factor for every group.
      at::Tensor const factor = torch::randn_like(expected);
      at::Tensor const d = grad({got}, {groups.logp}, {factor.to(type)})[0];
      REQUIRE(d.scalar_type() == type);
      worst =
          std::max({worst, difference(got, expected), difference(d, grad({expected}, {wide.logp}, {factor}, true)[0])});
    }
    return worst;
  };
  for (auto const type : {at::kDouble, at::kFloat}) {
    double const of_adpo = compare(prefopt::adpo{.tau = 0.4, .beta_reward = 0.6}, adpo, type);
    double const of_plackett_luce = compare(prefopt::plackett_luce{.beta = 0.7}, plackett_luce, type);
    double const of_real = compare(prefopt::real_loss{.tau = 0.4}, real, type);
    std::printf("torch, list losses against autograd in %s: adpo %.1e, plackett_luce %.1e, real %.1e\n",
                at::toString(type), of_adpo, of_plackett_luce, of_real);
    double const bound = type == at::kDouble ? 1e-12 : 1e-6;
    CHECK(of_adpo < bound);
    CHECK(of_plackett_luce < bound);
    CHECK(of_real < bound);
  }
}

TEST_CASE("torch: groups of any stride and type") {
  torch::manual_seed(3);
  auto const groups = trained(of_type(groups_for(prefopt::adpo{}, sizes), at::kFloat));
  auto const expected = torch_evaluate(prefopt::adpo{}, groups);
  at::Tensor const d_expected = grad({expected.loss}, {groups.logp})[0];

  auto other = groups;
  other.logp = torch::stack({groups.logp.detach(), torch::zeros_like(groups.logp)}, 1).select(1, 0);
  REQUIRE(other.logp.stride(0) == 2);
  other = trained(other);
  other.offsets = torch::stack({groups.offsets, -groups.offsets}, 1).select(1, 0).to(at::kInt);
  auto const seen = torch_evaluate(prefopt::adpo{}, other);
  CHECK(seen.loss.equal(expected.loss));
  CHECK(grad({seen.loss}, {other.logp})[0].equal(d_expected));

  auto half = groups;
  half.logp = groups.logp.detach().to(at::kHalf).requires_grad_();
  auto rounded = groups;
  rounded.logp = half.logp.detach().to(at::kFloat).requires_grad_();
  at::Tensor const d = grad({torch_evaluate(prefopt::adpo{}, half).loss}, {half.logp})[0];
  REQUIRE(d.scalar_type() == at::kHalf);
  CHECK(d.equal(grad({torch_evaluate(prefopt::adpo{}, rounded).loss}, {rounded.logp})[0].to(at::kHalf)));
}

TEST_CASE("torch: of groups only the policy's log-probs get gradients, once") {
  auto groups = groups_for(prefopt::adpo{}, sizes);
  for (auto const member : prefopt::detail::torch_columns<prefopt::list_family>::members) {
    if ((groups.*member).defined()) groups.*member = (groups.*member).detach().requires_grad_();
  }
  at::Tensor const loss = torch_evaluate(prefopt::adpo{}, groups).loss;
  at::Tensor const d = grad({loss}, {groups.logp}, {}, true, true)[0];
  CHECK(refusal([&] { d.sum().backward(); }).starts_with("prefopt::torch_evaluate: backward through the gradient"));
  loss.backward();
  CHECK(groups.logp.grad().defined());
  for (at::Tensor const& constant : {groups.ref_logp, groups.reward, groups.weight}) {
    CHECK_FALSE(constant.grad().defined());
  }
  torch::NoGradGuard const no_gradient;
  CHECK(torch_evaluate(prefopt::adpo{}, groups).loss.grad_fn() == nullptr);
}

TEST_CASE("torch: what cannot be groups is refused") {
  auto const groups = groups_for(prefopt::adpo{}, sizes);
  auto const refused = [&](auto const& change) {
    auto changed = groups;
    change(changed);
    return refusal([&] { torch_evaluate(prefopt::adpo{}, changed); });
  };
  CHECK(refused([](auto& g) {
          g.logp = g.logp.reshape({2, 17});
        }) == "prefopt::torch_evaluate: logp has the shape [2, 17], expected one dimension");
  CHECK(refused([](auto& g) { g.offsets = g.offsets.to(at::kFloat); }) ==
        "prefopt::torch_evaluate: offsets is of type Float, expected integers");
  CHECK(refused([](auto& g) { g.offsets = g.offsets.unsqueeze(0); }) ==
        "prefopt::torch_evaluate: offsets has the shape [1, 6], expected one dimension");
  CHECK(refused([](auto& g) {
          g.weight = at::Tensor{};
          g.offsets = g.offsets.slice(0, 0, 4);
        }) == "prefopt::evaluate: offsets end at 14, logp has 34 elements");
  CHECK(refused([](auto& g) { g.weight = torch::empty({0}); }) ==
        "prefopt::torch_evaluate: weight has 0 elements, logp has 34");
  CHECK(refused([](auto& g) { g.target = g.reward; }) ==
        "prefopt::evaluate: adpo needs one of the columns reward and target, got both");
  CHECK(refusal([&] {
          torch_evaluate(prefopt::adpo{}, groups, {.gradient = prefopt::gradient_write::accumulate});
        }).starts_with("prefopt::torch_evaluate: options.gradient is accumulate"));
}
