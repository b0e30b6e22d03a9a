// Losses with statistics of the batch: sums over the counted pairs, which the gradient holds constant.
#include <algorithm>
#include <chain/thread_pool.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "centered.hpp"
#include "pairs.hpp"

using namespace prefopt;

namespace {

template <class T>
struct evaluated {
  report seen;
  results<T> got;

  template <class L>
  evaluated(L const& loss, pair_batch<T> const& batch, options const& given = {})
      : got{batch.chosen.size(), any_pair_loss{loss}} {
    seen = evaluate(loss, batch, got.outputs(), given);
  }
  [[nodiscard]] bool same_bits(evaluated const& other) const {
    return got.same_bits(other.got) && oracle::same_bits(seen, other.seen);
  }
};

/// What rounding the scores, their sums and the mean to T can do.
template <class T>
long double error_of(centered_numbers const& right, std::size_t i) {
  return 16 * static_cast<long double>(std::numeric_limits<T>::epsilon()) *
         (1 + std::fabs(right.h[i]) + right.mean_size);
}

template <class T>
void check_numbers(evaluated<T> const& is, centered_numbers const& right) {
  std::size_t wrong = 0;
  auto const check = [&](T got, long double expected, long double within) {
    wrong += !(std::fabs(static_cast<long double>(got) - expected) <= within);
  };
  long double largest = 0, divisor = right.weights == 0 ? 1 : right.weights;
  for (std::size_t i = 0; i < right.h.size(); ++i) {
    if (right.value[i] == 0) {
      check(is.got.loss[i], 0, 0);
      check(is.got.d_chosen[i], 0, 0);
      check(is.got.d_rejected[i], 0, 0);
      continue;
    }
    long double const error = error_of<T>(right, i);
    largest = std::max(largest, error);
    // Weights are at most 2; the second derivative is at most beta / 4.
    check(is.got.loss[i], right.value[i], 2 * error);
    check(is.got.d_chosen[i], right.d_chosen[i], 2 * error / divisor);
    check(is.got.d_rejected[i], right.d_rejected[i], 2 * error / divisor);
  }
  CHECK(wrong == 0);
  CHECK(std::fabs(static_cast<long double>(is.seen.loss) - right.loss) <= 2 * largest);
}

/// Twelve sums, as many as there may be, of everything that a pair has: the value is u + sum_k k mean_k.
struct twelve {
  double of_means = 0;
  using score = prefopt::sum;
  static constexpr columns needs = columns::label, takes = columns::margin;
  template <lane V>
  std::array<V, 12> observe(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    V const u = a - b;
    return {a, b, u, V(a * a), V(b * b), V(u * u), row.label, row.margin, V(row.label * u), V(a * b), V(-a), V(-b)};
  }
  [[nodiscard]] twelve observed(std::array<double, 12> const& sums, double count) const noexcept {
    twelve with;
    for (std::size_t k = 0; k < sums.size(); ++k) with.of_means += static_cast<double>(k + 1) * sums[k] / count;
    return with;
  }
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    return {V(u + math::constant<V>(of_means)), math::constant<V>(1)};
  }
};
static_assert(detail::observed_by<twelve> == 12 && detail::observed_by<lcpo<twelve>> == 12);
static_assert(detail::observed_by<lcpo<smoothed<centered_sums>>> == 1 && detail::observed_by<dpo> == 0);

}  // namespace

TEMPLATE_TEST_CASE("a statistic: value and gradient, of every size", "", float, double) {
  using T = TestType;
  for (std::size_t const n : {0U, 1U, 255U, 256U, 257U, 20000U}) {
    CAPTURE(n);
    pairs<T> const data{n};
    for (bool const weighted : {false, true}) {
      centered_sums const loss;
      evaluated<T> const is{loss, data.batch(loss, weighted)};
      check_numbers(is, {data, std::vector<bool>(n, true), false, weighted});
      CHECK(is.seen.count == n);
    }
  }
}

TEMPLATE_TEST_CASE("a statistic of the counted pairs only", "", float, double) {
  using T = TestType;
  for (std::size_t const n : {1U, 257U, 5000U}) {
    CAPTURE(n);
    pairs<T> data{n};
    centered_means const loss;
    std::vector<bool> counts(n, true);
    // Far from the others, so that one too many is seen.
    for (std::size_t i = 0; i < n; i += 3) {
      counts[i] = false;
      data.ref_chosen[i] = 0;
      if (i % 2 == 0) {
        data.chosen[i] = T(-1e6);
        data.rejected_length[i] = 0;
      } else {
        data.chosen[i] = i % 4 == 1 ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::infinity();
      }
    }
    options const skipping{.non_finite = on_invalid::skip, .empty = on_invalid::skip};
    for (bool const weighted : {false, true}) {
      evaluated<T> const is{loss, data.batch(loss, weighted), skipping};
      auto finite = data;
      for (std::size_t i = 0; i < n; ++i) {
        if (!counts[i]) finite.chosen[i] = 0, finite.rejected_length[i] = 1;
      }
      check_numbers(is, {finite, counts, true, weighted});
      CHECK(is.seen.count == static_cast<std::size_t>(std::count(counts.begin(), counts.end(), true)));
    }
  }
}

TEST_CASE("a statistic does not know of weights") {
  pairs<double> data{300};
  centered_sums const loss;
  evaluated<double> const plain{loss, data.batch(loss, false), {.reduction = reduction::none}};
  evaluated<double> const weighted{loss, data.batch(loss), {.reduction = reduction::none}};
  for (std::size_t i = 0; i < data.size(); ++i) {
    CHECK(weighted.got.loss[i] == plain.got.loss[i] * data.weight[i]);
    CHECK(weighted.got.chosen_reward[i] == plain.got.chosen_reward[i]);
  }
}

