// Losses from logits through libtorch, against torch's log_softmax and gather and its autograd.
#include "torch_catch.hpp"

#include <cmath>
#include <cstdio>
#include <prefopt/adapter/torch.hpp>
#include <prefopt/prefopt.hpp>
#include <string>

#include "refusal.hpp"

using prefopt::torch_evaluate;
using prefopt::torch_log_probs;
using prefopt::torch_logits;

namespace {

constexpr std::int64_t sequences = 6, tokens = 7, vocabulary = 37;

/// Labels with a prompt of ignored ones in front, and some at the end, in each sequence as many as the others or more.
at::Tensor random_labels() {
  at::Tensor const labels = torch::randint(0, vocabulary, {sequences, tokens}, at::kLong);
  for (std::int64_t i = 0; i < sequences; ++i) {
    labels[i].slice(0, 0, 1 + i % 2).fill_(-100);
    labels[i].slice(0, tokens - i % 3, tokens).fill_(-100);
  }
  return labels;
}

at::Tensor random_logits(at::ScalarType type) {
  return (3 * torch::randn({sequences, tokens, vocabulary}, at::kDouble)).to(type);
}

/// Torch's own: the log-probs of each sequence.
at::Tensor by_torch(at::Tensor const& logits, at::Tensor const& labels) {
  at::Tensor const counts = labels != -100;
  at::Tensor const each =
      torch::log_softmax(logits, -1).gather(-1, torch::where(counts, labels, 0).unsqueeze(-1)).squeeze(-1);
  return torch::where(counts, each, torch::zeros({}, each.options())).sum(-1);
}

/// As far as rounding goes, the logits and the gradient by them in double.
struct wide_logits {
  at::Tensor logits;
  explicit wide_logits(at::Tensor const& given) : logits{given.detach().to(at::kDouble).requires_grad_()} {}
};

double bound(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 1e-6 : type == at::kBFloat16 ? 1.01 / 256 : 1.01 / 2048;
}

}  // namespace

TEST_CASE("torch: log-probs and gradients from logits are autograd's") {
  torch::manual_seed(1);
  at::Tensor const labels = random_labels(), factor = torch::randn({sequences}, at::kDouble);
  for (auto const type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
    INFO(at::toString(type));
    at::Tensor const logits = random_logits(type).requires_grad_();
    wide_logits const wide{logits};
    at::Tensor const expected = by_torch(wide.logits, labels);
    at::Tensor const d_expected = grad({expected}, {wide.logits}, {factor})[0];

    auto const [log_prob, length] = torch_log_probs({.logits = logits, .labels = labels});
    auto const computed = type == at::kDouble ? at::kDouble : at::kFloat;
    REQUIRE(log_prob.scalar_type() == computed);
    double const log_prob_difference = difference(log_prob, expected);
    CHECK(log_prob_difference < bound(computed));
    CHECK(length.equal((labels != -100).sum(-1).to(computed)));
    CHECK_FALSE(length.requires_grad());
    at::Tensor const d = grad({log_prob}, {logits}, {factor.to(computed)})[0];
    REQUIRE(d.scalar_type() == type);
    double const gradient_difference = difference(d, d_expected);
    CHECK(gradient_difference < bound(type));
    std::printf("torch, log-probs from logits against autograd in %s: %.1e, gradients %.1e\n", at::toString(type),
                log_prob_difference, gradient_difference);
  }
}

