// Gradients of a head without the tokens that nearly nothing is to be learned of.
#include <algorithm>
#include <cstdio>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/loss/dpo.hpp>

#include "host_products.hpp"
#include "linear_data.hpp"
#include "thread_pool.hpp"
#include "trained_head.hpp"

using prefopt::filter_report;
using prefopt::gradient_write;
using prefopt::linear_options;

namespace {

double norm(std::vector<double> const& x) {
  double sum = 0;
  for (double const number : x) sum += number * number;
  return std::sqrt(sum);
}

template <class T>
double distance(std::vector<T> const& got, std::vector<double> const& right, double before = 0) {
  double sum = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double const off = static_cast<double>(got[i]) - before - right[i];
    sum += off * off;
  }
  return std::sqrt(sum);
}

template <class T>
struct gradients_of_head {
  std::vector<T> hidden, weight;
  filter_report report{};

  bool operator==(gradients_of_head const& other) const {
    return same_numbers(hidden, other.hidden) && same_numbers(weight, other.weight);
  }
};

template <class Product = prefopt::eigen_product, class U>
auto gradients(trained_head<U> const& data, linear_options options, double before = 0, bool with_report = true) {
  using T = prefopt::detail::computed_of<U>;
  gradients_of_head<T> got{std::vector<T>(data.hidden.size(), static_cast<T>(before)),
                           std::vector<T>(data.weight.size(), static_cast<T>(before))};
  options.transform = data.transform;
  if (with_report) options.filter.report = &got.report;
  if (before != 0) options.gradient = gradient_write::accumulate;
  linear_token_logprob_gradients(data.head(), data.labels,
                                 prefopt::token_logprob_slopes<T>{.log_sum_exp = data.log_sum_exp,
                                                                  .d_log_prob = data.d_log_prob,
                                                                  .d_entropy = data.d_entropy,
                                                                  .entropy = data.entropy},
                                 {.hidden = {got.hidden.data(), data.rows, data.width},
                                  .weight = {got.weight.data(), data.vocabulary, data.width}},
                                 Product{}, options);
  return got;
}

template <class U>
void check_trained(char const* name) {
  trained_head<U> const data{256, 4000, 64, 3};
  auto const plain = gradients(data, {});
  auto const filtered = gradients(data, {.filter = {.tolerance = 0x1p-12}});
  double const of_hidden = norm(data.d_hidden), of_weight = norm(data.d_weight);
  double const hidden_off = distance(filtered.hidden, data.d_hidden) / of_hidden,
               weight_off = distance(filtered.weight, data.d_weight) / of_weight;
  std::printf(
      "%-8s filtered at 2^-12: %.3f of the columns kept, %.4f dropped; d_hidden off by %.5f (bound %.4f, without "
      "a filter %.7f), d_weight by %.5f (%.4f, %.7f)\n",
      name, filtered.report.kept, filtered.report.dropped, hidden_off, filtered.report.hidden_error / of_hidden,
      distance(plain.hidden, data.d_hidden) / of_hidden, weight_off, filtered.report.weight_error / of_weight,
      distance(plain.weight, data.d_weight) / of_weight);
  CHECK(filtered.report.kept < 0.6);
  CHECK(filtered.report.dropped > 0);
  CHECK(filtered.report.dropped < 0.05);
  CHECK(hidden_off < 0.005);
  CHECK(weight_off < 0.003);
}

