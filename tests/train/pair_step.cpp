// pair_step with a policy that is small enough to check by hand: logits per class, completions are bags of classes.
#include <Eigen/Core>
#include <catch.hpp>
#include <cmath>
#include <numeric>
#include <prefopt/adapter/eigen.hpp>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/moving_reference.hpp>
#include <random>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

constexpr Eigen::Index classes = 6;

/// Counts of each class in the chosen and the rejected completions, a row per pair.
struct bags {
  Eigen::MatrixXd chosen, rejected;
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(chosen.rows()); }
};

bags some_bags(Eigen::Index n) {
  std::mt19937 engine{9};
  bags data{Eigen::MatrixXd::Zero(n, classes), Eigen::MatrixXd::Zero(n, classes)};
  for (Eigen::Index i = 0; i < n; ++i) {
    for (unsigned t = 0; t < 4 + engine() % 4; ++t) {
      // Chosen completions lean to the first classes, rejected ones to the last.
      data.chosen(i, static_cast<Eigen::Index>(engine() % 4)) += 1;
      data.rejected(i, static_cast<Eigen::Index>(2 + engine() % 4)) += 1;
    }
  }
  return data;
}

/// log pi(bag) = counts . log softmax(logits).
struct softmax_policy {
  Eigen::VectorXd logits = Eigen::VectorXd::Zero(classes);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(classes);
  int lengths_asked = 0;

  [[nodiscard]] Eigen::VectorXd log_softmax() const { return logits.array() - std::log(logits.array().exp().sum()); }

  template <class T>
  void log_probs(bags const& batch, pair_log_probs<T> const& out) {
    Eigen::VectorXd const log_p = log_softmax();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto const row = static_cast<Eigen::Index>(i);
      out.chosen[i] = static_cast<T>(batch.chosen.row(row).dot(log_p));
      out.rejected[i] = static_cast<T>(batch.rejected.row(row).dot(log_p));
      if (!out.chosen_length.empty()) {
        ++lengths_asked;
        out.chosen_length[i] = static_cast<T>(batch.chosen.row(row).sum());
        out.rejected_length[i] = static_cast<T>(batch.rejected.row(row).sum());
      }
    }
  }
  template <class T>
  void log_probs(bags const& batch, pair_log_probs<T> const& out) const {
    softmax_policy{*this}.log_probs(batch, out);
  }

  template <class T>
  void backward(bags const& batch, pair_gradients<T> const& d) {
    Eigen::VectorXd const p = log_softmax().array().exp();
    gradient.setZero();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto const row = static_cast<Eigen::Index>(i);
      Eigen::VectorXd const counts = static_cast<double>(d.chosen[i]) * batch.chosen.row(row).transpose() +
                                     static_cast<double>(d.rejected[i]) * batch.rejected.row(row).transpose();
      gradient += counts - counts.sum() * p;
    }
  }
};

struct keeping_policy : softmax_policy {
  int forward_passes = 0;

  template <class T>
  void log_probs(bags const& batch, pair_log_probs<T> const& out) {
    ++forward_passes;
    softmax_policy::log_probs(batch, out);
  }
};

static_assert(pair_policy<softmax_policy, bags, float> && pair_policy<softmax_policy, bags, double>);
static_assert(pair_reference<frozen_reference<softmax_policy>, bags, double>);
static_assert(pair_reference<no_reference, bags, float> && pair_reference<no_reference const, bags, double>);
static_assert(pair_reference<stored_reference<double>, std::vector<int>, double>);
static_assert(!pair_policy<no_reference, bags, double> && !pair_reference<stored_reference<double>, bags, float>);

template <class T>
struct anchored_reference_counter {
  int calls = 0;
  template <class Batch>
  void log_probs(Batch const&, pair_log_probs<T> const& out) {
    ++calls;
    std::fill(out.chosen.begin(), out.chosen.end(), T(-1));
    std::fill(out.rejected.begin(), out.rejected.end(), T(-1));
  }
};

}  // namespace

TEMPLATE_TEST_CASE("training lowers every loss and raises the accuracy", "", float, double) {
  auto const data = some_bags(64);
  for (auto const& loss : {any_pair_loss{dpo{.beta = 0.5}}, any_pair_loss{simpo{}}, any_pair_loss{ipo_mean{}},
                           any_pair_loss{ln_dpo{}}, any_pair_loss{cpo{.sft = 0.01}}, any_pair_loss{hinge{}}}) {
    CAPTURE(loss.name());
    softmax_policy policy;
    frozen_reference const reference{policy};
    pair_step<TestType> step;
    double before = 0, after = 0;
    for (int i = 0; i < 60; ++i) {
      auto const seen = step(loss, policy, reference, data);
      if (i == 0) before = seen.loss;
      after = seen.loss;
      policy.logits -= 0.05 * policy.gradient;
    }
    CHECK(after < before);
    CHECK(step.forward(loss, policy, reference, data).accuracy > 0.9);
    CHECK((policy.lengths_asked > 0) == loss.needs(columns::length));
    CHECK(step.loss().size() == 64);
    CHECK(step.chosen().size() == 64);
    CHECK(step.posterior().empty());
  }
}

