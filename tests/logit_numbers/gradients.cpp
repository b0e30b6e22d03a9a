// Gradients by the logits: saved log-sum-exp or fused, in place or not, assigned or accumulated, against long double.
#include <Eigen/Core>
#include <cstdio>
#include <logits/logit_rows.hpp>
#include <oracle/front.hpp>
#include <unsupported/Eigen/AutoDiff>

using namespace prefopt;

namespace {

/// The largest error allowed at logit i of a gradient with factor d.
template <class T>
long double bound_at(softmax_of_row const& right, std::size_t i, std::size_t label, double d, bool from_saved) {
  long double const share = right.p[i], value = std::fabs(d) * (i == label ? right.rest : share);
  if (value == 0) return 0;
  // exp and its factor, the sum, and |x - log_sum_exp| roundings of the distances; in double the sum of the blocks.
  long double relative = 2 * rounding<T> * (1 + roundings_of_sum<T> + (share > 0 ? std::fabs(std::log(share)) : 0));
  if (std::same_as<T, double>) relative += rounding<T> * (2 + static_cast<double>(right.p.size() / 512));
  // 1 - p is the sum of the others, each off by the rounding of its distance.
  if (i == label && right.rest < 0.5L) relative += 2 * rounding<T> * std::fabs(std::log(right.rest));
  long double const saved = from_saved ? 2 * rounding<double> * std::fabs(right.log_sum_exp) : 0;
  // Only at the label may the value be subnormal.
  long double const spacing = i == label ? std::numeric_limits<T>::denorm_min() : T(0);
  return relative * value + saved * share * std::fabs(d) + spacing;
}

/// Whether got is the exact value within the bound, after one more rounding to U; enlarges `worst` to the part of the
/// bound that it takes. Where p or d p is below the smallest normal number, 0 is as good.
template <class U>
bool close(U got, long double value, long double bound, double d, double& worst) {
  constexpr long double least = std::numeric_limits<computed<U>>::min();
  if (exact(got) == 0 && std::fabs(value) <= least * std::max(1.0L, std::fabs(static_cast<long double>(d))) * 1.0001L) {
    return true;
  }
  if constexpr (std::floating_point<U>) {
    // A subnormal number only where one is right: at the label.
    if (exact(got) != 0 && std::fabs(exact(got)) < least && std::fabs(value) >= least) return false;
    long double const error = std::fabs(exact(got) - value);
    if (error > 0) worst = std::max(worst, static_cast<double>(error / bound));
    return error <= bound;
  } else {
    return exact(stored<U>(static_cast<double>(value - bound))) <= exact(got) &&
           exact(got) <= exact(stored<U>(static_cast<double>(value + bound)));
  }
}

template <class U>
struct one_row {
  using T = computed<U>;
  std::vector<U> const& row;
  std::size_t label;
  double log_sum_exp = 0;

  one_row(std::vector<U> const& logits, std::size_t of) : row{logits}, label{of} {
    front::token_logprobs(view(), {&label, 1}, {.log_sum_exp = {&log_sum_exp, 1}});
  }
  [[nodiscard]] row_major<U const> view() const { return {row.data(), 1, row.size()}; }

