// list_step with a policy that is small enough to check by hand, every reference, and every schedule of a moving one.
#include <Eigen/Core>
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <oracle/bits.hpp>
#include <oracle/same_reports.hpp>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <span>
#include <special_numbers.hpp>
#include <string>
#include <string_view>
#include <vector>

using namespace prefopt;

namespace {

any_list_loss made(std::string_view name, parameter_values const& values = {}) { return make_list_loss(name, values); }

using oracle::same_bits;

bool same_bits(std::vector<double> const& a, std::vector<double> const& b) {
  return std::ranges::equal(a, b, [](double x, double y) { return oracle::same_bits(x, y); });
}

constexpr Eigen::Index classes = 5;

/// Counts of each class in the candidates, a row each; group g has its rows from offsets[g] on.
struct bags {
  Eigen::MatrixXd counts;
  std::vector<int> offsets;
};

bags some_bags(std::vector<int> const& sizes) {
  bags data{{}, {0}};
  for (int const size : sizes) data.offsets.push_back(data.offsets.back() + size);
  data.counts = Eigen::MatrixXd::Zero(data.offsets.back(), classes);
  oracle::random_numbers random{9};
  for (Eigen::Index i = 0; i < data.counts.rows(); ++i) {
    for (std::uint64_t t = 0; t < 3 + random.bits() % 4; ++t) {
      data.counts(i, static_cast<Eigen::Index>(random.bits() % classes)) += 1;
    }
  }
  return data;
}

/// Rewards by how many of the last class a candidate has; all different.
std::vector<double> rewards_of(bags const& data) {
  std::vector<double> reward;
  for (Eigen::Index i = 0; i < data.counts.rows(); ++i) {
    reward.push_back(data.counts(i, classes - 1) - data.counts(i, 0) + 0.01 * static_cast<double>(i));
  }
  return reward;
}

/// log pi(bag) = counts . log softmax(logits).
struct softmax_policy {
  std::vector<double> logits = std::vector<double>(classes, 0.0);
  Eigen::VectorXd gradient = Eigen::VectorXd::Constant(classes, 42);
  mutable int forwards = 0, lengths_asked = 0;
  int backwards = 0;

  [[nodiscard]] Eigen::VectorXd log_softmax() const {
    Eigen::Map<Eigen::VectorXd const> const z{logits.data(), classes};
    return z.array() - std::log(z.array().exp().sum());
  }

  template <class T>
  void log_probs(bags const& batch, list_log_probs<T> const& out) const {
    ++forwards;
    Eigen::VectorXd const log_p = log_softmax();
    for (std::size_t i = 0; i < out.logp.size(); ++i) {
      auto const row = static_cast<Eigen::Index>(i);
      out.logp[i] = static_cast<T>(batch.counts.row(row).dot(log_p));
      if (!out.length.empty()) out.length[i] = static_cast<T>(batch.counts.row(row).sum());
    }
    if (!out.length.empty()) ++lengths_asked;
  }

  template <class T>
  void backward(bags const& batch, list_gradients<T> const& d) {
    ++backwards;
    Eigen::VectorXd const p = log_softmax().array().exp();
    gradient.setZero();
    for (std::size_t i = 0; i < d.logp.size(); ++i) {
      Eigen::VectorXd const counts =
          static_cast<double>(d.logp[i]) * batch.counts.row(static_cast<Eigen::Index>(i)).transpose();
      gradient += counts - counts.sum() * p;
    }
  }