TEST_CASE("torch: logits in any layout") {
  torch::manual_seed(2);
  at::Tensor const labels = random_labels(), factor = torch::randn({sequences}, at::kDouble);
  at::Tensor const values = random_logits(at::kDouble).requires_grad_();
  at::Tensor const expected = torch_log_probs({.logits = values, .labels = labels}).log_prob;
  at::Tensor const d_expected = grad({expected}, {values}, {factor})[0];
  auto const check = [&](at::Tensor const& whole, auto const& view_of, torch_logits as = {}) {
    at::Tensor const leaf = whole.detach().clone(at::MemoryFormat::Preserve).requires_grad_();
    as.logits = view_of(leaf);
    if (!as.labels.defined()) as.labels = labels;
    at::Tensor const got = torch_log_probs(as).log_prob;
    CHECK(got.equal(expected));
    at::Tensor const d = grad({got}, {leaf}, {factor})[0];
    REQUIRE(d.sizes() == leaf.sizes());
    CHECK(view_of(d).reshape_as(d_expected).equal(d_expected));
    // Nothing beside what the view shows.
    double const sum = d_expected.abs().sum().item<double>();
    CHECK(std::abs(d.abs().sum().item<double>() - sum) <= 1e-13 * sum);
  };
  at::Tensor const row = torch::zeros({sequences, 1, vocabulary}, at::kDouble);
  SECTION("without the last row of each sequence") {
    check(torch::cat({values, row}, 1), [](at::Tensor const& x) { return x.slice(1, 0, tokens); });
  }
  SECTION("sequences beside each other") {
    check(values.transpose(0, 1).contiguous(), [](at::Tensor const& x) { return x.transpose(0, 1); });
  }
  SECTION("in a wider table") {
    check(torch::cat({values, torch::ones({sequences, tokens, 3}, at::kDouble)}, 2),
          [](at::Tensor const& x) { return x.slice(2, 0, vocabulary); });
  }
  SECTION("the vocabulary not next to each other, which takes a copy") {
    check(values.transpose(1, 2).contiguous(), [](at::Tensor const& x) { return x.transpose(1, 2); });
  }
  SECTION("one behind the other") {
    at::Tensor const offsets = torch::arange(sequences + 1) * tokens;
    check(values.reshape({-1, vocabulary}), [](at::Tensor const& x) { return x; },
          {.labels = labels.reshape(-1).to(at::kInt), .offsets = offsets});
    check(torch::cat({values, values}, 2).reshape({-1, 2 * vocabulary}),
          [](at::Tensor const& x) { return x.slice(1, 0, vocabulary); },
          {.labels = labels.reshape(-1), .offsets = offsets.to(at::kInt)});
  }
  SECTION("labels of another stride and with another mark") {
    at::Tensor const marked = torch::where(labels == -100, -1, labels);
    check(values, [](at::Tensor const& x) { return x; }, {.labels = marked.t().contiguous().t(), .ignore_index = -1});
  }
}

TEST_CASE("torch: what is marked as negated is read negated") {
  torch::manual_seed(9);
  at::Tensor const logits = random_logits(at::kDouble), labels = random_labels();
  at::Tensor const factor = torch::randn({sequences}, at::kDouble), leaf = logits.detach().clone().requires_grad_();
  at::Tensor const expected = torch_log_probs({.logits = leaf, .labels = labels}).log_prob;
  at::Tensor const d_expected = grad({expected}, {leaf}, {factor})[0];
  at::Tensor const negated = (-logits).requires_grad_();
  at::Tensor const got = torch_log_probs({.logits = at::_neg_view(negated), .labels = at::_neg_view(-labels)}).log_prob;
  CHECK(got.equal(expected));
  CHECK(grad({got}, {negated}, {at::_neg_view(-factor)})[0].equal(-d_expected));
}

TEST_CASE("torch: one token a sequence, one sequence, none") {
  torch::manual_seed(3);
  for (std::vector<std::int64_t> const& shape :
       std::vector<std::vector<std::int64_t>>{{4, 1, 5}, {1, 4, 5}, {0, 4, 5}, {3, 0, 5}, {1, 1, 1}}) {
    INFO(at::IntArrayRef{shape});
    for (bool const transposed : {false, true}) {
      at::Tensor const logits =
          torch::randn(transposed ? std::vector{shape[1], shape[0], shape[2]} : shape, at::kDouble).requires_grad_();
      at::Tensor const view = transposed ? logits.transpose(0, 1) : logits;
      at::Tensor const labels = torch::randint(0, shape[2], {shape[0], shape[1]}, at::kLong);
      at::Tensor const got = torch_log_probs({.logits = view, .labels = labels}).log_prob;
      at::Tensor const expected = by_torch(view, labels);
      CHECK(difference(got, expected) < 1e-12);
      CHECK(difference(grad({got.sum()}, {logits})[0], grad({expected.sum()}, {logits})[0]) < 1e-12);
    }
  }
}