/// What a filter leaves out and how far off that is, by its definition: number by number, from the gradient by the logits.
filter_report plain_report(trained_head<double> const& of, double tolerance) {
  constexpr std::size_t most = 128;
  // Rows without a label are not there.
  std::vector<std::vector<std::size_t>> tiles(1);
  for (std::size_t i = 0; i < of.rows; ++i) {
    if (of.labels[i] < 0) continue;
    if (tiles.back().size() == most) tiles.emplace_back();
    tiles.back().push_back(i);
  }
  auto const size_of = [&](std::size_t i) {
    return (std::abs(of.d_log_prob[i]) + std::abs(of.d_entropy[i])) / of.transform.temperature;
  };
  auto const is_rising = [&](std::size_t i) {
    return of.d_log_prob[i] < 0 || (of.d_log_prob[i] == 0 && of.d_entropy[i] < 0);
  };
  auto const gradient = [&](std::size_t i, std::size_t j) { return of.d_logits[i * of.vocabulary + j]; };
  auto const squares_of = [&](std::vector<double> const& x, std::size_t row) {
    double sum = 0;
    for (std::size_t k = 0; k < of.width; ++k) sum += x[row * of.width + k] * x[row * of.width + k];
    return sum;
  };
  double kept = 0, dropped = 0, all = 0, hidden_square = 0, weight_error = 0;
  for (auto const& rows : tiles) {
    std::vector<std::size_t> left_out;
    for (std::size_t j = 0; j < of.vocabulary; ++j) {
      bool const stays = std::any_of(rows.begin(), rows.end(), [&](std::size_t i) {
        return size_of(i) > 0 &&
               (of.labels[i] == static_cast<std::int64_t>(j) || std::abs(gradient(i, j)) >= tolerance * size_of(i));
      });
      stays ? void(++kept) : left_out.push_back(j);
    }
    std::vector<double> by_row(of.rows), by_column(of.vocabulary);
    double total = 0, of_hidden = 0, squares = 0;
    for (std::size_t const i : rows) {
      double const sign = is_rising(i) ? 1 : -1;
      for (std::size_t j = 0; j < of.vocabulary; ++j) all += std::abs(gradient(i, j));
      for (std::size_t const j : left_out) {
        dropped += std::abs(gradient(i, j));
        by_row[i] += gradient(i, j);
        by_column[j] += sign * gradient(i, j);
      }
      total += sign * by_row[i];
      of_hidden += squares_of(of.hidden, i);
    }
    for (std::size_t const i : rows) {
      double of_row = 0;
      for (std::size_t const j : left_out) {
        double const off = gradient(i, j) - (total > 0 ? by_row[i] * by_column[j] / total : 0);
        of_row += std::abs(off) * std::sqrt(squares_of(of.weight, j));
        squares += off * off;
      }
      hidden_square += of_row * of_row;
    }
    weight_error += std::sqrt(squares * of_hidden);
  }
  return {kept / static_cast<double>(tiles.size() * of.vocabulary), dropped / all, std::sqrt(hidden_square),
          weight_error};
}

}  // namespace

TEST_CASE("a filter's report is what its definition says, each number apart") {
  // Vocabularies end in the middle of a part, of a vector and of both; the last of them is in parts of 512.
  for (std::size_t const vocabulary : {std::size_t{131}, std::size_t{519}, std::size_t{1030}}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      prefopt::logit_transform transform;
      if (seed % 2 == 1) transform = {.temperature = 1.5};
      trained_head<double> const data{40 + 60 * seed, vocabulary,   11, seed, 0.6 + 0.3 * static_cast<double>(seed),
                                      transform,      seed % 4 >= 2};
      for (double const tolerance : {0x1p-3, 0x1p-7, 0x1p-10}) {
        CAPTURE(vocabulary, seed, tolerance);
        auto const got = gradients(data, {.filter = {.tolerance = tolerance}}).report;
        auto const right = plain_report(data, tolerance);
        CHECK(got.kept == Approx(right.kept).epsilon(1e-12));
        CHECK(got.dropped == Approx(right.dropped).epsilon(1e-9));
        // A thousandth is for the roundings of float; of hidden states two.
        CHECK(got.hidden_error == Approx(1.001 * 1.001 * right.hidden_error).epsilon(1e-9).margin(1e-15));
        CHECK(got.weight_error == Approx(1.001 * right.weight_error).epsilon(1e-9).margin(1e-15));
      }
    }
  }
}

TEST_CASE("a filter at 2^-12 leaves gradients of a trained model within half a percent") {
  check_trained<double>("double");
  check_trained<float>("float");
}

