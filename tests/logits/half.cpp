// 16-bit rows are computed as the float rows of the same numbers are, and rounded once when they are stored; types of
// the host as the library's own.
#include <Eigen/Core>
#include <bit>
#include "logit_rows.hpp"

using namespace prefopt;

namespace {

template <class U>
struct results_of_rows {
  std::vector<float> log_prob, entropy, square_sum, highest;
  std::vector<double> log_sum_exp;
  std::vector<U> separate, fused, added;

  results_of_rows(row_major<U const> const& logits, std::vector<int> const& labels)
      : log_prob(logits.rows()),
        entropy{log_prob},
        square_sum{log_prob},
        highest{log_prob},
        log_sum_exp(logits.rows()),
        separate(logits.rows() * logits.columns(), stored<U>(0.25)),
        fused{separate},
        added{separate} {
    token_logprobs(logits, labels,
                   {.log_prob = log_prob,
                    .log_sum_exp = log_sum_exp,
                    .entropy = entropy,
                    .square_sum = square_sum,
                    .highest = highest});
    std::vector<float> const d(logits.rows(), -0.7F);
    auto const rows_of = [&](std::vector<U>& x) { return row_major<U>{x.data(), logits.rows(), logits.columns()}; };
    token_logprob_gradients(logits, labels, log_sum_exp, d, rows_of(separate));
    token_logprob_gradients(logits, labels, log_sum_exp, d, rows_of(added), {.gradient = gradient_write::accumulate});
    token_logprobs_and_gradients(
        logits, labels, [](std::size_t, float) noexcept { return static_cast<double>(-0.7F); }, rows_of(fused));
  }
};

template <class U, class W>
std::size_t count_other_bits(std::vector<U> const& a, std::vector<W> const& b) {
  std::size_t other = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    other += std::bit_cast<std::uint16_t>(a[i]) != std::bit_cast<std::uint16_t>(b[i]) ? 1 : 0;
  }
  return other;
}

}  // namespace

TEMPLATE_TEST_CASE("16-bit rows give what float rows of the same numbers give, rounded once", "", bfloat16, float16) {
  using U = TestType;
  using host = std::conditional_t<std::same_as<U, bfloat16>, Eigen::bfloat16, Eigen::half>;
  std::vector<int> const labels{0, 3, -100, 1, 2, 1};
  for (std::size_t const columns : {std::size_t{4}, std::size_t{31}, std::size_t{512}, std::size_t{1700}}) {
    CAPTURE(columns);
    oracle::random_numbers random{41};
    std::vector<U> narrow;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      auto const label = static_cast<std::size_t>(std::max(labels[row], 0));
      auto const values = row_of<U>(every_spread[row], columns, label, random);
      narrow.insert(narrow.end(), values.begin(), values.end());
    }
    std::vector<float> wide;
    std::vector<host> theirs;
    for (U const x : narrow) {
      wide.push_back(static_cast<float>(x));
      theirs.push_back(std::bit_cast<host>(x));
    }
    results_of_rows<U> const seen{{narrow.data(), labels.size(), columns}, labels};
    results_of_rows<float> const right{{wide.data(), labels.size(), columns}, labels};
    results_of_rows<host> const of_host{{theirs.data(), labels.size(), columns}, labels};
    // Two bfloat16 make a word, and are taken apart by the quickest way: sums may be in another order.
    auto const alike = [](auto const& mine, auto const& others) {
      return std::equal(mine.begin(), mine.end(), others.begin(), [](auto a, auto b) {
        double const x = static_cast<double>(a), y = static_cast<double>(b);
        return same_number(a, b) || std::fabs(x - y) <= 16 * rounding<float> * (1 + std::fabs(x));
      });
    };
    CHECK(alike(seen.log_prob, right.log_prob));
    CHECK(alike(seen.entropy, right.entropy));
    CHECK(alike(seen.square_sum, right.square_sum));
    CHECK(same_numbers(seen.highest, right.highest));
    CHECK(alike(seen.log_sum_exp, right.log_sum_exp));
    auto const rounded = [](std::vector<float> const& x) {
      std::vector<host> all(x.size());
      std::transform(x.begin(), x.end(), all.begin(), [](float number) { return static_cast<host>(number); });
      return all;
    };
    // Then few numbers are so close to the middle of two that they are rounded the other way, and by one place.
    std::size_t const allowed = std::same_as<U, bfloat16> ? seen.separate.size() / 500 : 0;
    CHECK(count_other_bits(seen.separate, rounded(right.separate)) <= allowed);
    CHECK(count_other_bits(seen.fused, rounded(right.fused)) <= allowed);
    CHECK(count_other_bits(seen.added, rounded(right.added)) <= allowed);
    auto const close = [](std::vector<U> const& mine, std::vector<float> const& others) {
      return std::equal(mine.begin(), mine.end(), others.begin(), [](U a, float b) {
        double const x = static_cast<double>(exact(a)), y = static_cast<double>(b);
        return same_number(x, y) || (std::isnan(x) && std::isnan(y)) ||
               std::fabs(x - y) <= std::fabs(y) * 0x1.01p-8 + 0x1p-25;
      });
    };
    CHECK(close(seen.separate, right.separate));
    CHECK(close(seen.fused, right.fused));
    CHECK(close(seen.added, right.added));
    CHECK(same_numbers(seen.log_prob, of_host.log_prob));
    CHECK(same_numbers(seen.log_sum_exp, of_host.log_sum_exp));
    CHECK(count_other_bits(seen.separate, of_host.separate) == 0);
    CHECK(count_other_bits(seen.fused, of_host.fused) == 0);
    CHECK(count_other_bits(seen.added, of_host.added) == 0);
  }
}

TEST_CASE("a row-major matrix of the host's 16-bit type is read and written where it lies") {
  using matrix_type = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  matrix_type dense(2, 3);
  for (Eigen::Index i = 0; i < 6; ++i) dense.data()[i] = Eigen::half{static_cast<float>(i % 3)};
  std::vector<int> const labels{2, -100};
  std::vector<float> log_prob(2);
  token_logprobs(row_major{dense}, labels, {.log_prob = log_prob});
  // 2 - log(1 + e + e^2), within 2 ULP of 0.4
  CHECK(std::fabs(log_prob[0] + 0.40760596444438F) <= 4 * 0x1p-25F);
  token_logprobs_and_gradients(
      row_major{dense}, labels, [](std::size_t, float) noexcept { return 1.0; }, dense);
  CHECK(dense(0, 2) == Eigen::half{1 - 0.66524095577482F});
  CHECK(dense(0, 0) == Eigen::half{-0.09003057317038F});
  CHECK(dense(1, 2) == Eigen::half{0.0F});
}