TEST_CASE("torch: pair losses from logits") {
  torch::manual_seed(4);
  at::Tensor const labels = random_labels();
  at::Tensor const reference = by_torch(random_logits(at::kDouble), labels);
  // Sequence 1 is in two pairs, sequence 4 in none.
  at::Tensor const chosen = integers({0, 1, 1}), rejected = integers({3, 2, 5}).to(at::kInt);
  at::Tensor const weight = torch::tensor({0.5, 2.0, 1.0}, at::kDouble);
  for (auto const type : {at::kDouble, at::kFloat}) {
    at::Tensor const logits = random_logits(type).requires_grad_();
    wide_logits const wide{logits};
    at::Tensor const log_prob = by_torch(wide.logits, labels);
    at::Tensor const length = (labels != -100).sum(-1);
    auto const at = [](at::Tensor const& values, at::Tensor const& index) {
      return values.index_select(0, index.to(at::kLong));
    };
    at::Tensor const mean = log_prob / length;
    at::Tensor const by_simpo = -weight * torch::log_sigmoid(2 * (at(mean, chosen) - at(mean, rejected)) - 1);
    torch_logits const policy{.logits = logits, .labels = labels};
    for (auto const reduction : {prefopt::reduction::mean, prefopt::reduction::none}) {
      auto const check = [&](prefopt::torch_loss const& seen, at::Tensor const& each) {
        at::Tensor const expected = reduction == prefopt::reduction::mean ? each.sum() / weight.sum() : each;
        at::Tensor const factor = torch::randn_like(expected);
        REQUIRE(seen.loss.scalar_type() == type);
        CHECK(difference(seen.loss, expected) < bound(type));
        at::Tensor const d = grad({seen.loss}, {logits}, {factor.to(type)})[0];
        CHECK(difference(d, grad({expected}, {wide.logits}, {factor}, true)[0]) < bound(type));
        CHECK(d[4].count_nonzero().item<std::int64_t>() == 0);
        CHECK(difference(seen.log_prob, log_prob) < bound(type));
        CHECK(seen.length.equal(length.to(type)));
      };
      check(torch_evaluate(prefopt::dpo{.beta = 0.3}, policy,
                           {.chosen = chosen,
                            .rejected = rejected,
                            .ref_log_prob = reference.to(type).requires_grad_(),
                            .weight = weight.to(type)},
                           {.reduction = reduction}),
            -weight * torch::log_sigmoid(0.3 * (at(log_prob - reference.to(type).to(at::kDouble), chosen) -
                                                at(log_prob - reference.to(type).to(at::kDouble), rejected))));
      check(
          torch_evaluate(prefopt::simpo{}, policy, {.chosen = chosen, .rejected = rejected, .weight = weight.to(type)},
                         {.reduction = reduction}),
          by_simpo);
    }
    // Without indices the first half against the second, and the likelihood of the chosen as a term of one's own.
    auto const seen = torch_evaluate(prefopt::dpo{.beta = 0.3}, policy, {.ref_log_prob = reference.to(type)});
    at::Tensor const got = seen.loss - 0.1 * seen.log_prob.slice(0, 0, 3).sum();
    at::Tensor const halves = log_prob - reference.to(type).to(at::kDouble);
    at::Tensor const expected = -torch::log_sigmoid(0.3 * (halves.slice(0, 0, 3) - halves.slice(0, 3, 6))).mean() -
                                0.1 * log_prob.slice(0, 0, 3).sum();
    CHECK(difference(got, expected) < bound(type));
    CHECK(difference(grad({got}, {logits})[0], grad({expected}, {wide.logits})[0]) < bound(type));
  }
}

TEST_CASE("torch: sequences that are named, and none of them, are no pairs") {
  at::Tensor const logits = random_logits(at::kFloat).requires_grad_(), none = torch::empty({0}, at::kLong);
  auto const seen = torch_evaluate(prefopt::cpo{}, {.logits = logits, .labels = random_labels()},
                                   prefopt::torch_policy_pairs{.chosen = none, .rejected = none});
  CHECK(seen.report.count == 0);
  CHECK(seen.loss.item<float>() == 0);
  CHECK(grad({seen.loss}, {logits})[0].count_nonzero().item<std::int64_t>() == 0);
}