  std::vector<std::span<double>> parameters() { return {std::span{logits}.first(2), std::span{logits}.subspan(2)}; }
  [[nodiscard]] std::vector<std::span<double const>> parameters() const {
    return {std::span{logits}.first(2), std::span{logits}.subspan(2)};
  }
};

struct counting_reference {
  int calls = 0;
  std::size_t lengths = 0;
  template <class Batch, class T>
  void log_probs(Batch const&, list_log_probs<T> const& out) {
    ++calls;
    lengths += out.length.size();
    std::fill(out.logp.begin(), out.logp.end(), T(-1));
  }
};

static_assert(list_policy<softmax_policy, bags, float> && list_policy<softmax_policy, bags, double>);
static_assert(list_reference<no_reference, bags, float> && list_reference<no_reference const, bags, double>);
static_assert(list_reference<frozen_reference<softmax_policy>, bags, double>);
static_assert(list_reference<self_reference<softmax_policy>, bags, double>);
static_assert(list_reference<moving_reference<softmax_policy, copy_every>, bags, double>);
static_assert(list_reference<stored_list_reference<double>, std::vector<int>, double>);
static_assert(!list_policy<no_reference, bags, double> && !list_reference<stored_list_reference<double>, bags, float>);
static_assert(has_parameters<softmax_policy> && has_parameters<softmax_policy const> && !has_parameters<no_reference>);

/// Two numbers, averaged in float.
struct pair_of_floats {
  std::vector<std::vector<float>> numbers;
  std::vector<std::vector<float>>& parameters() { return numbers; }
  [[nodiscard]] std::vector<std::vector<float>> const& parameters() const { return numbers; }
};

template <class Schedule>
std::string refused_schedule(Schedule const& schedule) {
  return refusal([&] { moving_reference const anchor{softmax_policy{}, schedule}; });
}

}  // namespace

TEMPLATE_TEST_CASE("training lowers list losses and raises the accuracy", "", float, double) {
  using T = TestType;
  auto const data = some_bags({4, 3, 5, 2, 4, 4, 70, 6});
  auto const reward = rewards_of(data);
  std::vector<T> const rewards(reward.begin(), reward.end());
  for (auto const& loss : {made("plackett_luce"), made("adpo"), made("pro", {{"sft", 0.001}}), made("rank_dpo"),
                           made("best_versus_worst"), made("adpo_ranked")}) {
    CAPTURE(loss.name());
    softmax_policy policy;
    frozen_reference const reference{policy};
    list_step<T> step;
    double before = 0, after = 0;
    for (int i = 0; i < 80; ++i) {
      auto const seen = step(loss, policy, reference, data, {.offsets = data.offsets, .reward = rewards});
      if (i == 0) before = seen.loss;
      after = seen.loss;
      for (Eigen::Index k = 0; k < classes; ++k) {
        policy.logits[static_cast<std::size_t>(k)] -= 0.5 / (1 + policy.gradient.norm()) * policy.gradient(k);
      }
    }
    CHECK(after < before);
    CHECK(policy.backwards == 80);
    auto const seen = step.forward(loss, policy, reference, data, {.offsets = data.offsets, .reward = rewards});
    CHECK(policy.backwards == 80);
    CHECK(seen.accuracy > 0.75);
    CHECK((policy.lengths_asked > 0) == loss.needs(columns::length));
    CHECK(step.loss().size() == 8);
    CHECK(step.logp().size() == 98);
    CHECK(step.ref_logp().size() == (loss.reads(columns::reference) ? 98 : 0));
  }
}

TEST_CASE("the gradient that reaches the policy is the finite difference of the list step's loss") {
  auto const data = some_bags({4, 1, 3, 66});
  auto const reward = rewards_of(data);
  softmax_policy policy;
  frozen_reference const reference{policy};
  // Of which no two means agree: that would be a kink of rrhf.
  policy.logits = {0.31415, -0.42713, 0.10207, 0.93131, -0.21759};
  std::vector<double> const weight{1, 2, 0.5, 0.25};
  for (bool const per_token : {false, true}) {
    for (auto const& loss : {made("plackett_luce"), made("adpo"), made("pro"), made("rrhf"), made("adpo_kde")}) {
      CAPTURE(loss.name(), per_token);
      list_step<double> step;
      list_columns<double> const columns{
          .offsets = data.offsets, .reward = reward, .weight = weight, .per_token = per_token};
      step(loss, policy, reference, data, columns);
      Eigen::VectorXd const gradient = policy.gradient;
      for (std::size_t k = 0; k < classes; ++k) {
        auto const at = [&](double shift) {
          auto moved = policy;
          moved.logits[k] += shift;
          return step.forward(loss, moved, reference, data, columns).loss;
        };
        double const slope = (at(1e-6) - at(-1e-6)) / 2e-6;
        CHECK(std::fabs(slope - gradient(static_cast<Eigen::Index>(k))) < 1e-6 * std::max(1.0, std::fabs(slope)));
      }
    }
  }
}

