// Scaled, capped and tempered logits, and the gradient by the entropy, against long double: log-probs and all else are
// those of x' = soft_cap tanh(scale x / soft_cap) / temperature, gradients have the slope of x' by x.
#include <cstdio>
#include <logits/logit_rows.hpp>
#include <oracle/front.hpp>
#include <vector>

using namespace prefopt;

namespace {

/// A row under a transform, exactly, and how far off what is computed of it in T may be. With u one rounding:
///  * x' is off by e_j = u (8.6 soft_cap / temperature + 3 (|x' - highest| + 4)): two roundings of tanh's argument, which it
///    does not enlarge, 3.3 ULP of tanh, and three roundings of a distance times the factor; without a cap the latter;
///  * a power by 2.5 roundings, a sum of them by the additions that log_sum_exp_bound counts;
///  * the slope 1 - v^2 by twice the 8.6 roundings of v, absolutely, and by one more.
template <class U>
struct transformed_row {
  using T = computed<U>;
  static constexpr long double u = rounding<T>;

  std::vector<long double> x, slope, off, slope_off;
  softmax_of_row is;
  long double slope_of_0 = 0;
  long double all_off = 0;      ///< sum of p e
  long double entropy_off = 0;  ///< sum of p |log p + H| e
  long double square_off = 0;   ///< of the sum of p^2
  long double log_prob_off = 0;

  transformed_row(std::vector<U> const& row, std::size_t label, logit_transform const& by)
      : x{values(row, by)}, is{x, label} {
    long double const top = *std::max_element(x.begin(), x.end()), factor = by.scale / by.temperature;
    bool const capped = std::isfinite(by.soft_cap);
    for (std::size_t j = 0; j < x.size(); ++j) {
      long double const inner = capped && std::isfinite(exact(row[j])) ? by.scale * exact(row[j]) / by.soft_cap : 0,
                        outer = 1 / std::cosh(inner);
      slope.push_back(factor * outer * outer);
      slope_of_0 = factor;
      slope_off.push_back(capped ? u * factor * 18.2L : 0);
      off.push_back(u * ((capped ? 8.6L * by.soft_cap / by.temperature : 0) + 3 * (std::fabs(top - x[j]) + 4)));
      if (is.p[j] > 0) all_off += is.p[j] * off[j];
    }
    long double const of_sum = sum_off();
    for (std::size_t j = 0; j < x.size(); ++j) {
      long double const p = is.p[j];
      if (p == 0) continue;
      entropy_off += p * std::fabs(log_p(j) + is.entropy) * (off[j] + of_sum);
      square_off += 2 * p * p * (off[j] + of_sum) + 2 * is.square_sum * p * off[j];
      if (j != label) log_prob_off += p * (off[j] + off[label]);
    }
    if (is.p[label] == 0 && std::isfinite(x[label])) log_prob_off += off[label];
    log_prob_off += of_sum * is.rest + u * std::fabs(is.log_prob) + std::numeric_limits<T>::denorm_min();
    entropy_off += u * is.entropy + of_sum * (1 + is.entropy);
    square_off += u * is.square_sum;
  }

  static std::vector<long double> values(std::vector<U> const& row, logit_transform const& by) {
    std::vector<long double> all;
    for (U const logit : row) {
      long double const scaled = by.scale * exact(logit), cap = by.soft_cap;
      bool const capped = std::isfinite(cap) && std::isfinite(scaled);
      all.push_back((capped ? cap * std::tanh(scaled / cap) : scaled) / static_cast<long double>(by.temperature));
    }
    return all;
  }
  /// How far a sum of powers is off, relatively.
  [[nodiscard]] long double sum_off() const {
    softmax_of_row about_0 = is;
    about_0.log_sum_exp = 0;
    return log_sum_exp_bound<T>(about_0);
  }
  [[nodiscard]] long double log_p(std::size_t j) const { return x[j] - is.log_sum_exp; }

  [[nodiscard]] long double gradient(std::size_t j, std::size_t label, token_slope const& d) const {
    if (is.p[j] == 0) return j == label ? slope[j] * d.log_prob : 0;
    long double const of_label = j == label ? is.rest : -is.p[j], log_of = j == label ? is.log_prob : log_p(j);
    return slope[j] * (d.log_prob * of_label - d.entropy * is.p[j] * (log_of + is.entropy));
  }
  [[nodiscard]] long double gradient_off(std::size_t j, std::size_t label, token_slope const& d,
                                         long double of_saved) const {
    long double const p = is.p[j], of_label = j == label ? is.rest : p, log_of = p > 0 ? std::fabs(log_p(j)) : 0;
    long double const of_sum = sum_off(),
                      of_p = of_saved + 4 * u + 3 * u * log_of + (p > 0 ? off[j] : 0) + all_off + of_sum;
    long double const size = std::fabs(d.log_prob) * of_label + std::fabs(d.entropy) * p * (log_of + is.entropy);
    long double by_entropy = entropy_off + of_p + 4 * u * (log_of + is.entropy + std::fabs(is.log_sum_exp - top()));
    // At the label 1 - p is the sum of the others.
    long double const of_rest = j == label ? log_prob_off + 2 * u * is.rest + of_saved * p : 0;
    // Where p, or a quarter of the slope, is below the smallest normal number, 0 is as good.
    long double const factor = std::max(1.0L, std::fabs(d.log_prob) + std::fabs(d.entropy) * (log_of + is.entropy));
    long double const off_of_size =
        size * (of_p + 3 * u) + std::fabs(d.entropy) * p * by_entropy + std::fabs(d.log_prob) * of_rest;
    return (slope[j] * off_of_size + slope_off[j] * size) * 1.01L +
           4 * std::numeric_limits<T>::min() * std::max(1.0L, slope_of_0) * factor;
  }
  [[nodiscard]] long double top() const { return *std::max_element(x.begin(), x.end()); }
};

/// The largest error as a part of what is allowed.
struct share {
  double worst = 0;
  std::size_t wrong = 0;