TEST_CASE("torch: list losses from logits") {
  torch::manual_seed(5);
  at::Tensor const labels = random_labels();
  at::Tensor const reference = by_torch(random_logits(at::kDouble), labels);
  at::Tensor const reward = torch::randn({sequences}, at::kDouble), offsets = integers({0, 2, 6});
  at::Tensor const length = (labels != -100).sum(-1);
  for (auto const type : {at::kDouble, at::kFloat}) {
    for (bool const per_token : {false, true}) {
      at::Tensor const logits = random_logits(type).requires_grad_();
      wide_logits const wide{logits};
      auto const seen = torch_evaluate(
          prefopt::adpo{.tau = 0.4, .beta_reward = 0.6}, {.logits = logits, .labels = labels},
          {.offsets = offsets, .ref_log_prob = reference.to(type), .reward = reward.to(type), .per_token = per_token},
          {.reduction = prefopt::reduction::none});
      at::Tensor score = by_torch(wide.logits, labels) - reference.to(type).to(at::kDouble);
      if (per_token) score = score / length;
      at::Tensor const rounded = reward.to(type).to(at::kDouble);
      auto const group = [&](std::int64_t begin, std::int64_t end) {
        return -(torch::softmax(rounded.slice(0, begin, end) / 0.6, 0) *
                 torch::log_softmax(score.slice(0, begin, end) / 0.4, 0))
                    .sum();
      };
      at::Tensor const expected = torch::stack({group(0, 2), group(2, 6)}), factor = torch::randn_like(expected);
      CHECK(difference(seen.loss, expected) < 4 * bound(type));
      at::Tensor const d = grad({seen.loss}, {logits}, {factor.to(type)})[0];
      CHECK(difference(d, grad({expected}, {wide.logits}, {factor})[0]) < 4 * bound(type));
      CHECK(seen.length.equal(length.to(type)));
    }
  }
}

TEST_CASE("torch: rows with weights add up to their weighted sums, and so do their gradients") {
  torch::manual_seed(14);
  at::Tensor const labels = random_labels(), factor = torch::randn({sequences}, at::kDouble);
  // What lies beyond the third token counts less, as LD-DPO has it.
  at::Tensor const weight = torch::where(torch::arange(tokens) < 3, 1.0, 0.25).to(at::kDouble).repeat({sequences, 1});
  at::Tensor const counts = labels != -100;
  for (auto const type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    INFO(at::toString(type));
    at::Tensor const logits = random_logits(type).requires_grad_();
    wide_logits const wide{logits};
    at::Tensor const each =
        torch::log_softmax(wide.logits, -1).gather(-1, torch::where(counts, labels, 0).unsqueeze(-1)).squeeze(-1);
    at::Tensor const expected = torch::where(counts, each * weight, torch::zeros({}, each.options())).sum(-1);
    at::Tensor const d_expected = grad({expected}, {wide.logits}, {factor})[0];
    auto const computed = type == at::kDouble ? at::kDouble : at::kFloat;
    for (bool const is_packed : {false, true}) {
      torch_logits given{.logits = logits, .labels = labels, .weight = weight.to(type)};
      if (is_packed) {
        given = {.logits = logits.reshape({-1, vocabulary}),
                 .labels = labels.reshape(-1),
                 .offsets = torch::arange(sequences + 1) * tokens,
                 .weight = weight.reshape(-1)};
      }
      auto const [log_prob, length] = torch_log_probs(given);
      CHECK(difference(log_prob, expected) < bound(computed));
      // Weights are no tokens.
      CHECK(length.equal(counts.sum(-1).to(computed)));
      CHECK(difference(grad({log_prob}, {logits}, {factor.to(computed)})[0], d_expected) < bound(type));
    }
  }
  // A loss of weighted sums; rows that are not evenly apart; weights of 1 that change no bit.
  at::Tensor const logits = random_logits(at::kDouble).transpose(0, 1).contiguous().transpose(0, 1);
  at::Tensor const plain = torch_log_probs({.logits = logits, .labels = labels}).log_prob;
  CHECK(torch_log_probs({.logits = logits, .labels = labels, .weight = torch::ones({sequences, tokens}, at::kLong)})
            .log_prob.equal(plain));
  auto const seen = torch_evaluate(prefopt::cpo{}, torch_logits{.logits = logits, .labels = labels, .weight = weight},
                                   prefopt::torch_policy_pairs{});
  at::Tensor const sums = seen.log_prob, margin = sums.slice(0, 0, sequences / 2) - sums.slice(0, sequences / 2);
  CHECK(difference(seen.loss, torch::softplus(-0.1 * margin).mean()) < 1e-12);

  auto const refused = [&](at::Tensor const& wrong) {
    return refusal([&] { torch_log_probs({.logits = logits, .labels = labels, .weight = wrong}); });
  };
  CHECK(refused(weight.slice(1, 1)) == "prefopt::torch_log_probs: weight has the shape [6, 6], labels has [6, 7]");
  CHECK(refused(weight.to(at::kComplexDouble)) ==
        "prefopt::torch_log_probs: weight is of type ComplexDouble, expected real numbers");
}