TEST_CASE("a list step gives the loss what it reads: reference, lengths, the host's columns") {
  auto const data = some_bags({4, 3});
  auto const reward = rewards_of(data);
  std::vector<double> target(7, 0.25), weight{2, 3};
  softmax_policy policy;
  counting_reference reference;
  list_step<double> step;
  list_columns<double> const plain{.offsets = data.offsets, .reward = reward};
  step(made("pro"), policy, reference, data, plain);
  CHECK(reference.calls == 0);
  CHECK(policy.lengths_asked == 1);
  CHECK(step.ref_logp().empty());
  step(made("plackett_luce"), policy, reference, data, plain);
  CHECK(reference.calls == 1);
  CHECK(reference.lengths == 0);
  CHECK(policy.lengths_asked == 1);
  for (double const x : step.ref_logp()) CHECK(x == -1);
  auto per_token = plain;
  per_token.per_token = true;
  step(made("plackett_luce"), policy, reference, data, per_token);
  CHECK(policy.lengths_asked == 2);
  no_reference none;
  step(made("plackett_luce"), policy, none, data, plain);
  CHECK(step.ref_logp().empty());
  no_reference const constant_none;
  step(made("plackett_luce"), policy, constant_none, data, plain);
  CHECK(step.ref_logp().empty());
  // Without backward.
  int const backwards = policy.backwards;
  auto const seen = step.forward(made("adpo"), policy, reference, data,
                                 {.offsets = data.offsets, .target = target, .weight = weight});
  CHECK(policy.backwards == backwards);
  CHECK(seen.weight == 5);

  // The same numbers by hand.
  std::vector<double> logp(7), ref(7, -1.0), d_logp(7), losses(2), length(7);
  policy.log_probs(data, list_log_probs<double>{logp, length});
  auto const by_hand = evaluate(
      made("adpo"),
      list_batch<double>{
          .logp = logp, .ref_logp = ref, .length = length, .target = target, .weight = weight, .offsets = data.offsets},
      {.loss = losses, .d_logp = d_logp}, {.reduction = reduction::sum});
  auto const stepped = step(made("adpo"), policy, reference, data,
                            {.offsets = data.offsets, .target = target, .weight = weight, .per_token = true},
                            {.reduction = reduction::sum});
  CHECK(same_bits(stepped, by_hand));
  CHECK(same_bits(std::vector<double>(step.loss().begin(), step.loss().end()), losses));
  CHECK(same_bits(std::vector<double>(step.logp().begin(), step.logp().end()), logp));
  auto other = policy;
  other.backward(data, list_gradients<double>{d_logp});
  CHECK(other.gradient == policy.gradient);
}

TEST_CASE("a list step's gradients are of its own batch: nothing is accumulated") {
  auto const data = some_bags({4, 3});
  auto const smaller = some_bags({2});
  auto const reward = rewards_of(data), less = rewards_of(smaller);
  softmax_policy policy;
  no_reference none;
  list_step<double> step;
  list_columns<double> const columns{.offsets = data.offsets, .reward = reward};
  step(made("plackett_luce"), policy, none, data, columns);
  Eigen::VectorXd const once = policy.gradient;
  step(made("plackett_luce"), policy, none, data, columns);
  CHECK(policy.gradient == once);
  CHECK(refusal([&] {
          step(made("plackett_luce"), policy, none, data, columns, {.gradient = gradient_write::accumulate});
        }) ==
        "prefopt::list_step: options.gradient is accumulate, expected assign: the policy adds up gradients itself");
  CHECK(policy.gradient == once);
  // A smaller batch between them leaves nothing behind.
  step(made("pro"), policy, none, smaller, {.offsets = smaller.offsets, .reward = less});
  CHECK(step.loss().size() == 1);
  CHECK(step.logp().size() == 2);
  step(made("plackett_luce"), policy, none, data, columns);
  CHECK(policy.gradient == once);
  // None at all.
  std::vector<int> const no_group{0};
  auto const empty = some_bags({});
  CHECK(step(made("plackett_luce"), policy, none, empty, {.offsets = no_group}).count == 0);
  CHECK(policy.gradient.isZero());
}

