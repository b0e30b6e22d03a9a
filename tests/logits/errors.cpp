// Every check on entry: its exact words, and that nothing is written before it. And nothing is allocated.
#include <Eigen/Core>
#include <counted_allocations.hpp>
#include <refusal.hpp>
#include "logit_rows.hpp"

using namespace prefopt;

namespace {

/// Three rows of five, and room for all results.
struct three_rows {
  std::vector<float> logits = std::vector<float>(15, 0.5F);
  std::vector<std::int64_t> labels{0, -100, 4};
  std::vector<float> values = std::vector<float>(3, 7), d = values, gradient = std::vector<float>(15, 7);
  std::vector<double> sums = std::vector<double>(3, 7);

  [[nodiscard]] row_major<float const> view() const { return {logits.data(), 3, 5}; }
  [[nodiscard]] row_major<float> target() { return {gradient.data(), 3, 5}; }

  [[nodiscard]] bool untouched() const {
    auto const is_7 = [](auto x) { return x == 7; };
    return std::all_of(values.begin(), values.end(), is_7) && std::all_of(sums.begin(), sums.end(), is_7) &&
           std::all_of(gradient.begin(), gradient.end(), is_7) &&
           std::all_of(logits.begin(), logits.end(), [](float x) { return x == 0.5F; });
  }

  std::string forward(row_major<float const> const& from, token_logprob_outputs<float> const& outputs,
                      std::int64_t ignored = -100) {
    auto const text = refusal([&] { token_logprobs(from, labels, outputs, {.ignore_index = ignored}); });
    return untouched() ? text : "written before the error: " + text;
  }
  std::string backward(row_major<float const> const& from, column<double> const& saved, column<float> const& slope,
                       row_major<float> const& to, gradient_write how = gradient_write::assign) {
    auto const text = refusal([&] { token_logprob_gradients(from, labels, saved, slope, to, {.gradient = how}); });
    return untouched() ? text : "written before the error: " + text;
  }
  std::string fused(row_major<float const> const& from, row_major<float> const& to,
                    token_logprob_outputs<float> const& outputs = {}, gradient_write how = gradient_write::assign) {
    std::size_t calls = 0;
    auto const slope = [&](std::size_t, float) noexcept { return static_cast<double>(++calls); };
    auto const text =
        refusal([&] { token_logprobs_and_gradients(from, labels, slope, to, outputs, {.gradient = how}); });
    return untouched() && calls == 0 ? text : "written before the error: " + text;
  }
};

}  // namespace

TEST_CASE("labels are tokens or ignored, one for each row") {
  auto const with = [](std::vector<std::int64_t> labels, std::int64_t ignored = -100) {
    three_rows rows;
    rows.labels = std::move(labels);
    auto const text = rows.forward(rows.view(), {.log_prob = rows.values, .log_sum_exp = rows.sums}, ignored);
    // The other two find the same.
    auto const tail = [](std::string const& message) { return message.substr(message.find(": ")); };
    if (ignored == -100) {
      CHECK(tail(rows.backward(rows.view(), rows.sums, rows.d, rows.target())) == tail(text));
      CHECK(tail(rows.fused(rows.view(), rows.target())) == tail(text));
    }
    return text;
  };
  CHECK(with({0, 1}) == "prefopt::token_logprobs: labels has 2 elements, logits has 3 rows");
  CHECK(with({0}) == "prefopt::token_logprobs: labels has 1 element, logits has 3 rows");
  CHECK(with({}) == "prefopt::token_logprobs: labels has 0 elements, logits has 3 rows");
  CHECK(with({0, 4, 5}) ==
        "prefopt::token_logprobs: labels[2] is 5, expected a token in [0, 5) or -100, which is ignored");
  CHECK(with({-1, 4, 5}) ==
        "prefopt::token_logprobs: labels[0] is -1, expected a token in [0, 5) or -100, which is ignored");
  CHECK(with({0, -100, 1}, -1) ==
        "prefopt::token_logprobs: labels[1] is -100, expected a token in [0, 5) or -1, which is ignored");
  CHECK(with({0, std::numeric_limits<std::int64_t>::min(), 1}) ==
        "prefopt::token_logprobs: labels[1] is -9223372036854775808, expected a token in [0, 5) or -100, which is "
        "ignored");
  CHECK(with({0, 1, std::int64_t{1} << 32}) ==
        "prefopt::token_logprobs: labels[2] is 4294967296, expected a token in [0, 5) or -100, which is ignored");
}

