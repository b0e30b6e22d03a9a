// Rows of logits of every type, with any strides, labels and transforms: log-probs, gradients, and both in one pass.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <prefopt/logprob/token_logprobs.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fuzzed_batch.hpp"
#include "fuzzed_matrix.hpp"

namespace {

prefopt::logit_transform transform_for(fuzz_input& in, bool is_wild) {
  prefopt::logit_transform made;
  auto const number = [&] { return is_wild && in.one_in(3) ? in.any<double>() : std::exp(in.uniform(-3, 3)); };
  if (in.one_in(3)) made.scale = number();
  if (in.one_in(3)) made.soft_cap = 10 * number();
  if (in.one_in(3)) made.temperature = number();
  return made;
}

/// All that is found out of rows, as plain vectors.
template <class T>
struct row_numbers {
  std::vector<T> log_prob, entropy, square_sum, highest;
  std::vector<double> log_sum_exp;

  explicit row_numbers(std::size_t rows)
      : log_prob(rows), entropy(rows), square_sum(rows), highest(rows), log_sum_exp(rows) {}
  [[nodiscard]] prefopt::token_logprob_outputs<T> outputs() {
    return {log_prob, log_sum_exp, entropy, square_sum, highest};
  }
  [[nodiscard]] bool is_same_row(std::size_t row, row_numbers const& other, std::size_t of) const {
    return is_same(log_prob[row], other.log_prob[of]) && is_same(entropy[row], other.entropy[of]) &&
           is_same(square_sum[row], other.square_sum[of]) && is_same(highest[row], other.highest[of]) &&
           is_same(log_sum_exp[row], other.log_sum_exp[of]);
  }
};

template <class U>
class logit_target {
  using T = prefopt::detail::computed_of<U>;

 public:
  explicit logit_target(fuzz_input& in)
      : in_{in},
        is_sound_{!in.one_in(3)},
        rows_{in.below(9)},
        vocabulary_{is_sound_ ? 1 + in.below(in.is_large() ? 1100 : 40) : in.below(40)},
        logits_{in, rows_, vocabulary_, layout::any},
        labels_(rows_) {
    options_.transform = transform_for(in, !is_sound_);
    options_.ignore_index = in.one_in(4) ? static_cast<std::int64_t>(in.bits(8)) : -100;
    options_.gradient = static_cast<prefopt::gradient_write>(in.below(2));
    double const most = in.one_in(2) ? 30 : 1e4;
    logits_.fill([&] { return is_sound_ ? in.finite(most) : static_cast<double>(in.any<T>()); });
    for (auto& label : labels_) {
      label = in.one_in(6) ? options_.ignore_index
                           : static_cast<std::int64_t>(vocabulary_ == 0 ? 0 : in.below(vocabulary_));
      if (!is_sound_ && in.one_in(24)) label = static_cast<std::int64_t>(in.bits(8));
    }
    if (!is_sound_ && in.one_in(24)) labels_.resize(in.below(12));
  }

  void run() {
    odd_executor const executor{1 + in_.below(63)};
    auto options = options_;
    if (in_.one_in(2)) options.executor = executor;
    fuzzed_output<T> log_prob{in_, rows_}, entropy{in_, rows_}, highest{in_, rows_};
    fuzzed_output<double> log_sum_exp{in_, !is_sound_ && in_.one_in(24) ? in_.below(12) : rows_};
    row_numbers<T> all{rows_};
    bool const is_computed = computes([&] {
      prefopt::token_logprobs(logits_.view(), labels_,
                              {log_prob.view(), log_sum_exp.view(), entropy.view(), {}, highest.view()}, options);
    });
    promise(is_computed || !is_sound_, "token_logprobs refuses rows that are as they should be: ", refusal_);
    if (!is_computed) {
      promise(log_prob.is_untouched() && entropy.is_untouched() && highest.is_untouched() && log_sum_exp.is_untouched(),
              "token_logprobs writes before it refuses");
      promise(logits_.is_untouched(), "token_logprobs writes to what it reads");
      return;
    }
    promise(log_prob.has_whole_gaps() && entropy.has_whole_gaps() && highest.has_whole_gaps() &&
                log_sum_exp.has_whole_gaps(),
            "token_logprobs writes between its results");
    prefopt::token_logprobs(logits_.view(), labels_, all.outputs(), options_);
    promise(same_values(log_prob, all.log_prob) && same_values(entropy, all.entropy) &&
                same_values(highest, all.highest) && same_values(log_sum_exp, all.log_sum_exp),
            "token_logprobs computes otherwise by the layout alone");
    check_rows_alone(all);
    if (is_sound_) check_log_probs(all);
    check_gradients(all, options);
  }