TEST_CASE("an error in a list step leaves the policy without a backward call") {
  auto const data = some_bags({4, 3});
  auto const reward = rewards_of(data);
  softmax_policy policy;
  no_reference none;
  list_step<double> step;
  auto const refused = [&](any_list_loss const& loss, list_columns<double> const& columns) {
    return refusal([&] { step(loss, policy, none, data, columns); });
  };
  std::vector<double> const bad{1, -1};
  std::vector<int> const negative{0, 4, -7}, falling{0, 9, 7};
  CHECK(refused(made("plackett_luce"), {.offsets = data.offsets, .reward = reward, .weight = bad}) ==
        "prefopt::evaluate: weight[1] is -1, expected a finite number >= 0");
  CHECK(refused(made("plackett_luce"), {.reward = reward}) ==
        "prefopt::list_step: offsets is empty, expected the number of groups + 1 entries");
  CHECK(refused(made("plackett_luce"), {.offsets = negative, .reward = reward}) ==
        "prefopt::list_step: offsets end at -7, expected a number >= 0");
  CHECK(refused(made("plackett_luce"), {.offsets = falling, .reward = reward}) ==
        "prefopt::list_step: offsets[1] is 9, expected a number from 0 to 7");
  // Before memory is taken for so many.
  std::vector<std::int64_t> const wild{0, std::int64_t{1} << 60}, wilder{0, std::numeric_limits<std::int64_t>::max()};
  CHECK(refused(made("plackett_luce"), {.offsets = wild, .reward = reward}) ==
        "prefopt::list_step: reward has 7 elements, offsets end at 1152921504606846976");
  CHECK(refused(made("plackett_luce"), {.offsets = wild, .target = reward}) ==
        "prefopt::list_step: target has 7 elements, offsets end at 1152921504606846976");
  CHECK(refused(made("plackett_luce"), {.offsets = wilder}) ==
        "prefopt::list_step: offsets end at 9223372036854775807, expected as many candidates as fit into memory");
  CHECK(refused(made("pro"), {.offsets = data.offsets}) ==
        "prefopt::evaluate: pro needs the column reward, which is not given");
  CHECK(refused(made("plackett_luce"), {.offsets = data.offsets, .reward = reward, .target = reward}) ==
        "prefopt::evaluate: plackett_luce does not read the column target, which is given");
  CHECK((policy.gradient.array() == 42).all());
  CHECK(policy.backwards == 0);
}

TEST_CASE("the anchors: none is uniform, the policy itself a ratio of 0, a frozen one stays") {
  auto const data = some_bags({4, 3});
  auto const reward = rewards_of(data);
  softmax_policy policy;
  policy.logits = {0.3, -0.4, 0.1, 0.9, -0.2};
  list_step<double> step;
  list_columns<double> const columns{.offsets = data.offsets, .reward = reward};
  auto const loss = made("adpo");
  no_reference none;
  step(loss, policy, none, data, columns);
  std::vector<double> const logp(step.logp().begin(), step.logp().end());
  std::vector<double> losses(2);
  evaluate(loss, list_batch<double>{.logp = logp, .reward = reward, .offsets = data.offsets}, {.loss = losses});
  CHECK(same_bits(std::vector<double>(step.loss().begin(), step.loss().end()), losses));

  self_reference self{policy};
  step(loss, policy, self, data, columns);
  CHECK(same_bits(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()), logp));
  CHECK(std::fabs(step.loss()[0] - std::log(4.0)) < 1e-15);
  CHECK(std::fabs(step.loss()[1] - std::log(3.0)) < 1e-15);
  policy.logits[0] += 1;
  step(loss, policy, self, data, columns);
  CHECK(same_bits(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()),
                  std::vector<double>(step.logp().begin(), step.logp().end())));

  frozen_reference const frozen{policy};
  auto const before = policy;
  policy.logits[1] -= 1;
  step(loss, policy, frozen, data, columns);
  std::vector<double> expected(7);
  before.log_probs(data, list_log_probs<double>{expected, {}});
  CHECK(same_bits(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()), expected));
  CHECK(frozen.policy().logits == before.logits);

  std::vector<double> filled(3, 7.0), lengths(3, 7.0);
  none.log_probs(data, list_log_probs<double>{filled, lengths});
  CHECK(filled == std::vector<double>(3, 0.0));
  CHECK(lengths == std::vector<double>(3, 7.0));
}

