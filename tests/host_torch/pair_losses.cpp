// Every pair loss through libtorch: against differences of the loss itself and torch's autograd of the same formulas.
#include "torch_catch.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <prefopt/adapter/torch.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/prefopt.hpp>
#include <string>

#include "refusal.hpp"
#include "reward_task.hpp"

using prefopt::torch_evaluate;
using prefopt::torch_pairs;

namespace {

/// Losses of every kind of columns, and every modifier over dpo: torch knows a loss by its columns alone.
std::vector<prefopt::any_pair_loss> every_pair_loss() {
  using namespace prefopt;
  std::vector<any_pair_loss> all{dpo{},        cdpo{},          rdpo{},        ipo{},           ipo_mean{},   simpo{},
                                 ln_dpo{},     hinge{},         cpo{},         bradley_terry{}, rpo_bwd_kl{}, r_dpo{},
                                 tdpo{},       nca_pair{},      mallows_dpo{}, apo_zero{},      orpo{},       tpo_l{},
                                 cost_model{}, rationale_dpo{}, cauchy_dpo{},  beta_dpo{.a = 0}};
  prefopt::modifiers_of<prefopt::dpo>::type::for_each([&]<class M> { all.push_back(M{}); });
  return all;
}

at::Tensor log_probs(std::int64_t n) { return -60 + 8 * torch::rand({n}, at::kDouble); }
at::Tensor lengths(std::int64_t n) { return torch::randint(5, 40, {n}, at::kDouble); }

/// With a weight and whatever the loss reads, in double.
torch_pairs pairs_for(prefopt::any_pair_loss const& loss, std::int64_t n) {
  torch_pairs pairs{.chosen = log_probs(n), .rejected = log_probs(n)};
  if (loss.reads(prefopt::columns::reference)) {
    pairs.ref_chosen = log_probs(n);
    pairs.ref_rejected = log_probs(n);
  }
  if (loss.reads(prefopt::columns::length)) {
    pairs.chosen_length = lengths(n);
    pairs.rejected_length = lengths(n);
  }
  if (loss.reads(prefopt::columns::margin)) pairs.margin = torch::rand({n}, at::kDouble);
  if (loss.reads(prefopt::columns::label)) pairs.label = torch::rand({n}, at::kDouble);
  if (loss.reads(prefopt::columns::reliability)) pairs.reliability = torch::rand({n}, at::kDouble);
  for (std::size_t c = prefopt::pair_family::target; c < prefopt::pair_family::input_count; ++c) {
    if (!loss.reads(prefopt::pair_family::inputs<double>[c].kind)) continue;
    pairs.*prefopt::detail::torch_columns<prefopt::pair_family>::members[c] = 0.5 + torch::rand({n}, at::kDouble);
  }
  pairs.weight = 0.5 + torch::rand({n}, at::kDouble);
  return pairs;
}

template <class F>
torch_pairs each(torch_pairs pairs, F const& f) {
  for (auto const member : prefopt::detail::torch_columns<prefopt::pair_family>::members) {
    if ((pairs.*member).defined()) pairs.*member = f(pairs.*member);
  }
  return pairs;
}

torch_pairs of_type(torch_pairs const& pairs, at::ScalarType type) {
  return each(pairs, [=](at::Tensor const& column) { return column.to(type); });
}

torch_pairs trained(torch_pairs pairs) {
  for (at::Tensor* const column : {&pairs.chosen, &pairs.rejected}) *column = column->detach().requires_grad_();
  return pairs;
}

/// dpo's columns.
torch_pairs anchored_pairs(std::int64_t n) { return pairs_for(prefopt::dpo{}, n); }

}  // namespace