 private:
  template <class Call>
  bool computes(Call const& call) {
    try {
      call();
      return true;
    } catch (std::invalid_argument const& error) {
      refusal_ = error.what();
      return false;
    }
  }

  template <class V>
  static bool same_values(fuzzed_output<V> const& a, std::vector<V> const& b) {
    auto const values = a.values();
    // An output of size 0 is not wanted.
    return values.empty() ||
           std::equal(values.begin(), values.end(), b.begin(), b.end(), [](V x, V y) { return is_same(x, y); });
  }

  /// A row in memory of its own has the same bits.
  void check_rows_alone(row_numbers<T> const& all) {
    if (rows_ == 0) return;
    std::size_t const row = in_.below(rows_);
    auto const alone = logits_.row(row);
    row_numbers<T> one{1};
    std::vector<std::int64_t> const label{labels_[row]};
    prefopt::token_logprobs(prefopt::row_major<U const>{alone.data(), 1, vocabulary_}, label, one.outputs(), options_);
    promise(all.is_same_row(row, one, 0), "a row's numbers depend on where it is");
  }

  /// Against the sum in long double; the bound is that of token_logprobs, with the roundings that a transform may add.
  void check_log_probs(row_numbers<T> const& all) {
    long double const unit = static_cast<long double>(std::numeric_limits<T>::epsilon()) / 2;
    auto const& by = options_.transform;
    for (std::size_t row = 0; row < rows_; ++row) {
      if (labels_[row] == options_.ignore_index) {
        promise(all.log_prob[row] == 0 && all.log_sum_exp[row] == 0, "a row that is ignored has a result");
        continue;
      }
      auto const numbers = logits_.row(row);
      std::vector<long double> x;
      for (U const& number : numbers) {
        auto value = by.scale * static_cast<long double>(as_double(number));
        if (std::isfinite(by.soft_cap)) value = by.soft_cap * std::tanh(value / by.soft_cap);
        x.push_back(value / by.temperature);
      }
      long double const highest = *std::max_element(x.begin(), x.end());
      long double sum = 0, spread = 0;
      for (long double const value : x) {
        sum += std::exp(value - highest);
        spread += std::exp(value - highest) * (highest - value);
      }
      long double const of_label = x[static_cast<std::size_t>(labels_[row])] - highest;
      long double const right = of_label - std::log(sum);
      long double const cap = std::isfinite(by.soft_cap) ? 8 * by.soft_cap / by.temperature : 0;
      // Sums p |x - highest| + 4 + 32 / lanes (+ V / 512) roundings, the last of the result, three of x' at the label and
      // in the sum, and what is so far below the highest that it counts as -inf.
      long double const bound = 2 * unit *
                                    (spread / sum + 36 + static_cast<long double>(vocabulary_) / 512 + 8 * (1 - right) +
                                     3 * (-of_label + spread / sum) + 2 * cap) +
                                static_cast<long double>(vocabulary_) * (sizeof(T) == 4 ? 1.2e-38L : 1e-307L);
      promise(std::fabs(static_cast<long double>(all.log_prob[row]) - right) <= bound, "log_prob is ",
              all.log_prob[row], ", right is ", static_cast<double>(right));
      promise(std::isfinite(all.entropy[row]) && all.entropy[row] >= 0 && all.square_sum[row] > 0 &&
                  all.square_sum[row] <= 1.000001,
              "entropy or square_sum out of what they can be");
    }
  }

