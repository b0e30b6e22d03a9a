// The memory budget is held: every byte that this program allocates is counted.
#include <algorithm>
#include <cstdio>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/loss/simpo.hpp>
#include "counted_allocations.hpp"

#include "host_products.hpp"
#include "linear_data.hpp"

namespace {

/// How far the bytes allocated at a time rise during a call.
template <class Call>
std::size_t bytes_of(Call const& call) {
  std::size_t const before = bytes_allocated;
  most_bytes_allocated = before;
  call();
  return most_bytes_allocated - before;
}

/// Takes factors of U, and computes nothing: what is allocated does not depend on the numbers.
template <class U, class T>
struct product_of_zeros {
  void operator()(prefopt::matrix_factor<U> const&, prefopt::matrix_factor<U> const&, prefopt::row_major<T> const& c,
                  bool accumulate) const {
    for (std::size_t i = 0; i < c.rows() && !accumulate; ++i) std::fill_n(c[i], c.columns(), T(0));
  }
};

template <class U, class Product>
void check_budgets(char const* name) {
  using T = prefopt::detail::computed_of<U>;
  linear_data<U> const data{400, 700, 40};
  std::vector<T> log_prob(data.rows);
  std::vector<double> log_sum_exp(data.rows);
  linear_results<T> got{data};
  auto targets = got.targets();
  Product const product;
  std::size_t const least = data.least_budget(product, targets);
  double most_used = 0, most_beside = 0;
  for (std::size_t const budget :
       {least, least + 5000, std::size_t{100000}, std::size_t{250000}, std::size_t{1000000}}) {
    INFO(name << ", memory budget " << budget);
    auto const check = [&](std::size_t used) {
      // "Some 40 bytes a token and 1 KiB".
      CHECK(used <= budget + 40 * data.rows + 1024);
      most_used = std::max(most_used, static_cast<double>(used) / static_cast<double>(budget + 40 * data.rows));
      if (used > budget) {
        most_beside = std::max(most_beside, static_cast<double>(used - budget) / static_cast<double>(data.rows));
      }
    };
    check(bytes_of([&] {
      linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, product,
                            {.memory_budget = budget});
    }));
    check(bytes_of([&] {
      linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, targets, product,
                                     {.memory_budget = budget});
    }));
    prefopt::linear_policy<U, Product> const policy{.head = data.head(),
                                                    .tokens = {.labels = data.labels, .tokens_per_sequence = 20},
                                                    .gradients = targets,
                                                    .memory_budget = budget};
    check(bytes_of([&] { evaluate(prefopt::simpo{}, policy, prefopt::policy_pairs<T>{}); }));
  }
  std::printf(
      "%-18s used at most %.2f of the memory budget and 40 bytes a token; beyond the budget %.1f bytes a token\n", name,
      most_used, most_beside);
}

}  // namespace

TEST_CASE("a head in chunks allocates no more than its memory budget and 40 bytes a token") {
  check_budgets<double, product_of_zeros<double, double>>("double");
  check_budgets<float, product_of_zeros<float, float>>("float");
  check_budgets<prefopt::bfloat16, product_of_zeros<float, float>>("bfloat16 as float");
  check_budgets<prefopt::bfloat16, product_of_zeros<prefopt::bfloat16, float>>("bfloat16 as it is");
}

