// What is wrong is found, and said, before anything is written.
#include <catch.hpp>
#include <limits>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/simpo.hpp>

#include "refusal.hpp"
#include "sequences.hpp"

using prefopt::dpo;
using prefopt::gradient_write;
using prefopt::on_invalid;
using prefopt::policy_groups;
using prefopt::policy_pairs;

namespace {

/// Six sequences, everything that a call writes to, and that it has not.
struct attempt {
  sequences<double> data{6, 5, 1};
  std::vector<double> d_logits = untouched_like(data.memory);
  std::vector<double> loss = std::vector<double>(3, -77), log_prob = std::vector<double>(6, -77), length = log_prob;
  std::vector<double> reference = std::vector<double>(6, -3);
  std::vector<double> logits = data.memory;
  prefopt::options options{};

  [[nodiscard]] bool is_untouched() const {
    auto const clean = [](std::vector<double> const& values) {
      return std::all_of(values.begin(), values.end(), [](double x) { return x == -77; });
    };
    return clean(d_logits) && clean(loss) && clean(log_prob) && clean(length) && same_numbers(logits, data.memory);
  }

  template <class L>
  std::string pairs(L const& of, policy_pairs<double> const& batch) {
    return pairs(of, data.policy(d_logits), batch);
  }
  template <class L, class P>
  std::string pairs(L const& of, P const& policy, policy_pairs<double> const& batch) {
    auto const text =
        refusal([&] { evaluate(of, policy, batch, {.loss = loss, .log_prob = log_prob, .length = length}, options); });
    CHECK(is_untouched());
    return text;
  }
  std::string groups(policy_groups<double> const& batch) {
    loss.assign(2, -77);
    auto const text = refusal([&] {
      evaluate(prefopt::plackett_luce{}, data.policy(d_logits), batch,
               {.loss = loss, .log_prob = log_prob, .length = length}, options);
    });
    CHECK(is_untouched());
    return text;
  }
};

}  // namespace