TEST_CASE("the gradient that reaches the policy is the finite difference of the step's loss") {
  auto const data = some_bags(7);
  softmax_policy policy;
  frozen_reference const reference{policy};
  policy.logits.setRandom();
  std::vector<double> const weight{1, 2, 0, 0.5, 1, 1, 3};
  pair_columns<double> const extra{.weight = weight};
  pair_step<double> step;
  auto const check = [&](auto const& loss) {
    step(loss, policy, reference, data, extra);
    Eigen::VectorXd const gradient = policy.gradient;
    for (Eigen::Index k = 0; k < classes; ++k) {
      auto const at = [&](double shift) {
        auto moved = policy;
        moved.logits(k) += shift;
        return step.forward(loss, moved, reference, data, extra).loss;
      };
      CHECK(std::fabs((at(1e-5) - at(-1e-5)) / 2e-5 - gradient(k)) < 1e-8);
    }
  };
  check(dpo{});
  check(simpo{});
  check(any_pair_loss{rdpo{}});
}

TEST_CASE("a reference is asked if the loss reads it, and only then") {
  auto const data = some_bags(5);
  softmax_policy policy;
  anchored_reference_counter<double> reference;
  pair_step<double> step;
  step(simpo{}, policy, reference, data);
  CHECK(reference.calls == 0);
  step(any_pair_loss{cpo{}}, policy, reference, data);
  CHECK(reference.calls == 0);
  step(dpo{}, policy, reference, data);
  CHECK(reference.calls == 1);
  step(any_pair_loss{dpo{}}, policy, reference, data);
  CHECK(reference.calls == 2);
  CHECK(policy.lengths_asked == 5);
  step.forward(cpo{}, policy, reference, some_bags(9));
  CHECK(step.loss().size() == 9);
}

TEST_CASE("without a reference an anchored loss is its reference-free form") {
  auto const data = some_bags(12);
  softmax_policy policy;
  policy.logits.setRandom();
  no_reference none;
  pair_step<double> step;
  auto const free = step(dpo{.beta = 0.2}, policy, none, data);
  auto const expected = step(cpo{.beta = 0.2}, policy, none, data);
  CHECK(free.loss == expected.loss);
  CHECK(free.chosen_reward == expected.chosen_reward);
}

TEST_CASE("a frozen reference is a copy: the margin starts at 0 and training does not move it") {
  auto const data = some_bags(20);
  softmax_policy policy;
  policy.logits.setRandom();
  frozen_reference const reference{policy};
  Eigen::VectorXd const start = policy.logits;
  pair_step<double> step;
  auto const first = step(dpo{}, policy, reference, data);
  CHECK(first.margin == 0);
  CHECK(first.accuracy == 0.5);
  CHECK(std::fabs(first.loss - std::log(2.0)) < 1e-15);
  policy.logits -= policy.gradient;
  step(dpo{}, policy, reference, data);
  CHECK(reference.policy().logits == start);
}

TEST_CASE("a stored reference gives whole batches in order and indexed ones by index") {
  std::vector<double> const chosen{-1, -2, -3}, rejected{-4, -5, -6};
  stored_reference<double> const stored{chosen, rejected};
  std::vector<double> a(3), b(3);
  struct three {
    [[nodiscard]] std::size_t size() const { return 3; }
  };
  stored.log_probs(three{}, pair_log_probs<double>{a, b, {}, {}});
  CHECK(a == chosen);
  CHECK(b == rejected);
  std::vector<int> const indices{2, 0};
  a.resize(2);
  b.resize(2);
  stored.log_probs(indices, pair_log_probs<double>{a, b, {}, {}});
  CHECK(a == std::vector<double>{-3, -1});
  CHECK(b == std::vector<double>{-6, -4});

  CHECK(refusal([&] {
          stored.log_probs(three{}, pair_log_probs<double>{a, b, {}, {}});
        }) == "prefopt::stored_reference: the batch has 2 pairs, stored are 3");
  std::vector<int> const beyond{0, 3}, negative{-1, 0}, too_many{0, 1, 2};
  a = b = {7, 7};
  CHECK(refusal([&] {
          stored.log_probs(too_many, pair_log_probs<double>{a, b, {}, {}});
        }) == "prefopt::stored_reference: the batch has 2 pairs, stored are 3");
  CHECK(refusal([&] {
          stored.log_probs(indices, pair_log_probs<double>{a, std::span{b}.first(1), {}, {}});
        }) == "prefopt::stored_reference: the batch has 1 pairs, stored are 2");
  CHECK(refusal([&] {
          stored.log_probs(beyond, pair_log_probs<double>{a, b, {}, {}});
        }) == "prefopt::stored_reference: index 3 of the batch, expected one below 3");
  CHECK(refusal([&] {
          stored.log_probs(negative, pair_log_probs<double>{a, b, {}, {}});
        }) == "prefopt::stored_reference: index -1 of the batch, expected one below 3");
  // None of the refused wrote anything, not even the indices before the one that was bad.
  CHECK(a == std::vector<double>{7, 7});
  CHECK(b == a);
  CHECK(refusal([&] {
          static_cast<void>(stored_reference<double>{column<double>{chosen}, column<double>{chosen.data(), 2}});
        }) == "prefopt::stored_reference: rejected has 2 elements, chosen has 3");
}