  [[nodiscard]] std::vector<U> separate(T d, gradient_write how = gradient_write::assign,
                                        std::vector<U> const& before = {}) const {
    std::vector<U> got = before.empty() ? std::vector<U>(row.size(), stored<U>(7)) : before;
    front::token_logprob_gradients(view(), {&label, 1}, {&log_sum_exp, 1}, {&d, 1}, {got.data(), 1, got.size()},
                                   {.gradient = how});
    return got;
  }
  [[nodiscard]] std::vector<U> separate_in_place(T d) const {
    std::vector<U> got = row;
    row_major<U> const here{got.data(), 1, got.size()};
    front::token_logprob_gradients(here, {&label, 1}, {&log_sum_exp, 1}, {&d, 1}, here);
    return got;
  }
  [[nodiscard]] std::vector<U> fused(T d, gradient_write how = gradient_write::assign,
                                     std::vector<U> const& before = {}) const {
    std::vector<U> got = before.empty() ? std::vector<U>(row.size(), stored<U>(7)) : before;
    front::token_logprobs_and_gradients(view(), {&label, 1}, factor(d), {got.data(), 1, got.size()}, {},
                                        {.gradient = how});
    return got;
  }
  [[nodiscard]] std::vector<U> fused_in_place(T d) const {
    std::vector<U> got = row;
    row_major<U> const here{got.data(), 1, got.size()};
    front::token_logprobs_and_gradients(here, {&label, 1}, factor(d), here);
    return got;
  }
  [[nodiscard]] static auto factor(T d) {
    return [d](std::size_t, T) noexcept { return static_cast<double>(d); };
  }
};

struct gradient_errors {
  double separate = 0, fused = 0;
  std::size_t wrong = 0;
};

/// What is lost when log-sum-exp is saved in one double.
bool saved_is_enough(softmax_of_row const& right) { return std::fabs(right.log_sum_exp) < 1e12L; }

template <class U>
void check_row(std::vector<U> const& row, std::size_t label, double factor, gradient_errors& worst) {
  using T = computed<U>;
  T const d = static_cast<T>(factor);
  double const d_exactly = static_cast<double>(d);
  softmax_of_row const right{row, label};
  one_row<U> const one{row, label};
  auto const separate = one.separate(d), fused = one.fused(d);
  for (std::size_t i = 0; i < row.size(); ++i) {
    long double const value = d_exactly * (i == label ? right.rest : -right.p[i]);
    if (!close(fused[i], value, bound_at<T>(right, i, label, d_exactly, false), d_exactly, worst.fused)) ++worst.wrong;
    if (!saved_is_enough(right)) continue;
    if (!close(separate[i], value, bound_at<T>(right, i, label, d_exactly, true), d_exactly, worst.separate)) {
      ++worst.wrong;
    }
  }
  CHECK(same_numbers(one.separate_in_place(d), separate));
  CHECK(same_numbers(one.fused_in_place(d), fused));
}

template <class U>
void check_gradients(char const* type) {
  constexpr std::size_t lanes = xsimd::batch<computed<U>>::size;
  for (spread const kind : every_spread) {
    oracle::random_numbers random{12};
    gradient_errors worst;
    for (std::size_t const size :
         {std::size_t{2}, std::size_t{3}, lanes - 1, lanes, lanes + 1, std::size_t{511}, std::size_t{512},
          std::size_t{513}, std::size_t{1000}, std::size_t{1024}, std::size_t{32000}, std::size_t{128257}}) {
      if (size > 100000 && kind != spread::normal && kind != spread::rising) continue;
      for (double const d : {1.0, -0.37, 1e-20, 3e4}) {
        if (size > 2000 && d != -0.37) continue;
        for (std::size_t const label : {std::size_t{0}, size - 1, static_cast<std::size_t>(random.bits() % size)}) {
          check_row(row_of<U>(kind, size, label, random), label, d, worst);
        }
      }
    }
    std::printf("%-8s %-16s largest part of the bound: from the saved log_sum_exp %5.2f, fused %5.2f\n", type,
                name_of(kind), worst.separate, worst.fused);
    CAPTURE(type, name_of(kind), worst.separate, worst.fused);
    CHECK(worst.wrong == 0);
  }
}

}  // namespace

TEST_CASE("gradients are as exact as stated, the same in place: float") { check_gradients<float>("float"); }
TEST_CASE("gradients are as exact as stated, the same in place: double") { check_gradients<double>("double"); }
TEST_CASE("gradients are as exact as stated, the same in place: bfloat16") { check_gradients<bfloat16>("bfloat16"); }
TEST_CASE("gradients are as exact as stated, the same in place: float16") { check_gradients<float16>("float16"); }

TEST_CASE("the longest rows whose powers the fused form keeps, and longer ones") {
  oracle::random_numbers random{13};
  gradient_errors worst;
  for (std::size_t const size : {std::size_t{524288}, std::size_t{524289}}) {
    check_row(row_of<float>(spread::rising, size, size - 1, random), size - 1, 1.0, worst);
  }
  CHECK(worst.wrong == 0);
}

