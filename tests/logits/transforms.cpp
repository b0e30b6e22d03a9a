// Transforms of logits: what is refused, what leaves every bit, and that nothing but the row decides.
#include <refusal.hpp>
#include <string>
#include <vector>

#include "logit_rows.hpp"

using namespace prefopt;

namespace {

/// All of a row's results under a transform, in one list.
template <class U>
std::vector<double> all_under(row_major<U const> const& logits, std::vector<std::int64_t> const& labels,
                              logit_transform const& by, executor const& run = {}) {
  using T = computed<U>;
  std::size_t const rows = logits.rows(), columns = logits.columns();
  std::vector<T> log_prob(rows), entropy(rows), square_sum(rows), highest(rows);
  std::vector<double> log_sum_exp(rows), all;
  token_options const options{.executor = run, .transform = by};
  token_logprobs(logits, labels,
                 {.log_prob = log_prob,
                  .log_sum_exp = log_sum_exp,
                  .entropy = entropy,
                  .square_sum = square_sum,
                  .highest = highest},
                 options);
  auto const keep = [&](auto const& values) {
    for (auto const value : values) all.push_back(static_cast<double>(exact(value)));
  };
  for (auto const* values : {&log_prob, &entropy, &square_sum, &highest}) keep(*values);
  keep(log_sum_exp);
  std::vector<U> gradient(rows * columns);
  row_major<U> const target{gradient.data(), rows, columns};
  std::vector<T> const d(rows, T(-0.75)), d_entropy(rows, T(0.5));
  token_logprob_gradients(logits, labels, log_sum_exp, d, target, options);
  keep(gradient);
  token_logprob_gradients(logits, labels,
                          {.log_sum_exp = log_sum_exp, .d_log_prob = d, .d_entropy = d_entropy, .entropy = entropy},
                          target, options);
  keep(gradient);
  token_logprobs_and_gradients(
      logits, labels, [](std::size_t, T) noexcept { return -0.75; }, target, {}, options);
  keep(gradient);
  token_logprobs_and_gradients(
      logits, labels,
      [](std::size_t, T, T) noexcept {
        return token_slope{-0.75, 0.5};
      },
      target, {}, options);
  keep(gradient);
  return all;
}

constexpr logit_transform capped{.scale = 0.5, .soft_cap = 20, .temperature = 0.8}, tempered{.temperature = 1.3};

/// Runs the parts from the last to the first.
constexpr auto backwards = [](std::size_t parts, executor::task const& work) {
  while (parts-- > 0) work(parts);
};

}  // namespace

TEMPLATE_TEST_CASE("factors that cancel are no transform, bit for bit", "", float, double, bfloat16, float16) {
  using U = TestType;
  oracle::random_numbers random{61};
  std::vector<std::int64_t> const labels{5, 600};
  auto logits = row_of<U>(spread::wide, 601, 5, random);
  auto const second = row_of<U>(spread::mostly_masked, 601, 600, random);
  logits.insert(logits.end(), second.begin(), second.end());
  row_major<U const> const view{logits.data(), 2, 601};
  auto const plain = all_under<U>(view, labels, {});
  CHECK(same_numbers(all_under<U>(view, labels, {.scale = 3, .temperature = 3}), plain));
  // A factor of two is exact.
  std::vector<U> doubled;
  for (U const x : logits) doubled.push_back(stored<U>(static_cast<double>(2 * exact(x))));
  auto const halved = all_under<U>({doubled.data(), 2, 601}, labels, {.temperature = 2});
  for (std::size_t i = 0; i < 10; ++i) CHECK(same_number(halved[i], plain[i]));
}