TEST_CASE("torch: logits get their gradient once, and only if they require it") {
  torch::manual_seed(6);
  at::Tensor const labels = random_labels(), logits = random_logits(at::kFloat).requires_grad_();
  at::Tensor const log_prob = torch_log_probs({.logits = logits, .labels = labels}).log_prob;
  at::Tensor const d = grad({log_prob.sum()}, {logits}, {}, true, true)[0];
  CHECK(refusal([&] { d.square().sum().backward(); }).starts_with("prefopt::torch_evaluate: backward through the"));

  // Logits that have been changed before backward are an error of torch's.
  at::Tensor const changed = logits * 1;
  at::Tensor const sum = torch_log_probs({.logits = changed, .labels = labels}).log_prob.sum();
  changed.mul_(2);
  CHECK(torch_refuses([&] { sum.backward(); }));
  // So are labels and offsets, which backward reads where the caller has them.
  at::Tensor const packed = logits.detach().reshape({-1, vocabulary}).requires_grad_();
  for (bool const is_label : {false, true}) {
    at::Tensor const own = labels.reshape(-1).clone(), offsets = torch::arange(sequences + 1) * tokens;
    at::Tensor const total = torch_log_probs({.logits = packed, .labels = own, .offsets = offsets}).log_prob.sum();
    (is_label ? own : offsets).fill_(1);
    CHECK(torch_refuses([&] { total.backward(); }));
  }

  CHECK_FALSE(torch_log_probs({.logits = logits.detach(), .labels = labels}).log_prob.requires_grad());
  torch::NoGradGuard const no_gradient;
  CHECK(torch_log_probs({.logits = logits, .labels = labels}).log_prob.grad_fn() == nullptr);
}

TEST_CASE("torch: an executor runs both passes") {
  torch::manual_seed(7);
  at::Tensor const labels = torch::randint(0, 50000, {4, 3}, at::kLong);
  at::Tensor const logits = torch::randn({4, 3, 50000}).requires_grad_();
  std::size_t parts = 0;
  auto run = [&](std::size_t count, prefopt::executor::task const& task) {
    parts += count;
    for (std::size_t i = count; i > 0; --i) task(i - 1);
  };
  at::Tensor const serial = torch_log_probs({.logits = logits, .labels = labels}).log_prob;
  at::Tensor const got = torch_log_probs({.logits = logits, .labels = labels}, run).log_prob;
  std::size_t const forward = parts;
  CHECK(forward > 4);
  CHECK(got.equal(serial));
  CHECK(grad({got.sum()}, {logits})[0].equal(grad({serial.sum()}, {logits})[0]));
  CHECK(parts > forward);
}