TEST_CASE("torch: the gradient of every pair loss is the difference of the loss") {
  torch::manual_seed(1);
  constexpr double step = 1e-5;
  double worst = 0, worst_in_float = 0;
  for (auto const& loss : every_pair_loss()) {
    INFO(loss.name());
    // Of an expectation whose posterior is held constant the gradient is not the difference: see below.
    if (loss.has_posterior()) continue;
    auto const pairs = trained(pairs_for(loss, 37));
    auto const seen = torch_evaluate(loss, pairs);
    REQUIRE(seen.loss.dim() == 0);
    REQUIRE(seen.loss.scalar_type() == at::kDouble);
    CHECK(seen.loss.item<double>() == seen.report.loss);
    CHECK_FALSE(seen.posterior.defined());
    auto const d = grad({-2.5 * seen.loss}, {pairs.chosen, pairs.rejected});

    auto const losses = [&](double chosen, double rejected) {
      torch::NoGradGuard const no_gradient;
      auto moved = pairs;
      moved.chosen = moved.chosen + chosen;
      moved.rejected = moved.rejected + rejected;
      return torch_evaluate(loss, moved, {.reduction = prefopt::reduction::none}).loss;
    };
    at::Tensor const scale = -2.5 / (2 * step * pairs.weight.sum());
    worst = std::max(worst, difference(d[0], (losses(step, 0) - losses(-step, 0)) * scale));
    worst = std::max(worst, difference(d[1], (losses(0, step) - losses(0, -step)) * scale));

    auto const in_float = trained(of_type(pairs, at::kFloat));
    auto const seen_in_float = torch_evaluate(loss, in_float);
    REQUIRE(seen_in_float.loss.scalar_type() == at::kFloat);
    auto const d_in_float = grad({-2.5 * seen_in_float.loss}, {in_float.chosen, in_float.rejected});
    REQUIRE(d_in_float[0].scalar_type() == at::kFloat);
    worst_in_float = std::max({worst_in_float, difference(d_in_float[0], d[0]), difference(d_in_float[1], d[1])});
  }
  std::printf("torch, every pair loss: gradient against differences %.1e, float against double %.1e\n", worst,
              worst_in_float);
  CHECK(worst < 1e-7);
  CHECK(worst_in_float < 1e-4);
}

TEST_CASE("torch: pair losses are what autograd makes of their formulas") {
  torch::manual_seed(2);
  struct formula {
    prefopt::any_pair_loss loss;
    std::function<at::Tensor(torch_pairs const&)> each_loss;
  };
  auto const anchored = [](torch_pairs const& p) { return (p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected); };
  std::vector<formula> const formulas{
      {prefopt::dpo{.beta = 0.3}, [&](auto const& p) { return -torch::log_sigmoid(0.3 * anchored(p)); }},
      {prefopt::ipo{.tau = 0.2}, [&](auto const& p) { return torch::square(anchored(p) - 2.5); }},
      {prefopt::hinge{.beta = 0.25}, [&](auto const& p) { return torch::relu(1 - 0.25 * anchored(p)); }},
      {prefopt::simpo{.beta = 2, .gamma = 0.7},
       [](auto const& p) {
         return -torch::log_sigmoid(2 * (p.chosen / p.chosen_length - p.rejected / p.rejected_length) - 0.7);
       }},
      {prefopt::cpo{.beta = 0.2, .sft = 0.5},
       [](auto const& p) { return -torch::log_sigmoid(0.2 * (p.chosen - p.rejected)) - 0.5 * p.chosen; }},
      {prefopt::bradley_terry{.temperature = 3, .center = 0.01}, [](auto const& p) {
         return -torch::log_sigmoid((p.chosen - p.rejected - p.margin) / 3) +
                0.01 * torch::square(p.chosen + p.rejected);
       }}};
  for (auto const type : {at::kDouble, at::kFloat}) {
    double worst_loss = 0, worst_gradient = 0;
    for (auto const& [loss, each_loss] : formulas) {
      INFO(loss.name());
      auto const pairs = trained(of_type(pairs_for(loss, 61), type));
      // Autograd loses digits of some gradients in float: it is given double.
      auto const wide = trained(of_type(pairs, at::kDouble));
      for (auto const reduction : {prefopt::reduction::mean, prefopt::reduction::sum, prefopt::reduction::none}) {
        at::Tensor expected = wide.weight * each_loss(wide);
        if (reduction == prefopt::reduction::mean) expected = expected.sum() / wide.weight.sum();
        if (reduction == prefopt::reduction::sum) expected = expected.sum();
        at::Tensor const got = torch_evaluate(loss, pairs, {.reduction = reduction}).loss;
        REQUIRE(got.scalar_type() == type);
        worst_loss = std::max(worst_loss, difference(got, expected));
        // A different factor for every loss.
        at::Tensor const factor = torch::randn_like(expected);
        auto const d = grad({got}, {pairs.chosen, pairs.rejected}, {factor.to(type)});
        auto const d_expected = grad({expected}, {wide.chosen, wide.rejected}, {factor});
        for (std::size_t i : {0U, 1U}) {
          REQUIRE(d[i].scalar_type() == type);
          worst_gradient = std::max(worst_gradient, difference(d[i], d_expected[i]));
        }
      }
    }
    double const bound = type == at::kDouble ? 1e-12 : 1e-6;
    std::printf("torch, pair losses against autograd in %s: loss %.1e, gradient %.1e\n", at::toString(type), worst_loss,
                worst_gradient);
    CHECK(worst_loss < bound);
    CHECK(worst_gradient < bound);
  }
}