TEST_CASE("stored log-probs of groups, by index or all in order") {
  std::vector<double> const logp{-1, -2, -3, -4, -5, -6};
  std::vector<int> const offsets{0, 2, 2, 3, 6};
  stored_list_reference<double> const stored{logp, offsets};
  auto const of = [&](auto const& batch, std::size_t size) {
    std::vector<double> out(size, 9.0);
    stored.log_probs(batch, list_log_probs<double>{out, {}});
    return out;
  };
  CHECK(of(std::vector<int>{3, 0}, 5) == std::vector<double>{-4, -5, -6, -1, -2});
  CHECK(of(std::vector<std::size_t>{1, 2, 1, 2}, 2) == std::vector<double>{-3, -3});
  CHECK(of(std::vector<unsigned char>{0}, 2) == std::vector<double>{-1, -2});
  CHECK(of(std::vector<int>{}, 0).empty());
  CHECK(of(some_bags({6}), 6) == logp);
  auto const refused = [&](auto const& batch, std::size_t size) { return refusal([&] { of(batch, size); }); };
  CHECK(refused(std::vector<int>{0, 4}, 5) ==
        "prefopt::stored_list_reference: index 4 of the batch, expected one below 4");
  CHECK(refused(std::vector<int>{-1}, 2) ==
        "prefopt::stored_list_reference: index -1 of the batch, expected one below 4");
  CHECK(refused(std::vector<int>{0}, 3) ==
        "prefopt::stored_list_reference: the batch has 3 candidates, its groups have stored 2");
  CHECK(refused(std::vector<int>{3}, 2) ==
        "prefopt::stored_list_reference: the batch has 2 candidates, its groups have stored 3");
  CHECK(refused(some_bags({5}), 5) ==
        "prefopt::stored_list_reference: the batch has 5 candidates, its groups have stored 6");
  auto const built = [&](std::vector<int> const& at) {
    return refusal([&] { stored_list_reference<double> const bad{logp, at}; });
  };
  CHECK(built({0, 3, 2, 6}) == "prefopt::stored_list_reference: offsets[2] is 2, expected a number from 3 to 6");
  CHECK(built({0, 7}) == "prefopt::stored_list_reference: offsets[1] is 7, expected a number from 0 to 6");
  CHECK(built({-1, 6}) == "prefopt::stored_list_reference: offsets[0] is -1, expected 0");
  CHECK(built({0, 2, 6}) == "no error");
  // Of other data.
  CHECK(built({0, 2}) == "prefopt::stored_list_reference: offsets end at 2, logp has 6 elements");
  CHECK(built({2, 6}) == "prefopt::stored_list_reference: offsets[0] is 2, expected 0");
  CHECK(built({}) == "prefopt::stored_list_reference: offsets is empty, expected the number of groups + 1 entries");

  // As the anchor of a step on two of the groups.
  struct by_index {
    void log_probs(std::vector<int> const&, list_log_probs<double> const& out) const {
      std::fill(out.logp.begin(), out.logp.end(), -2.0);
    }
    void backward(std::vector<int> const&, list_gradients<double> const&) {}
  } policy;
  std::vector<int> const batch{3, 0}, at{0, 3, 5};
  list_step<double> step;
  step(made("plackett_luce"), policy, stored, batch, {.offsets = at});
  CHECK(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()) == std::vector<double>{-4, -5, -6, -1, -2});
}

TEST_CASE("copy_every copies the policy after so many updates, bit for bit") {
  for (std::size_t const steps : std::vector<std::size_t>{1, 2, 3, 7}) {
    CAPTURE(steps);
    softmax_policy policy;
    moving_reference anchor{policy, copy_every{.steps = steps}};
    auto held = policy.logits;
    std::size_t copies = 0;
    for (std::size_t i = 1; i <= 21; ++i) {
      policy.logits[i % classes] += 0.1 * static_cast<double>(i);
      bool const moved = anchor.update(policy);
      CHECK(moved == (i % steps == 0));
      copies += moved ? 1 : 0;
      if (moved) held = policy.logits;
      CHECK(same_bits(anchor.policy().logits, held));
    }
    CHECK(copies == 21 / steps);
  }
  CHECK(copy_every{}.steps == 100);
  CHECK(refused_schedule(copy_every{.steps = 0}) == "prefopt::copy_every: steps is 0, expected at least 1");
}

