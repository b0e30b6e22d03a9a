// What a head in chunks is given and gives: any of the gradients, rows that are ignored, errors, and products that
// throw.
#include <atomic>
#include <stdexcept>

#include "host_products.hpp"
#include "linear_checks.hpp"

using prefopt::gradient_write;
using prefopt::linear_head;
using prefopt::linear_options;

namespace {

using plain = plain_product<double>;

/// Throws at its n-th call.
struct throwing_product {
  std::atomic<int>* left = nullptr;

  void operator()(prefopt::matrix_factor<double> const& a, prefopt::matrix_factor<double> const& b,
                  prefopt::row_major<double> const& c, bool accumulate) const {
    if (left->fetch_sub(1) == 1) throw std::runtime_error{"no product today"};
    multiply_plainly(a, b, c, accumulate);
  }
};

std::vector<double> log_sum_exp_of(linear_data<double> const& data) {
  std::vector<double> log_sum_exp(data.rows);
  linear_token_logprobs(data.head(), data.labels, {.log_sum_exp = log_sum_exp}, plain{});
  return log_sum_exp;
}

}  // namespace

TEST_CASE("any of the gradients of a head by themselves have the bits of all three") {
  linear_data<double> const data{9, 13, 5};
  auto const log_sum_exp = log_sum_exp_of(data);
  linear_results<double> all{data};
  linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, all.targets(), plain{});
  for (unsigned wanted = 0; wanted < 8; ++wanted) {
    linear_results<double> got{data}, right{data};
    auto targets = got.targets();
    if ((wanted & 1) != 0)
      right.hidden = all.hidden;
    else
      targets.hidden = {};
    if ((wanted & 2) != 0)
      right.weight = all.weight;
    else
      targets.weight = {};
    if ((wanted & 4) != 0)
      right.bias = all.bias;
    else
      targets.bias = {};
    linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, targets, plain{});
    INFO("of hidden, weight and bias " << (wanted & 1) << (wanted >> 1 & 1) << (wanted >> 2));
    CHECK(got == right);
  }
}

TEST_CASE("a head gives what token_logprobs gives of its logits") {
  linear_data<double> const data{9, 13, 5};
  std::vector<double> logits(data.rows * data.vocabulary);
  multiply_plainly<double, double>({data.head().hidden}, {data.head().weight, true},
                                   {logits.data(), data.rows, data.vocabulary}, false);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += data.bias[i % data.vocabulary];
  std::vector<std::vector<double>> ours(5, std::vector<double>(data.rows, -77)), theirs(ours);
  auto const outputs = [](std::vector<std::vector<double>>& to) {
    return prefopt::token_logprob_outputs<double>{
        .log_prob = to[0], .log_sum_exp = to[1], .entropy = to[2], .square_sum = to[3], .highest = to[4]};
  };
  for (std::size_t const budget : {std::size_t{600}, std::size_t{1} << 20}) {
    linear_token_logprobs(data.head(), data.labels, outputs(ours), plain{}, {.memory_budget = budget});
    token_logprobs(prefopt::row_major<double const>{logits.data(), data.rows, data.vocabulary}, data.labels,
                   outputs(theirs));
    for (std::size_t i = 0; i < ours.size(); ++i) CHECK(same_numbers(ours[i], theirs[i]));
  }
}

TEST_CASE("a bias of another type, and a single row of any stride") {
  linear_data<double> data{9, 13, 5};
  for (double& x : data.bias) x = static_cast<float>(x);
  std::vector<float> const bias(data.bias.begin(), data.bias.end());
  std::vector<double> one(data.rows), other(data.rows);
  linear_token_logprobs(data.head(), data.labels, {.log_prob = one}, plain{});
  auto head = data.head();
  head.bias = bias;
  linear_token_logprobs(head, data.labels, {.log_prob = other}, plain{});
  CHECK(same_numbers(one, other));

  // Of one row the stride does not matter.
  linear_data<double> const single{1, 1, 5};
  auto of_one = single.head();
  of_one.weight = {single.weight.data(), 1, 5, 0};
  of_one.hidden = {single.hidden.data(), 1, 5, 0};
  linear_token_logprobs(of_one, single.labels, {.log_prob = {other.data(), 1}}, plain{});
  CHECK(other[0] == 0);
}