TEST_CASE("torch: lcpo is the expectation of autograd with the posterior held constant") {
  torch::manual_seed(9);
  auto const check = [](prefopt::any_pair_loss const& loss, auto const& gap_of) {
    INFO(loss.name());
    auto const pairs = trained(pairs_for(loss, 61));
    at::Tensor const gap = gap_of(pairs);
    at::Tensor const posterior = torch::sigmoid(gap + torch::logit(pairs.reliability)).detach();
    at::Tensor const expected =
        -(pairs.weight * (posterior * torch::log_sigmoid(gap) + (1 - posterior) * torch::log_sigmoid(-gap))).sum();
    auto const seen = torch_evaluate(loss, pairs, {.reduction = prefopt::reduction::sum});
    CHECK(difference(seen.posterior, posterior) < 1e-12);
    CHECK_FALSE(seen.posterior.requires_grad());
    CHECK(difference(seen.loss, expected) < 1e-12);
    auto const d = grad({seen.loss}, {pairs.chosen, pairs.rejected});
    auto const d_expected = grad({expected}, {pairs.chosen, pairs.rejected});
    CHECK(difference(d[0], d_expected[0]) < 1e-12);
    CHECK(difference(d[1], d_expected[1]) < 1e-12);
  };
  check(prefopt::lcpo<prefopt::dpo>{.base = {.beta = 0.2}},
        [](torch_pairs const& p) { return 0.2 * ((p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected)); });
  check(prefopt::lcpo<prefopt::simpo>{.base = {.beta = 2, .gamma = 0.5}}, [](torch_pairs const& p) {
    at::Tensor const u = 2 * (p.chosen / p.chosen_length - p.rejected / p.rejected_length);
    return torch::log_sigmoid(u - 0.5) - torch::log_sigmoid(-u - 0.5);
  });
}

TEST_CASE("torch: columns of any stride are read where they lie") {
  torch::manual_seed(3);
  auto const pairs = trained(anchored_pairs(29));
  auto const expected = torch_evaluate(prefopt::dpo{}, pairs);
  auto const d_expected = grad({expected.loss}, {pairs.chosen, pairs.rejected});

  // Each column the second of three columns of a table.
  auto strided = each(pairs, [](at::Tensor const& column) {
    return torch::stack({torch::full_like(column, 7), column.detach(), torch::full_like(column, 9)}, 1).select(1, 1);
  });
  REQUIRE(strided.chosen.stride(0) == 3);
  strided = trained(strided);
  auto const seen = torch_evaluate(prefopt::dpo{}, strided);
  CHECK(seen.loss.equal(expected.loss));
  auto const d = grad({seen.loss}, {strided.chosen, strided.rejected});
  CHECK(d[0].equal(d_expected[0]));
  CHECK(d[1].equal(d_expected[1]));
  CHECK(seen.chosen_reward.equal(expected.chosen_reward));

  // One value for all, which gets the sum of the gradients.
  at::Tensor const shared = torch::full({1}, -55.0, at::kDouble).requires_grad_();
  auto repeated = pairs;
  repeated.chosen = shared.expand({29});
  REQUIRE(repeated.chosen.stride(0) == 0);
  auto copied = pairs;
  copied.chosen = repeated.chosen.detach().contiguous().requires_grad_();
  at::Tensor const d_shared = grad({torch_evaluate(prefopt::dpo{}, repeated).loss}, {shared})[0];
  at::Tensor const d_copied = grad({torch_evaluate(prefopt::dpo{}, copied).loss}, {copied.chosen})[0];
  CHECK(difference(d_shared, d_copied.sum().reshape({1})) < 1e-14);
}