TEST_CASE("torch: of an error the other ranks are told, once and before the loss is added up") {
  std::vector<double> told;
  auto const other_ranks = [&](std::span<double> values) { told.push_back(values[0]); };
  prefopt::options const options{.all_reduce = other_ranks};
  at::Tensor const logits = torch::randn({4, 3, 5}), labels = torch::randint(0, 5, {4, 3}, at::kLong);
  at::Tensor const values = torch::randn({4}), offsets = torch::tensor({0, 4}, at::kLong);
  at::Tensor const matrix = torch::randn({2, 2});
  prefopt::torch_pairs const pairs{.chosen = values, .rejected = values};
  prefopt::torch_groups const groups{.logp = values, .reward = values, .offsets = offsets};
  auto wrong_pairs = pairs;
  wrong_pairs.weight = matrix;
  auto wrong_groups = groups;
  wrong_groups.reward = matrix;

  torch_evaluate(prefopt::cpo{}, pairs, options);
  torch_evaluate(prefopt::adpo{}, groups, options);
  torch_evaluate(prefopt::cpo{}, {.logits = logits, .labels = labels}, prefopt::torch_policy_pairs{}, options);
  torch_evaluate(prefopt::adpo{}, {.logits = logits, .labels = labels},
                 prefopt::torch_policy_groups{.offsets = offsets, .reward = values}, options);
  CHECK(told == std::vector<double>(4, 0.0));
  told.clear();
  CHECK_THROWS(torch_evaluate(prefopt::cpo{}, wrong_pairs, options));
  CHECK_THROWS(torch_evaluate(prefopt::adpo{}, wrong_groups, options));
  CHECK_THROWS(
      torch_evaluate(prefopt::cpo{}, {.logits = logits, .labels = matrix}, prefopt::torch_policy_pairs{}, options));
  CHECK_THROWS(torch_evaluate(prefopt::adpo{}, {.logits = logits, .labels = labels},
                              prefopt::torch_policy_groups{.offsets = offsets, .reward = matrix}, options));
  CHECK(told == std::vector<double>(4, 1.0));
}