TEST_CASE("if all rows of a head are ignored, gradients are 0, or left alone") {
  linear_data<double> data{5, 7, 3};
  std::fill(data.labels.begin(), data.labels.end(), -100);
  std::fill(data.hidden.begin(), data.hidden.end(), std::numeric_limits<double>::quiet_NaN());
  std::vector<double> log_prob(5, -77), log_sum_exp(5, -77);
  linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, plain{});
  CHECK(log_prob == std::vector<double>(5));
  CHECK(log_sum_exp == std::vector<double>(5));
  linear_results<double> got{data}, added{data};
  linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, got.targets(), plain{});
  for (std::size_t i = 0; i < got.hidden.size(); ++i) CHECK(got.hidden[i] == (i % got.stride < 3 ? 0 : -77));
  for (std::size_t i = 0; i < got.weight.size(); ++i) CHECK(got.weight[i] == (i % got.stride < 3 ? 0 : -77));
  CHECK(got.bias == std::vector<double>(7));
  linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, added.targets(), plain{},
                                 {.gradient = gradient_write::accumulate});
  CHECK(added == linear_results<double>{data});
}

TEST_CASE("no rows at all") {
  linear_data<double> const data{0, 7, 3};
  linear_results<double> got{data};
  linear_token_logprob_gradients(data.head(), data.labels, {}, {}, got.targets(), plain{});
  for (std::size_t i = 0; i < got.weight.size(); ++i) CHECK(got.weight[i] == (i % got.stride < 3 ? 0 : -77));
  CHECK(got.bias == std::vector<double>(7));
}

TEST_CASE("a bias gradient that is strided") {
  linear_data<double> const data{9, 13, 5};
  auto const log_sum_exp = log_sum_exp_of(data);
  linear_results<double> all{data};
  linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, all.targets(), plain{});
  std::vector<double> spread(26, 0.5);
  for (auto const how : {gradient_write::assign, gradient_write::accumulate}) {
    linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob,
                                   {.bias = {spread.data(), 13, 2}}, plain{}, {.gradient = how});
    double const times = how == gradient_write::assign ? 1 : 2;
    // The second time the sum is rounded once, of a double and its equal: exactly twice.
    for (std::size_t j = 0; j < 13; ++j) {
      CHECK(spread[2 * j] == times * all.bias[j]);
      CHECK(spread[2 * j + 1] == 0.5);
    }
  }
}

TEST_CASE("what a product throws reaches the caller, from any thread, wherever it throws") {
  linear_data<double> const data{13, 1101, 30};
  auto const log_sum_exp = log_sum_exp_of(data);
  for (std::size_t const threads : {0U, 1U, 2U, 3U}) {
    thread_pool const pool{threads};
    linear_options options{.memory_budget = 60000};
    if (threads != 0) options.executor = pool;
    std::size_t thrown = 0;
    for (int at = 1;; ++at) {
      std::atomic<int> left = at;
      std::vector<double> log_prob(data.rows);
      linear_results<double> got{data};
      bool caught = false;
      try {
        linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob}, throwing_product{&left}, options);
        linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, got.targets(),
                                       throwing_product{&left}, options);
      } catch (std::runtime_error const& error) {
        caught = true;
        CHECK(std::string{error.what()} == "no product today");
      }
      // Once it has not been reached there were fewer products.
      CHECK(caught == (left <= 0));
      if (!caught) break;
      ++thrown;
    }
    // At least two chunks, forwards, again, and back twice.
    CHECK(thrown >= 2 * 4);
  }
}