TEST_CASE("torch: half types come in and go out") {
  torch::manual_seed(4);
  for (auto const type : {at::kHalf, at::kBFloat16}) {
    INFO(at::toString(type));
    auto const half = trained(of_type(anchored_pairs(33), type));
    auto const same_in_float = trained(of_type(half, at::kFloat));
    auto const seen = torch_evaluate(prefopt::dpo{}, half), expected = torch_evaluate(prefopt::dpo{}, same_in_float);
    REQUIRE(seen.loss.scalar_type() == at::kFloat);
    CHECK(seen.loss.equal(expected.loss));
    // A factor as a gradient scaler's: what would be 0 in half is not, since scaling comes before rounding.
    double const factor = 4096;
    auto const d = grad({seen.loss * factor}, {half.chosen, half.rejected});
    auto const d_expected = grad({expected.loss * factor}, {same_in_float.chosen, same_in_float.rejected});
    REQUIRE(d[0].scalar_type() == type);
    CHECK(d[0].equal(d_expected[0].to(type)));
    CHECK(d[1].equal(d_expected[1].to(type)));
  }
}

TEST_CASE("torch: one column of float64 makes everything float64, and gradients keep the types of their columns") {
  torch::manual_seed(5);
  auto mixed = of_type(pairs_for(prefopt::simpo{}, 21), at::kFloat);
  mixed.chosen_length = mixed.chosen_length.to(at::kLong);
  mixed.rejected_length = mixed.rejected_length.to(at::kByte);
  mixed.rejected = mixed.rejected.to(at::kDouble);
  mixed = trained(mixed);
  auto const wide = trained(of_type(mixed, at::kDouble));
  auto const seen = torch_evaluate(prefopt::simpo{}, mixed), expected = torch_evaluate(prefopt::simpo{}, wide);
  REQUIRE(seen.loss.scalar_type() == at::kDouble);
  CHECK(seen.loss.equal(expected.loss));
  auto const d = grad({seen.loss}, {mixed.chosen, mixed.rejected});
  auto const d_expected = grad({expected.loss}, {wide.chosen, wide.rejected});
  REQUIRE(d[0].scalar_type() == at::kFloat);
  REQUIRE(d[1].scalar_type() == at::kDouble);
  CHECK(d[0].equal(d_expected[0].to(at::kFloat)));
  CHECK(d[1].equal(d_expected[1]));
}

TEST_CASE("torch: only log-probs of the policy that require gradients get them") {
  torch::manual_seed(6);
  auto pairs = each(anchored_pairs(9), [](at::Tensor const& column) { return column.detach().requires_grad_(); });
  pairs.rejected = pairs.rejected.detach();
  torch_evaluate(prefopt::dpo{}, pairs).loss.backward();
  CHECK(pairs.chosen.grad().defined());
  for (auto const member : prefopt::detail::torch_columns<prefopt::pair_family>::members) {
    if (member == &torch_pairs::chosen || !(pairs.*member).defined()) continue;
    CHECK_FALSE((pairs.*member).grad().defined());
  }

  auto const frozen = each(pairs, [](at::Tensor const& column) { return column.detach(); });
  CHECK_FALSE(torch_evaluate(prefopt::dpo{}, frozen).loss.requires_grad());
  auto anchors = frozen;
  anchors.ref_chosen = anchors.ref_chosen.detach().clone().requires_grad_();
  CHECK_FALSE(torch_evaluate(prefopt::dpo{}, anchors).loss.requires_grad());
  torch::NoGradGuard const no_gradient;
  auto const seen = torch_evaluate(prefopt::dpo{}, pairs);
  CHECK_FALSE(seen.loss.requires_grad());
  CHECK(seen.loss.grad_fn() == nullptr);
  CHECK_FALSE(seen.chosen_reward.requires_grad());
}