TEMPLATE_TEST_CASE("a statistic: threads, names and erased types give the same bits", "", float, double) {
  using T = TestType;
  using centered_losses = loss_list<centered_sums, dpo>;
  for (std::size_t const n : {0U, 255U, 20000U}) {
    CAPTURE(n);
    pairs<T> const data{n};
    auto const check = [&](auto const& loss, any_pair_loss const& named) {
      auto const batch = data.batch(named);
      evaluated<T> const serial{loss, batch};
      thread_pool const four{4};
      CHECK(serial.same_bits({loss, batch, {.executor = four}}));
      CHECK(serial.same_bits({any_pair_loss{loss}, batch}));
      CHECK(serial.same_bits({named, batch, {.executor = four}}));
      // Each call has its own.
      CHECK(serial.same_bits({named, batch}));
    };
    check(centered_sums{.beta = 0.25}, make_pair_loss<centered_losses>("centered", {{"beta", 0.25}}));
    check(lcpo<centered_sums>{.base = {.beta = 0.25}},
          make_pair_loss<centered_losses>("lcpo", {{"beta", 0.25}}, "centered"));
    check(smoothed<centered_sums>{.base = {.beta = 0.25}, .epsilon = 0.125},
          make_pair_loss<centered_losses>("smoothed", {{"beta", 0.25}, {"epsilon", 0.125}}, "centered"));
  }
}

TEMPLATE_TEST_CASE("a modifier gives its base the statistic", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 700;
  pairs<T> const data{n};
  centered_numbers const right{data, std::vector<bool>(n, true), false, true};
  auto const base = [&](long double h) {
    long double const z = 0.5L * h - right.mean;
    return value_slope<long double>{std::log1p(std::exp(-z)), -0.5L / (1 + std::exp(z))};
  };
  lcpo<centered_sums> const loss{.base = {.beta = 0.5}};
  evaluated<T> const is{loss, data.batch(loss, false), {.reduction = reduction::none}};
  for (std::size_t i = 0; i < n; ++i) {
    long double const h = right.h[i], eta = static_cast<long double>(data.reliability[i]);
    auto const given = base(h), swapped = base(-h);
    long double const gap = swapped.value - given.value, p = 1 / (1 + std::exp(-gap)), q = 1 / (1 + std::exp(gap));
    long double const w = p * eta / (p * eta + q * (1 - eta));
    long double const slope = (p - w) * (-swapped.slope - given.slope);
    long double const within = 4 * error_of<T>(right, i);
    CHECK(std::fabs(static_cast<long double>(is.got.posterior[i]) - w) <= within);
    CHECK(std::fabs(static_cast<long double>(is.got.d_chosen[i]) - slope) <= within);
  }
}

TEST_CASE("a statistic of token log-probs leaves out completions without a token") {
  std::vector<double> const chosen{-1, -2, -3, -50, -4}, rejected{-2, -2, -5, -1, -1};
  std::vector<int> const chosen_offsets{0, 2, 3, 5, 5}, rejected_offsets{0, 1, 3, 3, 5};
  using tokens = packed_tokens<double>;
  std::vector<double> const reference(4, 0.0);
  std::vector<double> loss(4);
  options const skipping{.reduction = reduction::none, .empty = on_invalid::skip};
  auto const seen = evaluate(centered_sums{},
                             token_pair_batch<tokens>{.chosen = {.log_prob = chosen, .offsets = chosen_offsets},
                                                      .rejected = {.log_prob = rejected, .offsets = rejected_offsets},
                                                      .ref_chosen = reference,
                                                      .ref_rejected = reference},
                             {.loss = loss}, skipping);
  // h is -1 and 4 of those that count.
  CHECK(seen.count == 2);
  CHECK(loss[2] == 0);
  CHECK(loss[3] == 0);
  CHECK(std::fabs(loss[0] - std::log1p(std::exp(1.5 + 0.5 * 1))) < 1e-15);
  CHECK(std::fabs(loss[1] - std::log1p(std::exp(1.5 - 0.5 * 4))) < 1e-15);
}

TEST_CASE("twelve statistics, of all that a pair has") {
  pairs<double> data{1000};
  for (double& x : data.chosen) x /= 100;
  for (double& x : data.rejected) x /= 100;
  twelve const loss;
  evaluated<double> const is{loss, data.batch(loss, false), {.reduction = reduction::none}};
  long double sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    auto const real = [&](auto const& column) { return static_cast<long double>(column[i]); };
    long double const a = real(data.chosen), b = real(data.rejected), u = a - b, q = real(data.label);
    sum += a + 2 * b + 3 * u + 4 * a * a + 5 * b * b + 6 * u * u + 7 * q + 8 * real(data.margin) + 9 * q * u +
           10 * a * b - 11 * a - 12 * b;
  }
  long double const mean = sum / static_cast<long double>(data.size());
  for (std::size_t i = 0; i < data.size(); ++i) {
    long double const u = static_cast<long double>(data.chosen[i]) - static_cast<long double>(data.rejected[i]);
    CHECK(std::fabs(static_cast<long double>(is.got.loss[i]) - (u + mean)) <= 1e-12L * std::fabs(mean));
    CHECK(is.got.d_chosen[i] == 1);
  }
}