TEST_CASE("what is wrong with a head is found before anything is written") {
  linear_data<double> data{9, 13, 5};
  std::vector<double> log_sum_exp(9), log_prob(9, -77);
  linear_results<double> got{data};
  auto const forward = [&](linear_head<double> const& head, std::vector<std::int64_t> const& labels,
                           linear_options const& options = {}) {
    auto const text = refusal([&] { linear_token_logprobs(head, labels, {.log_prob = log_prob}, plain{}, options); });
    CHECK(log_prob == std::vector<double>(log_prob.size(), -77));
    return text;
  };
  auto const backward = [&](prefopt::linear_gradients<double> const& gradients) {
    auto const hidden = data.hidden, weight = data.weight;
    auto const text = refusal([&] {
      linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, gradients, plain{});
    });
    CHECK(got == linear_results<double>{data});
    CHECK((same_numbers(hidden, data.hidden) && same_numbers(weight, data.weight)));
    return text;
  };
  std::string const where = "prefopt::linear_token_logprobs: ", back = "prefopt::linear_token_logprob_gradients: ";
  auto head = data.head();
  head.weight = {data.weight.data(), 13, 4, 6};
  CHECK(forward(head, data.labels) == where + "weight is 13 x 4, hidden is 9 x 5: their widths, the columns, differ");
  head = data.head();
  head.weight = {data.weight.data() + 12 * 6, 13, 5, -6};
  CHECK(forward(head, data.labels) == where + "weight has a row stride of -6, expected at least its 5 columns");
  head = data.head();
  head.bias = {data.bias.data(), 12};
  CHECK(forward(head, data.labels) == where + "bias has 12 elements, weight has 13 rows");
  auto labels = data.labels;
  labels.pop_back();
  CHECK(forward(data.head(), labels) == where + "labels has 8 elements, hidden has 9 rows");
  labels.push_back(13);
  CHECK(forward(data.head(), labels) ==
        where + "labels[8] is 13, expected a token in [0, 13) or -100, which is ignored");
  // A row of 13 logits, and of 5 hidden states and their gradient.
  CHECK(forward(data.head(), data.labels, {.memory_budget = 183}) ==
        where + "memory_budget is 183 bytes, one row of logits takes 184");
  CHECK(refusal([&] {
          linear_token_logprobs(data.head(), data.labels, {.log_prob = {log_prob.data(), 8}}, plain{});
        }).find("output log_prob has 8") != std::string::npos);
  CHECK(forward(data.head(), data.labels, {.memory_budget = 0}).find("memory_budget is 0") != std::string::npos);

  auto targets = got.targets();
  targets.hidden = {got.hidden.data(), 8, 5, 8};
  CHECK(backward(targets) == back + "gradient hidden is 8 x 5, hidden is 9 x 5");
  targets = got.targets();
  targets.weight = {got.weight.data(), 13, 4, 8};
  CHECK(backward(targets) == back + "gradient weight is 13 x 4, weight is 13 x 5");
  targets.weight = {got.weight.data(), 13, 5, 4};
  CHECK(backward(targets).find("the rows of gradient weight overlap") != std::string::npos);
  targets = got.targets();
  targets.bias = {got.bias.data(), 12};
  CHECK(backward(targets) == back + "gradient bias has 12 elements, weight has 13 rows");
  targets = got.targets();
  targets.hidden = {data.hidden.data(), 9, 5, 7};
  CHECK(backward(targets) == back + "gradient hidden overlaps hidden");
  targets.hidden = {data.weight.data(), 9, 5, 7};
  CHECK(backward(targets) == back + "gradient hidden overlaps weight");
  targets = got.targets();
  targets.weight = {data.weight.data(), 13, 5, 6};
  CHECK(backward(targets) == back + "gradient weight overlaps weight");
  targets.weight = {data.hidden.data(), 13, 5, 5};
  // The view ends behind the memory, which is not touched.
  CHECK(backward(targets) == back + "gradient weight overlaps hidden");
  targets = got.targets();
  CHECK(refusal([&] {
          linear_token_logprob_gradients(data.head(), data.labels, {}, data.d_log_prob, targets, plain{});
        }) == back + "log_sum_exp is not given");
  CHECK(refusal([&] { linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, {}, targets, plain{}); }) ==
        back + "d_log_prob is not given");
  CHECK(got == linear_results<double>{data});
}