TEST_CASE("torch: further columns get the gradients that the loss has by them") {
  torch::manual_seed(6);
  using f = prefopt::pair_family;
  constexpr auto& members = prefopt::detail::torch_columns<f>::members;
  std::size_t seen_columns = 0;
  for (auto const& loss : every_pair_loss()) {
    INFO(loss.name());
    constexpr std::int64_t n = 21;
    auto const pairs = each(pairs_for(loss, n), [](at::Tensor const& column) { return column.requires_grad_(); });
    (3 * torch_evaluate(loss, pairs).loss).backward();

    prefopt::pair_batch<double> batch{};
    for (std::size_t c = 0; c < f::input_count; ++c) {
      batch.*f::inputs<double>[c].values = prefopt::detail::view<double>(pairs.*members[c]);
    }
    for (std::size_t c = f::weight; c < f::input_count; ++c) {
      at::Tensor const& column = pairs.*members[c];
      if (!column.defined()) continue;
      INFO(f::inputs<double>[c].name);
      std::vector<double> expected(n);
      prefopt::pair_outputs<double> outputs{};
      for (std::size_t r = 0; r < f::output_count; ++r) {
        auto const& row = f::results<double>[r];
        bool const is_written = (loss.facts().writes >> r & 1U) != 0;
        if (is_written && row.gradient_of == static_cast<int>(c)) outputs.*row.values = expected;
      }
      prefopt::evaluate(loss, batch, outputs);
      bool const has_gradient = std::any_of(f::results<double>.begin(), f::results<double>.end(),
                                            [&](auto const& row) { return !(outputs.*row.values).empty(); });
      REQUIRE(column.grad().defined() == has_gradient);
      if (!has_gradient) continue;
      ++seen_columns;
      CHECK(column.grad().equal(3 * torch::tensor(expected, at::kDouble)));
    }
  }
  CHECK(seen_columns >= 6);

  // Learned margins: what autograd makes of the same formula.
  auto const pairs = trained(pairs_for(prefopt::bradley_terry{}, 8));
  auto learned = pairs;
  learned.margin = torch::randn({8}, at::kDouble).requires_grad_();
  auto const d = grad({torch_evaluate(prefopt::bradley_terry{}, learned).loss}, {learned.margin});
  at::Tensor const each_loss = -torch::log_sigmoid(learned.chosen - learned.rejected - learned.margin);
  at::Tensor const formula = (each_loss * learned.weight).sum() / learned.weight.sum();
  CHECK(difference(d[0], grad({formula}, {learned.margin})[0]) < 1e-14);
}

TEST_CASE("torch: options reach the loss") {
  torch::manual_seed(7);
  auto pairs = trained(anchored_pairs(8));
  at::Tensor const whole = torch_evaluate(prefopt::dpo{}, pairs, {.reduction = prefopt::reduction::sum}).loss;
  auto const part = torch_evaluate(prefopt::dpo{}, pairs, {.denominator = 32.0});
  CHECK(difference(part.loss, whole / 32) < 1e-14);
  CHECK(difference(grad({part.loss}, {pairs.chosen})[0], grad({whole}, {pairs.chosen})[0] / 32) < 1e-14);

  auto const bad = pairs.chosen.detach().clone();
  bad[3] = std::numeric_limits<double>::quiet_NaN();
  pairs.chosen = bad.requires_grad_();
  auto const seen = torch_evaluate(prefopt::dpo{}, pairs, {.non_finite = prefopt::on_invalid::skip});
  CHECK(seen.report.skipped == 1);
  at::Tensor const d = grad({seen.loss}, {pairs.chosen})[0];
  CHECK(d[3].item<double>() == 0);
  CHECK(d.isfinite().all().item<bool>());
}

TEST_CASE("torch: the gradient is differentiated once") {
  auto const pairs = trained(anchored_pairs(4));
  at::Tensor const loss = torch_evaluate(prefopt::dpo{}, pairs).loss;
  auto const d = grad({loss}, {pairs.chosen, pairs.rejected}, {}, true, true);
  CHECK(d[0].equal(grad({loss}, {pairs.chosen}, {}, true)[0]));
  std::string const expected =
      "prefopt::torch_evaluate: backward through the gradient of a loss, expected backward through the loss alone: "
      "second derivatives are not known";
  CHECK(refusal([&] { d[0].square().sum().backward(); }) == expected);
  CHECK(refusal([&] { (loss + d[1].sum()).backward(); }) == expected);
  // What has been used up is an error of torch's, as for its own functions.
  at::Tensor const again = torch_evaluate(prefopt::dpo{}, pairs).loss;
  again.backward();
  CHECK(torch_refuses([&] { again.backward(); }));
}