TEST_CASE("torch: what cannot be logits, labels or pairs of sequences is refused") {
  torch::manual_seed(8);
  torch_logits const given{.logits = random_logits(at::kFloat), .labels = random_labels()};
  auto const refused = [&](auto const& change) {
    torch_logits changed = given;
    change(changed);
    return refusal([&] { torch_log_probs(changed); });
  };
  CHECK(refused([](auto& l) { l.logits = at::Tensor{}; }) == "prefopt::torch_log_probs: logits is not given");
  CHECK(refused([](auto& l) { l.labels = at::Tensor{}; }) == "prefopt::torch_log_probs: labels is not given");
  CHECK(refused([](auto& l) { l.logits = l.logits.to(at::kInt); }) ==
        "prefopt::torch_log_probs: logits is of type Int, expected float32, float64, float16 or bfloat16");
  CHECK(refused([](auto& l) {
          l.logits = torch::empty({6, 7, 37}, at::kMeta);
        }) == "prefopt::torch_log_probs: logits is on the device meta and has no numbers");
  CHECK(refused([](auto& l) { l.logits = l.logits[0][0]; }) ==
        "prefopt::torch_log_probs: logits has the shape [37], expected [sequences, tokens, vocabulary], or [tokens, "
        "vocabulary] and offsets");
  CHECK(refused([](auto& l) { l.labels = l.labels.t(); }) ==
        "prefopt::torch_log_probs: labels has the shape [7, 6], expected one a row of logits, which has the shape [6, "
        "7, 37]");
  CHECK(refused([](auto& l) { l.labels = l.labels.to(at::kFloat); }) ==
        "prefopt::torch_log_probs: labels is of type Float, expected integers");
  CHECK(refused([](auto& l) {
          l.offsets = integers({0, 42});
        }) == "prefopt::torch_log_probs: offsets is given, which logits of three dimensions do without");
  CHECK(refused([](auto& l) {
          l.logits = l.logits.reshape({42, 37});
          l.labels = l.labels.reshape(-1);
        }) == "prefopt::torch_log_probs: offsets is not given, which logits of two dimensions need");
  CHECK(refused([](auto& l) {
          l.logits = l.logits.reshape({42, 37});
          l.labels = l.labels.reshape(-1);
          l.offsets = integers({0, 41});
        }) == "prefopt::torch_log_probs: offsets[1] is 41, expected 42, the number of rows");
  CHECK(refused([](auto& l) {
          l.labels = l.labels.clone();
          l.labels[5][2] = 37;
        }) == "prefopt::torch_log_probs: labels[37] is 37, expected a token in [0, 37) or -100, which is ignored");

  auto const pairs_refused = [&](prefopt::torch_policy_pairs const& pairs, prefopt::options const& options = {}) {
    return refusal([&] { torch_evaluate(prefopt::dpo{}, given, pairs, options); });
  };
  at::Tensor const reference = torch::zeros({sequences});
  CHECK(pairs_refused({}) == "prefopt::torch_evaluate: the loss needs ref_log_prob, which is not given");
  CHECK(pairs_refused({.ref_log_prob = torch::zeros({3})}) ==
        "prefopt::torch_evaluate: ref_log_prob has 3 elements, there are 6 sequences");
  CHECK(pairs_refused({.chosen = integers({0}), .rejected = integers({6}), .ref_log_prob = reference}) ==
        "prefopt::evaluate: rejected[0] is 6, expected a sequence in [0, 6)");
  CHECK(pairs_refused({.chosen = torch::zeros({1}), .rejected = integers({1}), .ref_log_prob = reference}) ==
        "prefopt::torch_evaluate: chosen is of type Float, expected integers");
  CHECK(pairs_refused({.ref_log_prob = reference, .weight = torch::ones({2})}) ==
        "prefopt::evaluate: weight has 2 elements, chosen has 3");
  CHECK(pairs_refused({.ref_log_prob = reference}, {.gradient = prefopt::gradient_write::accumulate})
            .starts_with("prefopt::torch_evaluate: options.gradient is accumulate"));

  // A completion without a token.
  torch_logits empty = given;
  empty.labels = given.labels.clone();
  empty.labels[2].fill_(-100);
  CHECK(refusal([&] { torch_evaluate(prefopt::dpo{}, empty, {.ref_log_prob = reference}); }) ==
        "prefopt::evaluate: pair 2 has a completion of length 0, which options.empty calls an error");
  prefopt::torch_policy_groups const groups{
      .offsets = integers({0, 6}), .ref_log_prob = reference, .reward = torch::arange(6)};
  CHECK(refusal([&] { torch_evaluate(prefopt::adpo{}, empty, groups); }) ==
        "prefopt::evaluate: sequence 2 has no token, which options.empty = error forbids");
  CHECK(torch_evaluate(prefopt::adpo{}, empty, groups, {.empty = prefopt::on_invalid::propagate}).report.count == 1);
}

TEST_CASE("torch: scaled, capped and tempered logits are torch's own, and so are their gradients") {
  torch::manual_seed(9);
  at::Tensor const labels = random_labels(), factor = torch::randn({sequences}, at::kDouble);
  prefopt::logit_transform const by{.scale = 1.5, .soft_cap = 4, .temperature = 0.7};
  for (auto const type : {at::kDouble, at::kFloat}) {
    INFO(at::toString(type));
    at::Tensor const logits = random_logits(type).requires_grad_();
    wide_logits const wide{logits};
    at::Tensor const expected =
        by_torch(by.soft_cap * torch::tanh(by.scale * wide.logits / by.soft_cap) / by.temperature, labels);
    at::Tensor const got = torch_log_probs({.logits = logits, .labels = labels, .transform = by}).log_prob;
    double const allowed = 20 * bound(type);
    CHECK((got.to(at::kDouble) - expected).abs().max().item<double>() < allowed);
    (got.to(at::kDouble) * factor).sum().backward();
    (expected * factor).sum().backward();
    CHECK((logits.grad().to(at::kDouble) - wide.logits.grad()).abs().max().item<double>() < allowed);
  }
  CHECK(refusal([&] {
          torch_log_probs({.logits = random_logits(at::kFloat), .labels = labels, .transform = {.temperature = 0}});
        }).find("temperature is 0, expected a finite number > 0") != std::string::npos);
}