TEST_CASE("what a filter says of its error holds, whatever the head and the slopes") {
  double closest_hidden = 0, closest_weight = 0;
  oracle::random_numbers random{17};
  for (std::uint64_t trial = 0; trial < 24; ++trial) {
    std::size_t const rows = 20 + random.bits() % 260, vocabulary = 129 + random.bits() % 1200,
                      width = 3 + random.bits() % 30;
    prefopt::logit_transform transform;
    if (trial % 3 == 1) transform = {.temperature = 1.5};
    if (trial % 3 == 2) transform = {.soft_cap = 8};
    trained_head<double> const data{rows,      vocabulary,    width, trial, 0.5 + 0.2 * static_cast<double>(trial % 12),
                                    transform, trial % 4 == 3};
    double const tolerance = std::exp2(-3 - static_cast<double>(trial % 11)), before = trial % 5 == 4 ? 0.25 : 0;
    linear_options const options{.memory_budget = trial % 2 == 0 ? std::size_t{256} << 20 : std::size_t{1} << 20,
                                 .filter = {.tolerance = tolerance}};
    auto const got = gradients(data, options, before);
    INFO("trial " << trial << ": " << rows << " rows, " << vocabulary << " tokens, width " << width << ", tolerance "
                  << tolerance);
    // Of double nothing is lost beside what is filtered.
    double const hidden = distance(got.hidden, data.d_hidden, before),
                 weight = distance(got.weight, data.d_weight, before);
    CHECK(hidden <= got.report.hidden_error + 1e-10 * (norm(data.d_hidden) + before));
    CHECK(weight <= got.report.weight_error + 1e-10 * (norm(data.d_weight) + before));
    CHECK(got == gradients(data, options, before, false));
    if (got.report.kept < 1) {
      closest_hidden = std::max(closest_hidden, hidden / got.report.hidden_error);
      closest_weight = std::max(closest_weight, weight / got.report.weight_error);
    }
  }
  std::printf("the error of a filter is at most %.3f of its bound for d_hidden, %.3f for d_weight\n", closest_hidden,
              closest_weight);
  CHECK(closest_hidden > 0.01);
  CHECK(closest_weight > 0.01);
}

TEST_CASE("a tolerance of 0 is no filter, and one below all probabilities filters nothing") {
  trained_head<double> const data{150, 600, 9, 5};
  auto const plain = gradients(data, {}), off = gradients(data, {.filter = {.tolerance = 0}});
  CHECK(plain == off);
  // No report is written of what does not happen.
  CHECK(off.report.kept == 1);
  auto const all = gradients(data, {.filter = {.tolerance = 1e-200}});
  CHECK(all.report.kept == 1);
  CHECK(all.report.dropped == 0);
  CHECK(all.report.hidden_error == 0);
  CHECK(all.report.weight_error == 0);
  CHECK(distance(all.hidden, plain.hidden) <= 1e-13 * norm(data.d_hidden));
  CHECK(distance(all.weight, plain.weight) <= 1e-13 * norm(data.d_weight));
}

TEST_CASE("of no rows that count a filter leaves nothing out") {
  trained_head<double> data{20, 300, 5, 4};
  std::fill(data.labels.begin(), data.labels.end(), -100);
  auto got = gradients(data, {.filter = {.tolerance = 0.01}});
  CHECK(norm(got.hidden) + norm(got.weight) == 0);
  CHECK(got.report.kept == 1);
}

TEST_CASE("filtered gradients have the same bits on any number of threads") {
  trained_head<float> const data{300, 1500, 20, 6};
  for (std::size_t const budget : {std::size_t{1} << 20, std::size_t{64} << 20}) {
    linear_options options{.memory_budget = budget, .filter = {.tolerance = 0x1p-9}};
    auto const alone = gradients(data, options);
    CHECK(alone.report.kept < 0.7);
    for (std::size_t const threads : {1U, 2U, 5U}) {
      thread_pool const pool{threads};
      options.executor = pool;
      auto const together = gradients(data, options);
      CHECK(together == alone);
      CHECK(together.report.hidden_error == alone.report.hidden_error);
      CHECK(together.report.weight_error == alone.report.weight_error);
      CHECK(together.report.dropped == alone.report.dropped);
    }
  }
}