TEST_CASE("torch: what cannot be a batch of pairs is refused") {
  auto const pairs = anchored_pairs(4);
  auto const refused = [&](auto const& change, prefopt::options const& options = {}) {
    auto changed = pairs;
    change(changed);
    return refusal([&] { torch_evaluate(prefopt::dpo{}, changed, options); });
  };
  CHECK(refused([](auto& p) { p.chosen = p.chosen.unsqueeze(1); }) ==
        "prefopt::torch_evaluate: chosen has the shape [4, 1], expected one dimension");
  CHECK(refused([](auto& p) { p.weight = torch::tensor(1.0); }) ==
        "prefopt::torch_evaluate: weight has the shape [], expected one dimension");
  CHECK(refused([](auto& p) { p.ref_chosen = torch::zeros({4}, at::kComplexDouble); }) ==
        "prefopt::torch_evaluate: ref_chosen is of type ComplexDouble, expected real numbers");
  CHECK(refused([](auto& p) { p.rejected = p.rejected.to_sparse(); }) ==
        "prefopt::torch_evaluate: rejected is sparse, expected a strided tensor");
  CHECK(refused([](auto& p) { p.rejected = torch::empty({4}, at::kMeta); }) ==
        "prefopt::torch_evaluate: rejected is on the device meta and has no numbers");
  CHECK(refused([](auto&) {}, {.gradient = prefopt::gradient_write::accumulate}) ==
        "prefopt::torch_evaluate: options.gradient is accumulate, expected assign: torch adds up gradients itself");
  CHECK(refused([](auto& p) { p.rejected = p.rejected.slice(0, 0, 3); }) ==
        "prefopt::evaluate: rejected has 3 elements, chosen has 4");
  CHECK(refused([](auto& p) { p.ref_chosen = at::Tensor{}; }) ==
        "prefopt::evaluate: dpo needs the column ref_chosen, which is not given");
  CHECK(refused([](auto& p) { p.margin = p.chosen; }) ==
        "prefopt::evaluate: dpo does not read the column margin, which is given");
  CHECK(refused([](auto& p) { p.weight = -p.weight; }).starts_with("prefopt::evaluate: weight[0] is -"));
  CHECK(refusal([&] { torch_evaluate(prefopt::dpo{.beta = -1}, pairs); }) ==
        "prefopt::dpo: beta is -1, expected a finite number > 0");
  // A tensor that is given and empty is not one that is not given.
  CHECK(refused([](auto& p) { p.weight = torch::empty({0}); }) ==
        "prefopt::torch_evaluate: weight has 0 elements, chosen has 4");
  CHECK(refused([](auto& p) { p.reliability = torch::empty({0}); }) ==
        "prefopt::torch_evaluate: reliability has 0 elements, chosen has 4");
  CHECK(refused([](auto& p) { p = {.rejected = torch::empty({0}).requires_grad_()}; }) ==
        "prefopt::torch_evaluate: chosen is not given, rejected is");

  at::Tensor const none = torch::empty({0}).requires_grad_();
  auto const seen = torch_evaluate(prefopt::bradley_terry{}, {.chosen = none, .rejected = none});
  CHECK(seen.loss.item<double>() == 0);
  seen.loss.backward();
  CHECK(none.grad().numel() == 0);
}

TEST_CASE("torch: a reward model learns the common task") {
  torch::manual_seed(8);
  reward_task const task;
  auto const features = [](std::vector<reward_task::pair> const& pairs, auto member) {
    at::Tensor const rows = torch::empty({static_cast<std::int64_t>(pairs.size()), reward_task::features});
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      auto const& values = pairs[i].*member;
      std::copy(values.begin(), values.end(), rows.data_ptr<float>() + i * values.size());
    }
    return rows;
  };
  auto model = torch::nn::Linear(reward_task::features, 1);
  auto const rewards = [&](at::Tensor const& rows) { return model(rows).squeeze(1); };
  auto const evaluated = [&](std::vector<reward_task::pair> const& pairs) {
    return torch_evaluate(prefopt::bradley_terry{},
                          {.chosen = rewards(features(pairs, &reward_task::pair::chosen)),
                           .rejected = rewards(features(pairs, &reward_task::pair::rejected))});
  };
  torch::optim::Adam optimizer{model->parameters(), 0.05};
  double const before = evaluated(task.held_out).report.loss;
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    evaluated(task.train).loss.backward();
    optimizer.step();
  }
  auto const after = evaluated(task.held_out).report;
  std::printf("torch, reward model: loss %.4f -> %.4f, held-out accuracy %.3f\n", before, after.loss, after.accuracy);
  CHECK(after.accuracy > 0.95);
}