TEMPLATE_TEST_CASE("a transformed row's results depend on the row alone", "", float, double, bfloat16, float16) {
  using U = TestType;
  oracle::random_numbers random{62};
  constexpr std::size_t rows = 12, columns = 9000;
  for (logit_transform const& by : {capped, tempered}) {
    std::vector<U> logits;
    std::vector<std::int64_t> labels;
    for (std::size_t row = 0; row < rows; ++row) {
      labels.push_back(row % 5 == 4 ? -100 : static_cast<std::int64_t>(random.bits() % columns));
      auto const values = row_of<U>(every_spread[row], columns,
                                    static_cast<std::size_t>(std::max<std::int64_t>(labels.back(), 0)), random);
      logits.insert(logits.end(), values.begin(), values.end());
    }
    row_major<U const> const view{logits.data(), rows, columns};
    auto const together = all_under<U>(view, labels, by);
    CHECK(same_numbers(all_under<U>(view, labels, by, backwards), together));
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<U> moved(columns + 3);
      std::copy_n(logits.data() + row * columns, columns, moved.data() + 3);
      auto const alone = all_under<U>({moved.data() + 3, 1, columns}, {labels[row]}, by);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < 5; ++i) wrong += same_number(alone[i], together[i * rows + row]) ? 0 : 1;
      for (std::size_t pass = 0; pass < 4; ++pass) {
        for (std::size_t j = 0; j < columns; ++j) {
          wrong += same_number(alone[5 + pass * columns + j], together[5 * rows + (pass * rows + row) * columns + j])
                       ? 0
                       : 1;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEMPLATE_TEST_CASE("under a cap masked tokens stay masked, mistakes stay mistakes, huge logits teach nothing", "",
                   float, double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  double const infinity = std::numeric_limits<double>::infinity();
  for (std::size_t const size : {std::size_t{5}, std::size_t{1100}}) {
    std::vector<U> row(size, stored<U>(-infinity));
    row[0] = stored<U>(1e4);
    row[2] = stored<U>(-1e4);
    std::vector<std::int64_t> const labels{2};
    // Both beyond the cap: e^10 and e^-10.
    auto const seen = all_under<U>({row.data(), 1, size}, labels, {.soft_cap = 10});
    CHECK(std::fabs(seen[0] + 20) < 1e-5);
    CHECK(seen[3] == 0);
    for (std::size_t i = 5; i < seen.size(); ++i) CHECK(seen[i] == 0);
    for (double const mistake : {infinity, std::numeric_limits<double>::quiet_NaN()}) {
      auto wrong = row;
      wrong[size - 1] = stored<U>(mistake);
      auto const all = all_under<U>({wrong.data(), 1, size}, labels, {.soft_cap = 30});
      CHECK(std::all_of(all.begin(), all.end(), [](double x) { return std::isnan(x); }));
    }
    // The temperature's limits: one token, or every one alike.
    auto const cold = all_under<U>({row.data(), 1, size}, {0}, {.temperature = 1e-12});
    CHECK(cold[0] == 0);
    CHECK(cold[3] == 1);
    auto const hot = all_under<U>({row.data(), 1, size}, {0}, {.temperature = 1e12});
    // Next to nothing is left of 1e4, which is more than a rounding of a double.
    double const left = static_cast<double>(static_cast<float>(row[0])) * 1e-12;
    CHECK(std::fabs(hot[0] + std::log(2.0) - left) <= static_cast<double>(std::numeric_limits<T>::epsilon()));
    CHECK(std::fabs(hot[1] - std::log(2.0)) <= static_cast<double>(std::numeric_limits<T>::epsilon()));
  }
}

TEST_CASE("transforms that are refused, before anything is written") {
  double const infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<float> const logits(6, 1.0F), d{1, 1};
  std::vector<float> log_prob{7, 7}, gradient(6, 7.0F);
  std::vector<double> const log_sum_exp{1, 1};
  std::vector<std::int64_t> const labels{0, 1};
  row_major<float const> const view{logits.data(), 2, 3};
  row_major<float> const target{gradient.data(), 2, 3};
  auto const with = [&](logit_transform const& by) {
    token_options const options{.transform = by};
    std::string const forward = refusal([&] { token_logprobs(view, labels, {.log_prob = log_prob}, options); }),
                      backward =
                          refusal([&] { token_logprob_gradients(view, labels, log_sum_exp, d, target, options); }),
                      fused = refusal([&] {
                        token_logprobs_and_gradients(
                            view, labels, [](std::size_t, float) noexcept { return 1.0; }, target, {}, options);
                      });
    CHECK(backward.substr(backward.find(": ")) == forward.substr(forward.find(": ")));
    CHECK(fused.substr(fused.find(": ")) == forward.substr(forward.find(": ")));
    CHECK(log_prob == std::vector<float>(2, 7.0F));
    CHECK(gradient == std::vector<float>(6, 7.0F));
    return forward;
  };
  CHECK(with({.temperature = 0}) == "prefopt::token_logprobs: temperature is 0, expected a finite number > 0");
  CHECK(with({.temperature = -1}) == "prefopt::token_logprobs: temperature is -1, expected a finite number > 0");
  CHECK(with({.temperature = nan}) == "prefopt::token_logprobs: temperature is nan, expected a finite number > 0");
  CHECK(with({.scale = infinity}) == "prefopt::token_logprobs: scale is inf, expected a finite number > 0");
  CHECK(with({.scale = 0}) == "prefopt::token_logprobs: scale is 0, expected a finite number > 0");
  CHECK(with({.soft_cap = 0}) == "prefopt::token_logprobs: soft_cap is 0, expected a number > 0, or infinity for none");
  CHECK(with({.soft_cap = nan}) ==
        "prefopt::token_logprobs: soft_cap is nan, expected a number > 0, or infinity for none");
  CHECK(with({.temperature = 1e300}) ==
        "prefopt::token_logprobs: scale / temperature is 1e-300, expected a number from 1e-12 to 1e12");
  CHECK(with({.soft_cap = 1e39}) ==
        "prefopt::token_logprobs: soft_cap / temperature is 1e+39, expected a number from 1e-12 to 1e12");
  CHECK(with({.scale = 1e8, .soft_cap = 1e-8}) ==
        "prefopt::token_logprobs: scale / soft_cap is 1e+16, expected a number from 1e-12 to 1e12");
}

TEST_CASE("the gradient by the entropy needs the entropy") {
  std::vector<float> const logits(6, 1.0F), two{1, 1}, three{1, 1, 1};
  std::vector<float> gradient(6, 7.0F);
  std::vector<double> const log_sum_exp{1, 1};
  std::vector<std::int64_t> const labels{0, 1};
  auto const with = [&](token_logprob_slopes<float> const& slopes) {
    auto const text = refusal([&] {
      token_logprob_gradients(row_major<float const>{logits.data(), 2, 3}, labels, slopes, {gradient.data(), 2, 3});
    });
    CHECK(gradient == std::vector<float>(6, 7.0F));
    return text;
  };
  CHECK(with({.log_sum_exp = log_sum_exp, .d_log_prob = two, .d_entropy = two}) ==
        "prefopt::token_logprob_gradients: entropy is not given, which d_entropy needs");
  CHECK(with({.log_sum_exp = log_sum_exp, .d_entropy = three, .entropy = two}) ==
        "prefopt::token_logprob_gradients: d_entropy has 3 elements, logits has 2 rows");
  CHECK(with({.log_sum_exp = log_sum_exp, .d_entropy = two, .entropy = three}) ==
        "prefopt::token_logprob_gradients: entropy has 3 elements, logits has 2 rows");
  CHECK(with({.d_entropy = two, .entropy = two}) == "prefopt::token_logprob_gradients: log_sum_exp is not given");
  CHECK(with({.log_sum_exp = log_sum_exp}) == "prefopt::token_logprob_gradients: d_log_prob is not given");
}

TEST_CASE("gradients in two passes where a step of the numbers is far beyond what a probability can follow") {
  struct row {
    std::vector<float> logits;
    double temperature, d_log_prob;
    std::vector<float> right;
  };
  std::vector<row> const rows{{{2e9F, 2e9F}, 1, 1, {0.5F, -0.5F}},
                              {{20, 20, 19}, 1e-8, 1, {5e7F, -5e7F, 0}},
                              {{3e4F, 3e4F, 1}, 1e-5, 1, {5e4F, -5e4F, 0}},
                              {{-3e4F, -4e4F, -3e4F}, 1e-5, 2, {1e5F, 0, -1e5F}}};
  for (auto const& [logits, temperature, d_log_prob, right] : rows) {
    std::vector<std::int64_t> const labels{0};
    std::vector<double> log_sum_exp(1);
    std::vector<float> gradient(logits.size());
    std::vector<float> const d{static_cast<float>(d_log_prob)};
    row_major<float const> const view{logits.data(), 1, logits.size()};
    token_options const options{.transform = {.temperature = temperature}};
    token_logprobs(view, labels, {.log_sum_exp = log_sum_exp}, options);
    token_logprob_gradients(view, labels, {.log_sum_exp = log_sum_exp, .d_log_prob = d},
                            {gradient.data(), 1, logits.size()}, options);
    CAPTURE(logits, temperature, gradient);
    for (std::size_t j = 0; j < logits.size(); ++j) {
      CHECK(std::fabs(gradient[j] - right[j]) <= 1e-6F * std::fabs(right[j]));
    }
  }
}