TEMPLATE_TEST_CASE("accumulated gradients are added, in one rounding, to what is there", "", float, double, bfloat16,
                   float16) {
  using U = TestType;
  using T = computed<U>;
  oracle::random_numbers random{14};
  std::size_t wrong = 0;
  for (std::size_t const size : {std::size_t{3}, std::size_t{37}, std::size_t{600}, std::size_t{1031}}) {
    std::size_t const label = size / 2;
    double const d = 0.75;
    for (spread const kind : {spread::normal, spread::wide, spread::at_label, spread::mostly_masked}) {
      auto const row = row_of<U>(kind, size, label, random), before = row_of<U>(spread::normal, size, label, random);
      softmax_of_row const right{row, label};
      one_row<U> const one{row, label};
      auto const assigned = one.separate(static_cast<T>(d));
      for (bool const fused : {false, true}) {
        auto const got = fused ? one.fused(static_cast<T>(d), gradient_write::accumulate, before)
                               : one.separate(static_cast<T>(d), gradient_write::accumulate, before);
        for (std::size_t i = 0; i < size; ++i) {
          long double const sum = exact(before[i]) + d * (i == label ? right.rest : -right.p[i]);
          // Of the sum, and of the products of three that are not rounded alone when 0 is stored for them.
          long double const bound =
              bound_at<T>(right, i, label, d, true) + rounding<T> * std::fabs(sum) + std::numeric_limits<T>::min();
          double part = 0;
          wrong += close(got[i], sum, bound, d, part) ? 0 : 1;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("a gradient of 0 is written as 0 and added as nothing, also to rows that have none", "", float,
                   double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  oracle::random_numbers random{15};
  auto row = row_of<U>(spread::normal, 70, 3, random);
  std::vector<U> const zeros(row.size(), stored<U>(0)), before = row_of<U>(spread::normal, 70, 3, random);
  for (double const special : {0.5, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    row[60] = stored<U>(special);
    one_row<U> const one{row, 3};
    for (T const d : {T(0), T(-0.0)}) {
      CHECK(std::all_of(zeros.begin(), zeros.end(), [](U x) { return exact(x) == 0; }));
      for (auto const& got : {one.separate(d), one.fused(d), one.separate_in_place(d), one.fused_in_place(d)}) {
        CHECK(same_numbers(got, zeros));
      }
      CHECK(same_numbers(one.separate(d, gradient_write::accumulate, before), before));
      CHECK(same_numbers(one.fused(d, gradient_write::accumulate, before), before));
    }
  }
}

TEST_CASE("a float column of log_sum_exp will do, less exactly") {
  oracle::random_numbers random{16};
  std::size_t const label = 5;
  auto const row = row_of<float>(spread::wide, 1000, label, random);
  softmax_of_row const right{row, label};
  auto const saved = static_cast<float>(one_row<float>{row, label}.log_sum_exp);
  float const d = 1;
  std::vector<float> got(row.size());
  front::token_logprob_gradients(row_major<float const>{row.data(), 1, row.size()}, {&label, 1}, {&saved, 1}, {&d, 1},
                                 {got.data(), 1, got.size()});
  double worst = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    CAPTURE(i);
    long double const lost = 6e-8L * std::fabs(right.log_sum_exp);
    CHECK(close(got[i], i == label ? right.rest : -right.p[i],
                bound_at<float>(right, i, label, 1, true) + lost * right.p[i], 1, worst));
  }
}

TEST_CASE("the gradient of a loss of log-probs is what automatic differentiation finds") {
  using active = Eigen::AutoDiffScalar<Eigen::VectorXd>;
  constexpr std::size_t rows = 4, size = 7, count = rows * size;
  oracle::random_numbers random{17};
  std::vector<double> logits(count);
  for (double& x : logits) x = 2 * random.normal();
  std::vector<std::int32_t> const labels{0, 6, -100, 3};
  std::vector<active> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = {logits[i], static_cast<int>(count), static_cast<int>(i)};
  active total{0.0, Eigen::VectorXd::Zero(count)};
  for (std::size_t row = 0; row < rows; ++row) {
    if (labels[row] < 0) continue;
    active sum{0.0, Eigen::VectorXd::Zero(count)};
    for (std::size_t j = 0; j < size; ++j) sum += exp(x[row * size + j]);
    active const log_sum = log(sum), log_prob = x[row * size + static_cast<std::size_t>(labels[row])] - log_sum;
    // softplus(-3 log p - 1), a curve with another slope at every row; every step a number, since an expression of
    // Eigen's does not outlive its parts.
    active const negated = log_prob * -3.0, shifted = negated - 1.0, power = exp(shifted), above = power + 1.0;
    total += log(above);
  }

  std::vector<double> log_prob(rows), log_sum_exp(rows), d(rows), separate(count), fused(count);
  row_major<double const> const view{logits.data(), rows, size};
  auto const slope = [](std::size_t, double at) noexcept { return -3 / (1 + std::exp(3 * at + 1)); };
  front::token_logprobs(view, labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp});
  for (std::size_t row = 0; row < rows; ++row) d[row] = slope(row, log_prob[row]);
  front::token_logprob_gradients(view, labels, log_sum_exp, d, {separate.data(), rows, size});
  front::token_logprobs_and_gradients(view, labels, slope, {fused.data(), rows, size});
  for (std::size_t i = 0; i < count; ++i) {
    double const right = total.derivatives()[static_cast<Eigen::Index>(i)];
    // A few dozen operations on numbers up to 10, in a row whose gradients add up to 0.
    CHECK(std::fabs(separate[i] - right) <= 100 * rounding<double>);
    CHECK(std::fabs(fused[i] - right) <= 100 * rounding<double>);
  }
}