  template <class U>
  void add(U got, long double right, long double bound) {
    if constexpr (std::floating_point<U>) {
      long double const error = std::fabs(exact(got) - right);
      if (error == 0) return;
      worst = std::max(worst, static_cast<double>(error / bound));
      wrong += error <= bound ? 0 : 1;
    } else {
      bool const within = exact(stored<U>(static_cast<double>(right - bound))) <= exact(got) &&
                          exact(got) <= exact(stored<U>(static_cast<double>(right + bound)));
      wrong += within ? 0 : 1;
    }
  }
};

template <class U>
struct under_transform {
  using T = computed<U>;
  std::vector<U> const& row;
  std::size_t label;
  token_options options;
  T log_prob = 7, entropy = 7, square_sum = 7, highest = 7;
  double log_sum_exp = 7;

  under_transform(std::vector<U> const& logits, std::size_t of, logit_transform const& by)
      : row{logits}, label{of}, options{.transform = by} {
    front::token_logprobs(view(), {&label, 1},
                          {.log_prob = {&log_prob, 1},
                           .log_sum_exp = {&log_sum_exp, 1},
                           .entropy = {&entropy, 1},
                           .square_sum = {&square_sum, 1},
                           .highest = {&highest, 1}},
                          options);
  }
  [[nodiscard]] row_major<U const> view() const { return {row.data(), 1, row.size()}; }

