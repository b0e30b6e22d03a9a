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
      // "Some 40 bytes a token".
      CHECK(used <= budget + 40 * data.rows);
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

TEST_CASE("rows with an ignored label cost no logits") {
  linear_data<double> data{400, 700, 40};
  std::fill(data.labels.begin() + 1, data.labels.end(), -100);
  std::vector<double> log_prob(data.rows);
  std::size_t const one_row = (700 + 2 * 40) * sizeof(double);
  CHECK(bytes_of([&] {
          linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob}, plain_product<double>{});
        }) <= one_row + 40 * data.rows);
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
