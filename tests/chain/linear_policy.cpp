// From hidden states to any loss and back equals the chain from the logits multiplied out.
#include <cstdio>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>

#include "host_products.hpp"
#include "linear_data.hpp"
#include "sequences.hpp"
#include "thread_pool.hpp"

namespace {

using plain = plain_product<double>;
using policy_of = prefopt::linear_policy<double, plain>;

/// 24 rows of 6 sequences of 4; a quarter is ignored.
struct head_case {
  linear_data<double> data{24, 13, 5};
  std::vector<double> reference{-9, -3, -7, -8, -2, -11};
  std::vector<int> chosen{0, 2, 0, 5}, rejected{1, 3, 4, 2}, groups{0, 2, 6};

  [[nodiscard]] prefopt::token_rows tokens() const { return {.labels = data.labels, .tokens_per_sequence = 4}; }
  [[nodiscard]] policy_of policy(std::size_t budget) const {
    return {.head = data.head(), .tokens = tokens(), .memory_budget = budget};
  }
};

/// Calls f(evaluate_with(policy)) for a pair loss and for a list loss.
template <class Check>
void for_both_kinds(head_case const& a, Check const& check) {
  check([&](auto const& policy, prefopt::options const& options = {}) {
    return evaluate(prefopt::dpo{.beta = 0.5}, policy,
                    {.chosen = a.chosen, .rejected = a.rejected, .ref_log_prob = a.reference}, {}, options);
  });
  check([&](auto const& policy, prefopt::options const& options = {}) {
    return evaluate(prefopt::plackett_luce{.beta = 0.5}, policy,
                    {.offsets = a.groups, .ref_log_prob = a.reference, .per_token = true}, {}, options);
  });
}

}  // namespace

TEST_CASE("hidden states and a head give what their logits give") {
  head_case const a;
  auto const& data = a.data;
  std::size_t const rows = data.rows, vocabulary = data.vocabulary, width = data.width;
  std::vector<double> logits(rows * vocabulary), d_logits(logits.size());
  multiply_plainly<double, double>({data.head().hidden}, {data.head().weight, true}, {logits.data(), rows, vocabulary},
                                   false);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += data.bias[i % vocabulary];
  worst_share worst;
  for_both_kinds(a, [&](auto const& evaluated) {
    prefopt::logit_policy<double> const multiplied_out{.logits = {logits.data(), rows, vocabulary},
                                                       .tokens = a.tokens(),
                                                       .d_logits = {d_logits.data(), rows, vocabulary}};
    auto const right = evaluated(multiplied_out);
    for (std::size_t budget = 400; budget < 8000; budget += 300) {
      INFO("memory budget " << budget);
      CHECK(same_bits(evaluated(a.policy(budget)), right));
      for (bool const adds : {false, true}) {
        double const before = adds ? 0.75 : 0;
        linear_results<double> got{data, adds ? 0.75 : -77};
        auto policy = a.policy(budget);
        policy.gradients = got.targets();
        prefopt::options const options{.gradient = adds ? prefopt::gradient_write::accumulate
                                                        : prefopt::gradient_write::assign};
        CHECK(same_bits(evaluated(policy, options), right));
        // The same gradients by the logits, bit for bit, multiplied back: sums of n products in any order.
        auto const check = [&](double number, std::size_t n, auto const& term) {
          real sum = before, size = before;
          for (std::size_t i = 0; i < n; ++i) {
            sum += term(i);
            size += std::fabs(term(i));
          }
          real const bound = static_cast<real>(2 * n + 2) * spacing<double> / 2 * 1.01L * size;
          bool const is_within = worst.within(number, sum, bound);
          if (!is_within) CHECK(static_cast<real>(number) == sum);
        };
        auto const g = [&](std::size_t row, std::size_t j) -> real { return d_logits[row * vocabulary + j]; };
        for (std::size_t k = 0; k < width; ++k) {
          for (std::size_t row = 0; row < rows; ++row) {
            check(got.hidden[row * got.stride + k], vocabulary,
                  [&](std::size_t j) { return g(row, j) * data.weight[j * data.weight_stride() + k]; });
          }
          for (std::size_t j = 0; j < vocabulary; ++j) {
            check(got.weight[j * got.stride + k], rows, [&](std::size_t row) -> real {
              return data.labels[row] == -100 ? 0 : g(row, j) * data.hidden[row * data.hidden_stride() + k];
            });
          }
        }
        for (std::size_t j = 0; j < vocabulary; ++j) {
          check(got.bias[j], rows, [&](std::size_t row) { return g(row, j); });
        }
      }
    }
  });
  std::printf("from hidden states: largest error of gradients %.2Lf of its bound\n", worst.share);
}

TEST_CASE("of a head the bits do not depend on the number of threads, through a loss") {
  head_case const a;
  for_both_kinds(a, [&](auto const& evaluated) {
    for (std::size_t const budget : {800U, 100000U}) {
      linear_results<double> alone{a.data};
      auto policy = a.policy(budget);
      policy.gradients = alone.targets();
      auto const serial = evaluated(policy);
      for (std::size_t const threads : {1U, 2U, 3U, 7U}) {
        thread_pool const pool{threads};
        linear_results<double> together{a.data};
        policy.gradients = together.targets();
        CHECK(same_bits(evaluated(policy, {.executor = pool}), serial));
        CHECK(together == alone);
      }
    }
  });
}

TEST_CASE("hidden states of a reference stand for its log-probs") {
  head_case const a;
  linear_data<double> const other{24, 9, 3, 5};
  auto labels = a.data.labels;
  for (auto& label : labels) label = label == -100 ? label : label % 9;
  policy_of const reference{.head = other.head(), .tokens = {.labels = labels, .tokens_per_sequence = 4}};
  std::vector<double> log_prob(6);
  evaluate(prefopt::dpo{}, reference, {.ref_log_prob = a.reference}, {.log_prob = log_prob});
  linear_results<double> one{a.data}, two{a.data};
  auto policy = a.policy(700);
  policy.gradients = one.targets();
  auto const by_column = evaluate(prefopt::dpo{}, policy, {.ref_log_prob = log_prob});
  policy.gradients = two.targets();
  auto const by_policy = evaluate(prefopt::dpo{}, policy, reference, prefopt::policy_pairs<double>{});
  CHECK(same_bits(by_column, by_policy));
  CHECK(one == two);
}

TEST_CASE("what is wrong with a head's policy leaves its gradients as they were") {
  head_case const a;
  linear_results<double> got{a.data};
  std::vector<double> loss(3, -77);
  auto policy = a.policy(100);
  policy.gradients = got.targets();
  auto const text = [&] {
    auto const said = refusal([&] { evaluate(prefopt::dpo{}, policy, {.ref_log_prob = a.reference}, {.loss = loss}); });
    CHECK(got == linear_results<double>{a.data});
    CHECK(loss == std::vector<double>(3, -77));
    return said;
  };
  // 13 logits, 5 hidden states and their gradient, and the sums of the bias's gradient.
  CHECK(text() == "prefopt::evaluate: memory_budget is 100 bytes, one row of logits takes 288");
  policy.memory_budget = 10000;
  policy.tokens.tokens_per_sequence = 5;
  CHECK(text() == "prefopt::evaluate: labels has 24 elements, expected a multiple of tokens_per_sequence, 5");
  policy.tokens.tokens_per_sequence = 12;
  CHECK(text() == "prefopt::evaluate: ref_log_prob has 6 elements, the policy has 2 sequences");
}