TEST_CASE("follow_average averages the parameters at every update, in double") {
  for (double const decay : {0.0, 0.5, 0.99, 0.9999}) {
    CAPTURE(decay);
    softmax_policy policy;
    moving_reference anchor{policy, follow_average{.decay = decay}};
    auto expected = policy.logits;
    for (std::size_t i = 0; i < 40; ++i) {
      policy.logits[i % classes] += 0.3;
      CHECK(anchor.update(policy));
      for (std::size_t k = 0; k < classes; ++k) {
        expected[k] = decay * expected[k] + (1 - decay) * policy.logits[k];
        CHECK(std::fabs(anchor.policy().logits[k] - expected[k]) <= 1e-15 * std::fabs(expected[k]));
      }
    }
    if (decay == 0) CHECK(same_bits(anchor.policy().logits, policy.logits));
  }
  CHECK(follow_average{}.decay == 0.99);
  // A step that float could not take alone: 1e-3 of a millionth of the number.
  pair_of_floats start{{{1.0F}, {2.0F, 3.0F}}}, target{{{2.0F}, {4.0F, 5.0F}}};
  moving_reference anchor{start, follow_average{.decay = 0.75}};
  anchor.update(target);
  CHECK(anchor.policy().numbers == std::vector<std::vector<float>>{{1.25F}, {2.5F, 3.5F}});
  // Parameters that are not those of the anchor: nothing moves.
  pair_of_floats const fewer{{{2.0F}}}, shorter{{{2.0F}, {4.0F}}}, moved{{{2.0F, 4.0F}, {5.0F}}};
  auto const before = anchor.policy().numbers;
  CHECK(refusal([&] { anchor.update(fewer); }) ==
        "prefopt::follow_average: the policy has 1 parameters in 1 parts, the anchor 3 parameters in 2 parts, expected "
        "parts of the same sizes");
  CHECK(refusal([&] { anchor.update(shorter); }) ==
        "prefopt::follow_average: the policy has 2 parameters in 2 parts, the anchor 3 parameters in 2 parts, expected "
        "parts of the same sizes");
  CHECK(refusal([&] { anchor.update(moved); }).find("expected parts of the same sizes") != std::string::npos);
  CHECK(anchor.policy().numbers == before);
  for (double const bad : {1.0, -0.5, 2.0, not_a_number<double>, infinity<double>}) {
    CHECK(refused_schedule(follow_average{.decay = bad}) ==
          "prefopt::follow_average: decay is " + detail::text(bad) + ", expected a number in [0, 1)");
  }
}

TEST_CASE("copy_when_far copies when the mean of a whole window exceeds the threshold, and begins anew") {
  softmax_policy policy;
  moving_reference anchor{policy, copy_when_far{.threshold = 0.5, .window = 3}};
  auto const updated = [&](double kl) {
    policy.logits[0] += 1;
    bool const moved = anchor.update(policy, kl);
    CHECK((anchor.policy().logits == policy.logits) == moved);
    return moved;
  };
  // Not before the window is full.
  CHECK_FALSE(updated(100));
  CHECK_FALSE(updated(100));
  CHECK(updated(0));
  // Anew: what was before the copy does not count.
  CHECK_FALSE(updated(0.6));
  CHECK_FALSE(updated(0.6));
  CHECK_FALSE(updated(0.25));
  // The mean of the last three, at the threshold and above it.
  CHECK_FALSE(updated(0.65));
  CHECK(updated(0.75));
  CHECK_FALSE(updated(0.5));
  CHECK_FALSE(updated(0.5));
  CHECK_FALSE(updated(0.5));
  CHECK_FALSE(updated(0.5));
  CHECK_FALSE(updated(-1));
  CHECK_FALSE(updated(0.9));
  CHECK_FALSE(updated(1.5));
  CHECK(updated(1.5));
  // What is not a number is far.
  for (double const bad : {not_a_number<double>, infinity<double>, -infinity<double>}) {
    CHECK_FALSE(updated(0));
    CHECK_FALSE(updated(bad));
    CHECK(updated(0));
  }
  moving_reference one{policy, copy_when_far{.threshold = 1, .window = 1}};
  CHECK_FALSE(one.update(policy, 1));
  CHECK(one.update(policy, 1.5));
  CHECK(copy_when_far{}.threshold == 0.1);
  CHECK(copy_when_far{}.window == 10);
  for (double const bad : {0.0, -1.0, not_a_number<double>}) {
    CHECK(refused_schedule(copy_when_far{.threshold = bad}) ==
          "prefopt::copy_when_far: threshold is " + detail::text(bad) + ", expected a number > 0");
  }
  CHECK(refused_schedule(copy_when_far{.window = 0}) == "prefopt::copy_when_far: window is 0, expected at least 1");
}