TEST_CASE("a workspace is of the memory budget, grows once and gives the same bits") {
  linear_data<float> const data{40, 700, 40};
  std::vector<float> log_prob(data.rows), other(data.rows);
  std::vector<double> log_sum_exp(data.rows);
  plain_product<float> const product;
  for (std::size_t const budget : {std::size_t{12000}, std::size_t{50000}, std::size_t{64} << 20}) {
    prefopt::linear_workspace space;
    prefopt::linear_options const with{.memory_budget = budget, .workspace = &space}, without{.memory_budget = budget};
    linear_results<float> got{data}, right{data};
    auto const step = [&](prefopt::linear_options const& options, linear_results<float>& to) {
      linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, product,
                            options);
      linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, to.targets(), product,
                                     options);
    };
    step(without, right);
    other = log_prob;
    CHECK(bytes_of([&] { step(with, got); }) <= budget + 40 * data.rows + 1024);
    CHECK(space.bytes() <= budget + 1024);
    CHECK(got == right);
    CHECK(same_numbers(log_prob, other));
    std::size_t const grown = space.bytes();
    // Of later calls it takes nothing more, and what they allocate is what each token takes.
    CHECK(bytes_of([&] { step(with, got); }) <= 40 * data.rows);
    CHECK(space.bytes() == grown);
    CHECK(got == right);
    prefopt::linear_workspace moved{std::move(space)};
    CHECK(moved.bytes() == grown);
    CHECK(space.bytes() == 0);
    moved.release();
    CHECK(moved.bytes() == 0);
  }
}

TEST_CASE("a workspace that another call takes between the passes of a policy costs time only") {
  // One that makes the workspace grow, and one that overwrites what is in it.
  linear_data<double> const data{24, 13, 5}, larger{24, 900, 5}, other{24, 11, 5};
  using policy_type = prefopt::linear_policy<double, plain_product<double>>;
  for (auto const* of_reference : {&larger, &other}) {
    prefopt::linear_workspace space;
    linear_results<double> got{data}, right{data};
    std::vector<double> log_prob(24), others(24);
    for (auto* to : {&right, &got}) {
      policy_type policy{.head = data.head(), .tokens = {.labels = data.labels, .tokens_per_sequence = 4}};
      policy.gradients = to->targets();
      if (to == &got) policy.workspace = &space;
      policy_type::state kept;
      policy.log_probs(kept, log_prob, {});
      if (to == &got) {
        policy_type const reference{.head = of_reference->head(),
                                    .tokens = {.labels = of_reference->labels, .tokens_per_sequence = 4},
                                    .workspace = &space};
        policy_type::state kept_by_reference;
        reference.log_probs(kept_by_reference, others, {});
      }
      policy.backward(kept, data.d_log_prob, prefopt::gradient_write::assign, {});
    }
    CHECK(got == right);
  }
}

TEST_CASE("rows with an ignored label cost no logits") {
  linear_data<double> data{400, 700, 40};
  std::fill(data.labels.begin() + 1, data.labels.end(), -100);
  std::vector<double> log_prob(data.rows);
  std::size_t const one_row = (700 + 2 * 40) * sizeof(double);
  CHECK(bytes_of([&] {
          linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob}, plain_product<double>{});
        }) <= one_row + 40 * data.rows + 1024);
}

TEST_CASE("the chain from logits allocates at most 25 bytes a token, and what the sequences take") {
  std::size_t const rows = 6000, sequences = 20;
  std::vector<double> logits(rows * 3), d_logits(rows * 3);
  std::vector<float> narrow(rows * 3), d_narrow(rows * 3);
  std::vector<int> const labels(rows, 1);
  prefopt::token_rows const tokens{.labels = labels, .tokens_per_sequence = rows / sequences};
  auto const check = [&]<class U>(std::vector<U> const& x, std::vector<U>& d) {
    prefopt::logit_policy<U> const policy{
        .logits = {x.data(), rows, 3}, .tokens = tokens, .d_logits = {d.data(), rows, 3}};
    std::size_t const used = bytes_of([&] { evaluate(prefopt::simpo{}, policy, prefopt::policy_pairs<U>{}); });
    std::printf("the chain from %zu-byte logits allocates %.1f bytes a token\n", sizeof(U),
                static_cast<double>(used) / static_cast<double>(rows));
    // Log-probs, lengths, gradients and indices of sequences and pairs: fewer than 32 numbers a sequence.
    CHECK(used <= 25 * rows + 32 * 8 * sequences);
  };
  check(logits, d_logits);
  check(narrow, d_narrow);
}