TEST_CASE("rows are contiguous") {
  three_rows rows;
  Eigen::MatrixXf by_column = Eigen::MatrixXf::Constant(3, 5, 7);
  row_major<float> const wrong{by_column};
  CHECK(rows.forward(wrong, {.log_prob = rows.values}) ==
        "prefopt::token_logprobs: logits has a column stride of 3, expected rows that are contiguous (row-major)");
  CHECK(rows.backward(wrong, rows.sums, rows.d, rows.target()) ==
        "prefopt::token_logprob_gradients: logits has a column stride of 3, expected rows that are contiguous "
        "(row-major)");
  CHECK(rows.backward(rows.view(), rows.sums, rows.d, wrong) ==
        "prefopt::token_logprob_gradients: d_logits has a column stride of 3, expected rows that are contiguous "
        "(row-major)");
  CHECK(rows.fused(rows.view(), wrong) ==
        "prefopt::token_logprobs_and_gradients: d_logits has a column stride of 3, expected rows that are contiguous "
        "(row-major)");
  CHECK(by_column == Eigen::MatrixXf::Constant(3, 5, 7));
}

TEST_CASE("outputs and what is saved have one element for each row") {
  three_rows rows;
  std::vector<float> two(2, 7);
  std::vector<double> four(4, 7);
  auto const forward = [&](token_logprob_outputs<float> const& outputs) {
    auto const text = rows.forward(rows.view(), outputs);
    auto const fused = rows.fused(rows.view(), rows.target(), outputs);
    CHECK(fused.substr(fused.find(": ")) == text.substr(text.find(": ")));
    return text;
  };
  CHECK(forward({.log_prob = two}) == "prefopt::token_logprobs: output log_prob has 2 elements, logits has 3 rows");
  CHECK(forward({.log_sum_exp = four}) ==
        "prefopt::token_logprobs: output log_sum_exp has 4 elements, logits has 3 rows");
  CHECK(forward({.log_prob = rows.values, .entropy = two}) ==
        "prefopt::token_logprobs: output entropy has 2 elements, logits has 3 rows");
  CHECK(forward({.square_sum = two}) == "prefopt::token_logprobs: output square_sum has 2 elements, logits has 3 rows");
  CHECK(forward({.highest = {two.data(), 1}}) ==
        "prefopt::token_logprobs: output highest has 1 element, logits has 3 rows");

  auto const backward = [&](column<double> const& saved, column<float> const& slope) {
    return rows.backward(rows.view(), saved, slope, rows.target());
  };
  CHECK(backward({}, rows.d) == "prefopt::token_logprob_gradients: log_sum_exp is not given");
  CHECK(backward(rows.sums, {}) == "prefopt::token_logprob_gradients: d_log_prob is not given");
  CHECK(backward(four, rows.d) == "prefopt::token_logprob_gradients: log_sum_exp has 4 elements, logits has 3 rows");
  CHECK(backward(rows.sums, two) == "prefopt::token_logprob_gradients: d_log_prob has 2 elements, logits has 3 rows");
}