TEST_CASE("pairs that are not among the sequences") {
  attempt a;
  std::vector<int> const two{0, 1}, three{0, 1, 2}, above{3, 4, 6}, below{3, -1, 4};
  CHECK(a.pairs(dpo{}, {.chosen = three, .rejected = two, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected has 2 elements, chosen has 3");
  CHECK(a.pairs(dpo{}, {.chosen = three, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected has 0 elements, chosen has 3");
  CHECK(a.pairs(dpo{}, {.rejected = three, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected has 3 elements, chosen has 0");
  CHECK(a.pairs(dpo{}, {.chosen = above, .rejected = three, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: chosen[2] is 6, expected a sequence in [0, 6)");
  CHECK(a.pairs(dpo{}, {.chosen = three, .rejected = below, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected[1] is -1, expected a sequence in [0, 6)");
}

TEST_CASE("pairs of which one side is named") {
  attempt a;
  std::vector<int> const one{1}, none;
  CHECK(a.pairs(dpo{}, {.chosen = one, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected has 0 elements, chosen has 1");
  CHECK(a.pairs(dpo{}, {.chosen = none, .rejected = one, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: rejected has 1 element, chosen has 0");
  CHECK(a.pairs(dpo{}, {.chosen = none, .ref_log_prob = a.reference}) ==
        "prefopt::evaluate: chosen is given, but rejected is not");
}

TEST_CASE("an odd number of sequences has no halves") {
  attempt a;
  auto policy = a.data.policy(a.d_logits);
  std::vector<std::int64_t> offsets{0, 0, 1, 2, 3, static_cast<std::int64_t>(a.data.rows())};
  policy.tokens.offsets = offsets;
  CHECK(a.pairs(prefopt::simpo{}, policy, {}) ==
        "prefopt::evaluate: the policy has 5 sequences, which is odd, and neither chosen nor rejected is given");
}

TEST_CASE("columns and outputs of another size") {
  attempt a;
  std::vector<double> const five(5, -3.), two(2, 1.);
  CHECK(a.pairs(dpo{}, {.ref_log_prob = five}) ==
        "prefopt::evaluate: ref_log_prob has 5 elements, the policy has 6 sequences");
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference, .weight = two}).find("weight has 2") != std::string::npos);
  a.log_prob.assign(5, -77);
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}) ==
        "prefopt::evaluate: output log_prob has 5 elements, the policy has 6 sequences");
  a.log_prob.assign(6, -77);
  a.length.assign(3, -77);
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}) ==
        "prefopt::evaluate: output length has 3 elements, the policy has 6 sequences");
  a.length.assign(6, -77);
  a.loss.assign(6, -77);
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}).find("loss has 6") != std::string::npos);
}

TEST_CASE("a loss that wants a reference, or none") {
  attempt a;
  CHECK(a.pairs(dpo{}, {}) ==
        "prefopt::evaluate: the loss needs ref_log_prob or a reference policy, and neither is given");
  CHECK(a.pairs(prefopt::simpo{}, {.ref_log_prob = a.reference}).find("ref_chosen") != std::string::npos);
  sequences<double> const five{5, 5, 2}, six{6, 5, 2};
  auto const both = refusal([&] {
    evaluate(dpo{}, a.data.policy(a.d_logits), six.policy(), policy_pairs<double>{.ref_log_prob = a.reference});
  });
  CHECK(both == "prefopt::evaluate: ref_log_prob and a reference policy are both given");
  auto const other =
      refusal([&] { evaluate(dpo{}, a.data.policy(a.d_logits), five.policy(), policy_pairs<double>{}); });
  CHECK(other == "prefopt::evaluate: the reference has 5 sequences, the policy has 6");
  auto wrong = six.policy();
  std::vector<std::int64_t> labels(six.labels);
  labels[1] = 5;
  wrong.tokens.labels = labels;
  auto const label = refusal([&] { evaluate(dpo{}, a.data.policy(a.d_logits), wrong, policy_pairs<double>{}); });
  CHECK(label.find("prefopt::evaluate: reference: labels[1] is 5") == 0);
  sequences<double> third{6, 5, 3};
  auto const written =
      refusal([&] { evaluate(dpo{}, a.data.policy(a.d_logits), third.policy(third.memory), policy_pairs<double>{}); });
  CHECK(written == "prefopt::evaluate: the reference has a gradient to be written, which is never computed");
  CHECK(a.is_untouched());
}

TEST_CASE("a parameter or an option out of range") {
  attempt a;
  CHECK(a.pairs(dpo{.beta = -1}, {.ref_log_prob = a.reference}).find("beta is -1") != std::string::npos);
  a.options.denominator = 0;
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}).find("denominator") != std::string::npos);
}

TEST_CASE("rows that do not make the sequences") {
  attempt a;
  auto const with = [&](prefopt::token_rows const& tokens) {
    auto policy = a.data.policy(a.d_logits);
    policy.tokens = tokens;
    return a.pairs(prefopt::simpo{}, policy, {});
  };
  auto const& labels = a.data.labels;
  auto const rows = static_cast<std::int64_t>(labels.size());
  std::string const count = std::to_string(rows);
  std::vector<std::int64_t> const falling{0, 3, 2, 4, rows}, late{1, 2, rows}, early{0, 2, rows - 1},
      beyond{0, rows + 1, rows}, negative{0, -1, rows}, one{0};
  CHECK(with({.labels = labels, .offsets = falling}) ==
        "prefopt::evaluate: offsets[2] is 2, expected a number from 3 to " + count);
  CHECK(with({.labels = labels, .offsets = late}) == "prefopt::evaluate: offsets[0] is 1, expected 0");
  CHECK(with({.labels = labels, .offsets = early}) == "prefopt::evaluate: offsets[2] is " + std::to_string(rows - 1) +
                                                          ", expected " + count + ", the number of rows");
  CHECK(with({.labels = labels, .offsets = beyond}) ==
        "prefopt::evaluate: offsets[1] is " + std::to_string(rows + 1) + ", expected a number from 0 to " + count);
  CHECK(with({.labels = labels, .offsets = negative}) ==
        "prefopt::evaluate: offsets[1] is -1, expected a number from 0 to " + count);
  CHECK(with({.labels = labels, .offsets = one}).find("offsets[0] is 0, expected") != std::string::npos);
  CHECK(with({.labels = labels}) == "prefopt::evaluate: neither offsets nor tokens_per_sequence is given");
  CHECK(with({.labels = labels, .offsets = a.data.offsets, .tokens_per_sequence = 1}) ==
        "prefopt::evaluate: offsets and tokens_per_sequence are both given, expected one of them");
  CHECK(with({.labels = labels, .tokens_per_sequence = (labels.size() - 1) / 2}).find("expected a multiple of") !=
        std::string::npos);
  CHECK(with({.labels = {labels.data(), labels.size() - 1}, .offsets = a.data.offsets}).find("labels has") !=
        std::string::npos);
  auto wrong = labels;
  wrong[2] = -1;
  CHECK(with({.labels = wrong, .offsets = a.data.offsets}).find("labels[2] is -1") != std::string::npos);
}

TEST_CASE("a gradient of another shape, over other rows, or added to the logits themselves") {
  attempt a;
  auto policy = a.data.policy(a.d_logits);
  auto const apart = static_cast<std::ptrdiff_t>(a.data.stride);
  policy.d_logits = {a.d_logits.data(), a.data.rows(), a.data.vocabulary + 1, apart};
  CHECK(a.pairs(prefopt::simpo{}, policy, {}).find("d_logits is") != std::string::npos);
  policy.d_logits = {a.d_logits.data(), a.data.rows(), a.data.vocabulary, 2};
  CHECK(a.pairs(prefopt::simpo{}, policy, {}).find("the rows of d_logits overlap") != std::string::npos);
  policy.d_logits = {a.data.memory.data() + 1, a.data.rows(), a.data.vocabulary, apart};
  CHECK(a.pairs(prefopt::simpo{}, policy, {}).find("d_logits overlaps logits but is not the same rows") !=
        std::string::npos);
  policy.d_logits = a.data.target(a.data.memory);
  a.options.gradient = gradient_write::accumulate;
  CHECK(a.pairs(prefopt::simpo{}, policy, {}).find("cannot be accumulated into") != std::string::npos);
}

TEST_CASE("invalid pairs that are errors leave everything as it was") {
  attempt a;
  a.options.non_finite = on_invalid::error;
  auto row = std::size_t{0};
  while (a.data.labels[row] == -100) ++row;
  a.data.memory[row * a.data.stride] = std::numeric_limits<double>::quiet_NaN();
  a.logits = a.data.memory;
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}).find("prefopt::evaluate: ") == 0);
  // In place, too.
  auto policy = a.data.policy();
  policy.d_logits = a.data.target(a.data.memory);
  CHECK(a.pairs(dpo{}, policy, {.ref_log_prob = a.reference}).find("prefopt::evaluate: ") == 0);
}

TEST_CASE("completions without a token are errors unless it is said otherwise") {
  attempt a;
  a.data = sequences<double>{6, 5, 4, {4}};
  a.d_logits = untouched_like(a.data.memory);
  a.logits = a.data.memory;
  // For losses that read lengths and for those that do not.
  CHECK(a.pairs(dpo{}, {.ref_log_prob = a.reference}).find("prefopt::evaluate: ") == 0);
  CHECK(a.pairs(prefopt::simpo{}, {}).find("prefopt::evaluate: ") == 0);
  std::vector<int> const offsets{0, 3, 6};
  CHECK(a.groups({.offsets = offsets}) ==
        "prefopt::evaluate: sequence 4 has no token, which options.empty = error forbids");
  CHECK(a.groups({.offsets = offsets, .per_token = true}).find("prefopt::evaluate: ") == 0);
  a.options.empty = on_invalid::skip;
  CHECK(
      a.groups({.offsets = offsets}) ==
      "prefopt::evaluate: sequence 4 has no token, which options.empty = skip can leave out only where the loss reads "
      "lengths");
}

TEST_CASE("groups that do not span the sequences") {
  attempt a;
  std::vector<int> const offsets{0, 3, 5};
  CHECK(a.groups({.offsets = offsets}).find("offsets ends at 5, the policy has 6 sequences") != std::string::npos);
  CHECK(a.groups({.ref_log_prob = a.reference}).find("offsets is empty") != std::string::npos);
  std::vector<double> const five(5, -3.);
  std::vector<int> const right{0, 3, 6};
  CHECK(a.groups({.offsets = right, .ref_log_prob = five}) ==
        "prefopt::evaluate: ref_log_prob has 5 elements, the policy has 6 sequences");
  CHECK(a.groups({.offsets = right, .reward = five}).find("reward has 5") != std::string::npos);
}