TEST_CASE("a row that is not a number spoils its own hidden gradient only, filtered too") {
  trained_head<double> data{140, 400, 6, 8};
  std::size_t const bad = 4;
  data.d_log_prob[bad] = std::numeric_limits<double>::quiet_NaN();
  auto const got = gradients(data, {.filter = {.tolerance = 0x1p-8}});
  for (std::size_t i = 0; i < got.hidden.size(); ++i) CHECK(std::isnan(got.hidden[i]) == (i / data.width == bad));
}

TEST_CASE("a policy filters the gradients of a loss, with 16-bit factors, too") {
  trained_head<prefopt::bfloat16> data{256, 3000, 48, 9};
  std::vector<float> const reference{-100, -110};
  using product = plain_half_product<prefopt::bfloat16>;
  auto const step = [&](prefopt::gradient_filter const& filter, std::vector<float>& hidden,
                        std::vector<float>& weight) {
    hidden.resize(data.hidden.size());
    weight.resize(data.weight.size());
    prefopt::linear_policy<prefopt::bfloat16, product> policy{
        .head = data.head(), .tokens = {.labels = data.labels, .tokens_per_sequence = 128}, .filter = filter};
    policy.gradients = {.hidden = {hidden.data(), data.rows, data.width},
                        .weight = {weight.data(), data.vocabulary, data.width}};
    return evaluate(prefopt::dpo{}, policy, {.ref_log_prob = reference}).loss;
  };
  std::vector<float> hidden, weight, filtered_hidden, filtered_weight;
  filter_report report;
  CHECK(step({}, hidden, weight) == step({.tolerance = 0x1p-12, .report = &report}, filtered_hidden, filtered_weight));
  std::vector<double> const plain_hidden(hidden.begin(), hidden.end()), plain_weight(weight.begin(), weight.end());
  CHECK(report.kept < 0.7);
  CHECK(distance(filtered_hidden, plain_hidden) < 0.005 * norm(plain_hidden));
  CHECK(distance(filtered_weight, plain_weight) < 0.003 * norm(plain_weight));
  // Both are rounded to 8 bits, here and there.
  CHECK(distance(filtered_hidden, plain_hidden) <= report.hidden_error + 0x1p-12 * norm(plain_hidden));
  CHECK(distance(filtered_weight, plain_weight) <= report.weight_error + 0x1p-12 * norm(plain_weight));
}

TEST_CASE("a filter is refused where it could not help") {
  linear_data<double> data{9, 13, 5};
  std::vector<double> log_sum_exp(9), d_weight(13 * 5), log_prob(9);
  auto const text = [&](double tolerance, bool of_weight) {
    prefopt::linear_gradients<double> targets{.bias = data.bias};
    if (of_weight) targets.weight = {d_weight.data(), 13, 5};
    return refusal([&] {
      linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, targets,
                                     plain_product<double>{}, {.filter = {.tolerance = tolerance}});
    });
  };
  std::string const where = "prefopt::linear_token_logprob_gradients: filter.tolerance is ";
  CHECK(text(-0.5, true) == where + "-0.5, expected a number in [0, 1)");
  CHECK(text(1, true) == where + "1, expected a number in [0, 1)");
  CHECK(text(std::nan(""), true).find("expected a number in [0, 1)") != std::string::npos);
  CHECK(text(0.25, false) ==
        where + "0.25, but no gradient by hidden or weight is wanted: there is no product to be made shorter");
  CHECK(text(0.25, true) == where +
                                "0.25, but weight has only 13 tokens: 128 rows may have them all as labels, "
                                "and none is left out");
  CHECK(refusal([&] {
          linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob}, plain_product<double>{},
                                {.filter = {.tolerance = 0.25}});
        }).find("no gradient by hidden or weight is wanted") != std::string::npos);
}