TEST_CASE("an anchor goes on from saved numbers as if it had not stopped") {
  softmax_policy policy;
  auto const check = [&](auto const& schedule, auto const& update) {
    moving_reference whole{policy, schedule};
    for (std::size_t steps = 0; steps < 12; ++steps) {
      moving_reference resumed{whole.policy(), schedule};
      resumed.restore(whole.state());
      softmax_policy moving = policy;
      auto without_stop = whole;
      for (std::size_t more = steps; more < 12; ++more) {
        moving.logits[0] += 1;
        CHECK(update(resumed, moving, more) == update(without_stop, moving, more));
        CHECK(resumed.policy().logits == without_stop.policy().logits);
      }
      policy.logits[0] += 1;
      update(whole, policy, steps);
    }
  };
  check(copy_every{.steps = 5}, [](auto& anchor, auto const& now, std::size_t) { return anchor.update(now); });
  check(follow_average{.decay = 0.5}, [](auto& anchor, auto const& now, std::size_t) { return anchor.update(now); });
  check(copy_when_far{.threshold = 0.5, .window = 3}, [](auto& anchor, auto const& now, std::size_t step) {
    return anchor.update(now, step % 5 == 0 ? infinity<double> : 0.1);
  });
  moving_reference every{policy, copy_every{.steps = 5}};
  moving_reference far{policy, copy_when_far{.window = 2}};
  every.restore({.updates = 4});
  CHECK(every.update(policy));
  CHECK(every.state().updates == 0);
  CHECK(refusal([&] { every.restore({.updates = 5}); }) ==
        "prefopt::moving_reference: restore: 5 updates since the last copy, expected at most 4");
  CHECK(refusal([&] { every.restore({.divergences = {1}}); }) ==
        "prefopt::moving_reference: restore: 1 divergences, expected at most 0");
  CHECK(refusal([&] { far.restore({.updates = 1}); }) ==
        "prefopt::moving_reference: restore: 1 updates since the last copy, expected at most 0");
  CHECK(refusal([&] {
          far.restore({.divergences = {1, 2, 3}});
        }) == "prefopt::moving_reference: restore: 3 divergences, expected at most 2");
  far.restore({.divergences = {1}});
  CHECK(refusal([&] { far.restore({.divergences = {not_a_number<double>}}); }) ==
        "prefopt::moving_reference: restore: a divergence is nan, expected a number");
  CHECK(far.state().divergences == std::vector<double>{1});
}

TEST_CASE("a moving anchor in a step is the policy as it was when it last moved") {
  auto const data = some_bags({4, 3});
  auto const reward = rewards_of(data);
  softmax_policy policy;
  policy.logits = {0.3, -0.4, 0.1, 0.9, -0.2};
  moving_reference anchor{policy, copy_every{.steps = 2}};
  list_step<double> step;
  list_columns<double> const columns{.offsets = data.offsets, .reward = reward};
  auto held = policy;
  for (int i = 1; i <= 6; ++i) {
    step(made("adpo"), policy, anchor, data, columns);
    std::vector<double> expected(7);
    held.log_probs(data, list_log_probs<double>{expected, {}});
    CHECK(same_bits(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()), expected));
    for (std::size_t k = 0; k < classes; ++k) policy.logits[k] -= policy.gradient(static_cast<Eigen::Index>(k));
    if (anchor.update(policy)) held = policy;
  }
}