  [[nodiscard]] std::vector<U> gradient(token_slope const& d, bool fused, bool in_place) const {
    std::vector<U> got = in_place ? row : std::vector<U>(row.size(), stored<U>(7));
    row_major<U> const target{got.data(), 1, got.size()};
    row_major<U const> const from = in_place ? row_major<U const>{got.data(), 1, got.size()} : view();
    T const by_log_prob = static_cast<T>(d.log_prob), by_entropy = static_cast<T>(d.entropy);
    if (!fused && d.entropy == 0) {
      front::token_logprob_gradients(from, {&label, 1}, {&log_sum_exp, 1}, {&by_log_prob, 1}, target, options);
    } else if (!fused) {
      front::token_logprob_gradients(from, {&label, 1},
                                     {.log_sum_exp = {&log_sum_exp, 1},
                                      .d_log_prob = {&by_log_prob, 1},
                                      .d_entropy = {&by_entropy, 1},
                                      .entropy = {&entropy, 1}},
                                     target, options);
    } else if (d.entropy == 0) {
      auto const slope = [&](std::size_t, T) noexcept { return d.log_prob; };
      front::token_logprobs_and_gradients(from, {&label, 1}, slope, target, {}, options);
    } else {
      auto const slope = [&](std::size_t, T, T) noexcept { return d; };
      front::token_logprobs_and_gradients(from, {&label, 1}, slope, target, {}, options);
    }
    return got;
  }
};

constexpr logit_transform transforms_tested[] = {
    {},
    {.temperature = 0.7},
    {.scale = 0.0625},
    {.scale = 3, .temperature = 1e3},
    {.temperature = 1e-3},
    {.soft_cap = 30},
    {.scale = 2, .soft_cap = 5, .temperature = 0.5},
    {.soft_cap = 1e5},
    {.soft_cap = 0.01},
    {.scale = 1e-3, .soft_cap = 50, .temperature = 0.01},
};

template <class U>
void check_transforms(char const* type) {
  using T = computed<U>;
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  for (logit_transform const& by : transforms_tested) {
    oracle::random_numbers random{23};
    share log_prob, log_sum_exp, entropy, square_sum, gradient, with_entropy;
    for (spread const kind : every_spread) {
      for (std::size_t const size : {std::size_t{2}, lanes + 1, 4 * lanes, std::size_t{513}, std::size_t{1025}}) {
        std::size_t const label = random.bits() % size;
        auto const row = row_of<U>(kind, size, label, random);
        transformed_row<U> const right{row, label, by};
        under_transform<U> const got{row, label, by};
        if (right.is.log_prob < static_cast<long double>(std::numeric_limits<T>::lowest())) {
          CHECK(got.log_prob == -std::numeric_limits<T>::infinity());
        } else {
          log_prob.add(got.log_prob, right.is.log_prob, right.log_prob_off);
        }
        if (std::fabs(right.is.log_sum_exp) < 1e308L)
          log_sum_exp.add(got.log_sum_exp, right.is.log_sum_exp,
                          log_sum_exp_bound<T>(right.is) + right.all_off +
                              (std::isfinite(by.soft_cap) ? 16 * rounding<T> * by.soft_cap / by.temperature : 0) +
                              4 * rounding<double> * std::fabs(right.is.log_sum_exp));
        entropy.add(got.entropy, right.is.entropy, right.entropy_off);
        square_sum.add(got.square_sum, right.is.square_sum, right.square_off);
        // Neighbours may become one number under a cap, so a hit may be seen where there is a tie.
        if (!std::isfinite(by.soft_cap)) CHECK(got.highest == (right.is.highest ? T(1) : T(0)));
        if (right.is.highest) CHECK(got.highest == T(1));
        for (token_slope const d :
             {token_slope{1, 0}, token_slope{-0.37F, 0}, token_slope{0.75, -0.125}, token_slope{0, 2}}) {
          std::vector<std::vector<U>> all{got.gradient(d, true, false)};
          CHECK(same_numbers(got.gradient(d, true, true), all[0]));
          // What log-sum-exp loses when it is saved in one double.
          if (std::fabs(right.is.log_sum_exp) < 1e5L) {
            all.push_back(got.gradient(d, false, false));
            CHECK(same_numbers(got.gradient(d, false, true), all[1]));
          }
          for (auto const& values : all) {
            for (std::size_t j = 0; j < size; ++j) {
              long double const of_saved = 2 * rounding<double> * std::fabs(right.is.log_sum_exp);
              (d.entropy == 0 ? gradient : with_entropy)
                  .add(values[j], right.gradient(j, label, d), right.gradient_off(j, label, d, of_saved));
            }
          }
        }
      }
    }
    std::printf(
        "%-8s scale %-6g cap %-6g temperature %-6g parts of the bounds: log_prob %.2f log_sum_exp %.2f entropy "
        "%.2f square_sum %.2f gradient %.2f with entropy %.2f\n",
        type, by.scale, by.soft_cap, by.temperature, log_prob.worst, log_sum_exp.worst, entropy.worst, square_sum.worst,
        gradient.worst, with_entropy.worst);
    CAPTURE(type, by.scale, by.soft_cap, by.temperature);
    for (auto const* seen : {&log_prob, &log_sum_exp, &entropy, &square_sum, &gradient, &with_entropy}) {
      CHECK(seen->wrong == 0);
    }
  }
}

}  // namespace

TEST_CASE("log-probs and gradients of transformed logits: float") { check_transforms<float>("float"); }
TEST_CASE("log-probs and gradients of transformed logits: double") { check_transforms<double>("double"); }
TEST_CASE("log-probs and gradients of transformed logits: bfloat16") { check_transforms<bfloat16>("bfloat16"); }
TEST_CASE("log-probs and gradients of transformed logits: float16") { check_transforms<float16>("float16"); }

TEST_CASE("the gradient with an entropy bonus is the difference quotient of the loss") {
  oracle::random_numbers random{24};
  for (logit_transform const& by : transforms_tested) {
    // Where the loss bends too fast for a quotient.
    if (by.scale / by.temperature > 10 || by.soft_cap < 1) continue;
    for (std::size_t const size : {std::size_t{2}, std::size_t{9}, std::size_t{70}}) {
      std::size_t const label = random.bits() % size;
      std::vector<double> row;
      for (std::size_t j = 0; j < size; ++j) row.push_back(4 * random.normal());
      token_slope const d{0.6, -1.3};
      auto const loss = [&](std::vector<long double> const& x) {
        std::vector<long double> power;
        long double sum = 0, entropy = 0;
        for (long double const logit : x) {
          long double const cap = by.soft_cap,
                            scaled = std::isfinite(cap) ? cap * std::tanh(by.scale * logit / cap) : by.scale * logit;
          power.push_back(std::exp(scaled / static_cast<long double>(by.temperature)));
          sum += power.back();
        }
        for (long double const each : power) entropy -= each / sum * std::log(each / sum);
        return d.log_prob * std::log(power[label] / sum) + d.entropy * entropy;
      };
      auto const got = under_transform<double>{row, label, by}.gradient(d, false, false);
      for (std::size_t j = 0; j < size; ++j) {
        // The quotient is off by h^2 / 6 times the third derivative, some tens, and by rounding / h.
        constexpr long double h = 1e-6L;
        std::vector<long double> above(row.begin(), row.end()), below = above;
        above[j] += h;
        below[j] -= h;
        long double const quotient = (loss(above) - loss(below)) / (2 * h);
        CAPTURE(by.scale, by.soft_cap, by.temperature, size, j);
        CHECK(std::fabs(got[j] - quotient) < 1e-10L);
      }
    }
  }
}