TEST_CASE("columns that come with the data reach the loss; wrong ones are refused") {
  auto const data = some_bags(4);
  softmax_policy policy;
  frozen_reference const reference{policy};
  pair_step<double> step;
  std::vector<double> const eta{0.9, 0.8, 0.7, 0.6}, three(3, 1.0);
  auto const seen = step(lcpo<dpo>{}, policy, reference, data, {.reliability = eta});
  CHECK(seen.count == 4);
  // At a margin of 0 the posterior is the prior.
  REQUIRE(step.posterior().size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::fabs(step.posterior()[i] - eta[i]) < 1e-15);
  CHECK(refusal([&] { step(lcpo<dpo>{}, policy, reference, data); }) ==
        "prefopt::evaluate: lcpo<dpo> needs the column reliability, which is not given");
  CHECK(refusal([&] { step(dpo{}, policy, reference, data, {.reliability = eta}); }) ==
        "prefopt::evaluate: dpo does not read the column reliability, which is given");
  CHECK(refusal([&] { step(dpo{}, policy, reference, data, {.weight = three}); }) ==
        "prefopt::evaluate: weight has 3 elements, chosen has 4");
  CHECK(refusal([&] { step(dpo{.beta = -1}, policy, reference, data); }) ==
        "prefopt::dpo: beta is -1, expected a finite number > 0");
}

TEST_CASE("an error leaves the policy without a backward call") {
  auto const data = some_bags(4);
  softmax_policy policy;
  policy.gradient.setConstant(42);
  no_reference none;
  pair_step<double> step;
  std::vector<double> const bad{1, 1, -1, 1};
  CHECK(refusal([&] { step(dpo{}, policy, none, data, {.weight = bad}); }) ==
        "prefopt::evaluate: weight[2] is -1, expected a finite number >= 0");
  CHECK((policy.gradient.array() == 42).all());
}

TEST_CASE("a step's gradients are of its own batch: nothing is accumulated") {
  auto const data = some_bags(6);
  softmax_policy policy;
  no_reference none;
  pair_step<double> step;
  step(dpo{}, policy, none, data);
  Eigen::VectorXd const once = policy.gradient;
  step(dpo{}, policy, none, data);
  CHECK(policy.gradient == once);
  CHECK(refusal([&] { step(dpo{}, policy, none, data, {}, {.gradient = gradient_write::accumulate}); }) ==
        "prefopt::pair_step: options.gradient is accumulate, expected assign: the policy adds up gradients itself");
  CHECK(policy.gradient == once);
}

TEST_CASE("a policy whose forward pass keeps something can be a reference") {
  auto const data = some_bags(3);
  keeping_policy policy;
  policy.logits.setLinSpaced(0, 1);
  frozen_reference frozen{policy};
  moving_reference moving{policy, copy_every{}};
  static_assert(pair_reference<decltype(frozen), bags, double> &&
                !pair_reference<decltype(frozen) const, bags, double>);
  static_assert(pair_reference<decltype(moving), bags, double> &&
                !pair_reference<decltype(moving) const, bags, double>);
  pair_step<double> step;
  CHECK(step(dpo{}, policy, frozen, data).margin == 0);
  CHECK(step(dpo{}, policy, moving, data).margin == 0);
  CHECK(frozen.policy().forward_passes == 1);
  CHECK(moving.policy().forward_passes == 1);
}

TEST_CASE("an empty batch is a step over nothing") {
  auto const data = some_bags(0);
  softmax_policy policy;
  no_reference none;
  pair_step<float> step;
  CHECK(step(dpo{}, policy, none, data).count == 0);
  CHECK(policy.gradient.isZero());
}