  void check_gradients(row_numbers<T> const& all, prefopt::token_options options) {
    std::vector<T> d_log_prob(rows_), d_entropy(rows_);
    bool const has_entropy = in_.one_in(2);
    for (T& d : d_log_prob) d = is_sound_ ? (in_.one_in(4) ? T(0) : static_cast<T>(in_.uniform(-2, 2))) : in_.any<T>();
    for (T& d : d_entropy) d = is_sound_ ? static_cast<T>(in_.uniform(-2, 2)) : in_.any<T>();
    prefopt::token_logprob_slopes<T> slopes{all.log_sum_exp, d_log_prob, {}, {}};
    if (has_entropy) {
      slopes.d_entropy = d_entropy;
      slopes.entropy = all.entropy;
    }
    fuzzed_matrix<U> apart{in_, rows_, vocabulary_, is_sound_ ? layout::apart : layout::any};
    apart.fill([&] { return in_.finite(4); });
    auto const start = apart.copy();
    bool const is_computed =
        computes([&] { prefopt::token_logprob_gradients(logits_.view(), labels_, slopes, apart.writable(), options); });
    promise(is_computed || !is_sound_, "token_logprob_gradients refuses what it should take: ", refusal_);
    promise(logits_.is_untouched(), "token_logprob_gradients writes to what it reads");
    if (!is_computed) {
      promise(apart.equals(start), "token_logprob_gradients writes before it refuses");
      return;
    }
    promise(apart.has_whole_gaps(), "token_logprob_gradients writes between rows");
    if (options.gradient == prefopt::gradient_write::accumulate) return;
    if (is_sound_ && !has_entropy) check_sums(apart, d_log_prob);
    // In place, and in one pass: the same numbers, in place bit for bit.
    auto in_place = logits_.copy();
    if (in_place.is_apart()) {
      prefopt::token_logprob_gradients(in_place.view(), labels_, slopes, in_place.writable(), options);
      promise(in_place.same_numbers(apart), "token_logprob_gradients computes otherwise in place");
    }
    row_numbers<T> again{rows_};
    prefopt::token_logprobs_and_gradients(
        logits_.view(), labels_, [&](std::size_t row, T) noexcept { return static_cast<double>(d_log_prob[row]); },
        apart.writable(), again.outputs(), options);
    for (std::size_t row = 0; row < rows_; ++row) {
      promise(all.is_same_row(row, again, row), "the numbers of one pass are not those of two");
    }
    promise(logits_.is_untouched() && apart.has_whole_gaps(), "token_logprobs_and_gradients writes beside its rows");
  }

  /// A row's gradient by log-prob alone adds up to 0, but for the roundings of its numbers; a cap's slopes do not.
  void check_sums(fuzzed_matrix<U> const& gradients, std::vector<T> const& d_log_prob) {
    if (std::isfinite(options_.transform.soft_cap)) return;
    double const slope = options_.transform.scale / options_.transform.temperature;
    for (std::size_t row = 0; row < rows_; ++row) {
      double sum = 0, size = 0, largest = 0;
      for (U const& number : gradients.row(row)) {
        sum += as_double(number);
        size += std::fabs(as_double(number));
        largest = std::max(largest, std::fabs(as_double(number)));
      }
      promise(sum == sum, "NaN in the gradient by finite logits");
      if (labels_[row] == options_.ignore_index) promise(size == 0, "a row that is ignored has a gradient");
      double const unit = std::max(unit_of<U>, static_cast<double>(std::numeric_limits<T>::epsilon()) / 2);
      // exp(x - log_sum_exp) is off by as many roundings as that is long; 1e4 is the furthest that a logit may be, and
      // what is below 87 (708) gives nothing.
      double const furthest = sizeof(T) == 4 ? 90 : 710;
      double const most = std::fabs(static_cast<double>(d_log_prob[row])) * slope;
      double const reference = sizeof(T) == 4 ? 0 : 0x1p-53 * 2e4 * std::max(1.0, slope);
      double const flushed = static_cast<double>(vocabulary_) * smallest_of<U> * 2;
      promise(std::fabs(sum) <= 2 * most * (unit * (40 + furthest) + reference) + unit * size + flushed,
              "the gradient of a row adds up to ", sum);
    }
  }

  fuzz_input& in_;
  bool is_sound_;
  std::size_t rows_, vocabulary_;
  fuzzed_matrix<U> logits_;
  std::vector<std::int64_t> labels_;
  prefopt::token_options options_;
  std::string refusal_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz_input in{data, size};
  with_stored_type(in, [&]<class U>(std::type_identity<U>) { logit_target<U>{in}.run(); });
  return 0;
}