TEST_CASE("the gradient has the shape of the logits, rows apart from each other, and lies in place or apart") {
  three_rows rows;
  auto const both = [&](row_major<float const> const& from, row_major<float> const& to,
                        gradient_write how = gradient_write::assign) {
    auto const text = rows.backward(from, rows.sums, rows.d, to, how), fused = rows.fused(from, to, {}, how);
    CHECK(fused.substr(fused.find(": ")) == text.substr(text.find(": ")));
    return text;
  };
  float* const at = rows.gradient.data();
  CHECK(both(rows.view(), {}) == "prefopt::token_logprob_gradients: d_logits is 0 x 0, logits is 3 x 5");
  CHECK(both(rows.view(), {at, 3, 4}) == "prefopt::token_logprob_gradients: d_logits is 3 x 4, logits is 3 x 5");
  CHECK(both(rows.view(), {at, 2, 5}) == "prefopt::token_logprob_gradients: d_logits is 2 x 5, logits is 3 x 5");
  CHECK(both(rows.view(), {at, 3, 5, 4}) ==
        "prefopt::token_logprob_gradients: the rows of d_logits overlap: row stride 4, 5 columns");
  CHECK(both(rows.view(), {at + 10, 3, 5, -4}) ==
        "prefopt::token_logprob_gradients: the rows of d_logits overlap: row stride -4, 5 columns");
  CHECK(both(rows.view(), {at, 3, 5, 0}) ==
        "prefopt::token_logprob_gradients: the rows of d_logits overlap: row stride 0, 5 columns");

  std::vector<float> memory(40, 0.5F);
  row_major<float> const here{memory.data(), 3, 5};
  constexpr char const* moved = "prefopt::token_logprob_gradients: d_logits overlaps logits but is not the same rows";
  CHECK(both(here, {memory.data() + 1, 3, 5}) == moved);
  CHECK(both(here, {memory.data() + 14, 3, 5}) == moved);
  CHECK(both(here, {memory.data(), 3, 5, 6}) == moved);
  CHECK(both(here, {memory.data() + 10, 3, 5, -5}) == moved);
  CHECK(both(here, here, gradient_write::accumulate) ==
        "prefopt::token_logprob_gradients: d_logits is the memory of logits, which cannot be accumulated into");
  CHECK(memory == std::vector<float>(40, 0.5F));
  // Just behind it, or in place, is fine.
  std::size_t const label = 1;
  double const sum = 2;
  float const slope = 1;
  row_major<float> const one{memory.data(), 1, 5}, same{memory.data(), 1, 5, 99}, behind{memory.data() + 5, 1, 5};
  auto const fine = [&](row_major<float> const& to) {
    return refusal([&] { token_logprob_gradients(one, {&label, 1}, {&sum, 1}, {&slope, 1}, to); });
  };
  CHECK(fine(behind) == "no error");
  CHECK(fine(same) == "no error");
}

TEST_CASE("no rows at all are fine") {
  row_major<float> const none{nullptr, 0, 5};
  CHECK(refusal([&] {
          token_logprobs(none, {}, {});
          token_logprob_gradients(none, {}, {}, {}, none);
          token_logprobs_and_gradients(
              none, {}, [](std::size_t, float) noexcept { return 1.0; }, none);
        }) == "no error");
}

TEMPLATE_TEST_CASE("nothing is allocated, but for what the fused form keeps of 16-bit rows", "", float, double,
                   bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  constexpr std::size_t rows = 4, columns = 3000;
  std::vector<U> const logits(rows * columns, stored<U>(0.5));
  std::vector<U> gradient(rows * columns);
  std::vector<std::int64_t> const labels{0, 5, -100, 2999};
  std::vector<T> values(rows), d(rows, T(1));
  std::vector<double> sums(rows);
  row_major<U const> const view{logits.data(), rows, columns};
  row_major<U> const target{gradient.data(), rows, columns};
  auto const before = allocations;
  token_logprobs(view, labels, {.log_prob = values, .log_sum_exp = sums, .entropy = values});
  token_logprob_gradients(view, labels, sums, d, target);
  auto const between = allocations;
  token_logprobs_and_gradients(view, labels, [](std::size_t, T) noexcept { return 1.0; }, target, {.log_prob = values});
  auto const after = allocations;
  CHECK(between - before == 0);
  // A row's worth for each part of the rows.
  CHECK(after - between == (std::floating_point<U> ? 0 : 1));
}
