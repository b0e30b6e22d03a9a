#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <oracle/bits.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <string>
#include <vector>

#include "refusal.hpp"
#include "token_softmax.hpp"

/// Hidden states, a head and gradients by the log-probs. Every fourth row is ignored and holds NaN; rows lie apart,
/// with NaN in between.
template <class U>
struct linear_data {
  using T = prefopt::detail::computed_of<U>;

  std::size_t rows, vocabulary, width;
  std::vector<U> hidden, weight;
  std::vector<T> bias, d_log_prob;
  std::vector<std::int64_t> labels;
  bool has_bias = true;

  linear_data(std::size_t row_count, std::size_t vocabulary_size, std::size_t row_width, std::uint64_t seed = 1)
      : rows{row_count}, vocabulary{vocabulary_size}, width{row_width} {
    oracle::random_numbers random{seed};
    double const nan = std::numeric_limits<double>::quiet_NaN(),
                 scale = 2 / std::sqrt(static_cast<double>(std::max<std::size_t>(width, 1)));
    for (std::size_t i = 0; i < rows; ++i) {
      bool const counts = i % 4 != 1;
      labels.push_back(counts ? static_cast<std::int64_t>(random.bits() % vocabulary) : -100);
      d_log_prob.push_back(i == 2 ? T(0) : static_cast<T>(random.normal()));
      for (std::size_t k = 0; k < hidden_stride(); ++k) {
        hidden.push_back(stored<U>(counts && k < width ? random.normal() : nan));
      }
    }
    for (std::size_t j = 0; j < vocabulary; ++j) {
      bias.push_back(static_cast<T>(random.normal()));
      for (std::size_t k = 0; k < weight_stride(); ++k) {
        weight.push_back(stored<U>(k < width ? scale * random.normal() : nan));
      }
    }
  }

  [[nodiscard]] std::size_t hidden_stride() const { return width + 2; }
  [[nodiscard]] std::size_t weight_stride() const { return width + 1; }
  [[nodiscard]] std::size_t counted() const {
    return rows - static_cast<std::size_t>(std::count(labels.begin(), labels.end(), -100));
  }

  [[nodiscard]] prefopt::linear_head<U> head() const {
    prefopt::linear_head<U> head{
        .hidden = {hidden.data(), rows, width, static_cast<std::ptrdiff_t>(hidden_stride())},
        .weight = {weight.data(), vocabulary, width, static_cast<std::ptrdiff_t>(weight_stride())}};
    if (has_bias) head.bias = bias;
    return head;
  }

  /// What one chunk of one row takes, as the refusal of less says it.
  template <class Product>
  [[nodiscard]] std::size_t least_budget(Product const& product, prefopt::linear_gradients<T> const& gradients) const {
    std::vector<double> const log_sum_exp(rows);
    auto const text = refusal([&] {
      linear_token_logprob_gradients(head(), labels, log_sum_exp, d_log_prob, gradients, product, {.memory_budget = 1});
    });
    std::string const before = "memory_budget is 1 bytes, one row of logits takes ";
    INFO(text);
    REQUIRE(text.find(before) != std::string::npos);
    return std::stoul(text.substr(text.find(before) + before.size()));
  }
};

/// Memory for all gradients, rows apart.
template <class T>
struct linear_results {
  static constexpr T untouched = T(-77);

  std::size_t rows, vocabulary, width, stride;
  std::vector<T> hidden, weight, bias;

  template <class U>
  explicit linear_results(linear_data<U> const& data, T value = untouched)
      : rows{data.rows},
        vocabulary{data.vocabulary},
        width{data.width},
        stride{data.width + 3},
        hidden(rows * stride, value),
        weight(vocabulary * stride, value),
        bias(vocabulary, value) {}

  [[nodiscard]] prefopt::linear_gradients<T> targets() {
    auto const apart = static_cast<std::ptrdiff_t>(stride);
    return {{hidden.data(), rows, width, apart}, {weight.data(), vocabulary, width, apart}, bias};
  }
  [[nodiscard]] bool operator==(linear_results const& other) const {
    return same_numbers(hidden, other.hidden) && same_numbers(weight, other.weight) && same_numbers(bias, other.bias);
  }
};

/// A number and how far a computation of it may be off.
struct bounded {
  real value = 0, bound = 0;
};

/// Everything exactly, in long double, and bounds that hold for any order of the sums in T, whatever the chunks.
/// With u half of T's spacing and g(k) = k u / (1 - k u), which bounds k roundings one upon the other:
///  * a logit is a sum of `width` products, and the bias: off by e_j = g(width) sum |h w| + u (|sum| + |bias|);
///  * log-sum-exp is off by max e at most, so the log-prob by e_label + max e and what token_logprobs states;
///  * exp(x - lse) by the factor exp(e_j + max e), beside what token_logprob_gradients states; where factors are 16-bit
///    the gradient is rounded to them;
///  * products back: the errors of their factors, and g(2 n + 2) of the sum of the sizes of n terms and what stood
///    there before: each term may be a chunk of its own, added to the sum before.
template <class U, class Factor>
struct linear_truth {
  using T = prefopt::detail::computed_of<U>;

  std::vector<bounded> log_prob, hidden, weight, bias;

  /// `before` is what stood in every place of the gradients.
  explicit linear_truth(linear_data<U> const& data, T before = 0)
      : log_prob(data.rows),
        hidden(data.rows * data.width),
        weight(data.vocabulary * data.width),
        bias(data.vocabulary) {
    real const u = spacing<T> / 2;
    auto const roundings = [&](std::size_t count) {
      real const k = static_cast<real>(count) * u;
      return k / (1 - k);
    };
    std::size_t const n = data.rows, v = data.vocabulary, h = data.width;
    std::vector<real> hidden_size(hidden.size()), weight_size(weight.size()), bias_size(v);
    for (std::size_t row = 0; row < n; ++row) {
      if (data.labels[row] == -100) continue;
      auto const label = static_cast<std::size_t>(data.labels[row]);
      std::vector<real> x(v), off(v);
      for (std::size_t j = 0; j < v; ++j) {
        real size = 0;
        for (std::size_t k = 0; k < h; ++k) {
          real const term =
              exact(data.hidden[row * data.hidden_stride() + k]) * exact(data.weight[j * data.weight_stride() + k]);
          x[j] += term;
          size += std::fabs(term);
        }
        off[j] = roundings(h) * size;
        if (!data.has_bias) continue;
        real const b = exact(data.bias[j]);
        off[j] += u * (std::fabs(x[j]) + off[j] + std::fabs(b));
        x[j] += b;
      }
      token_softmax const softmax{x, label};
      real const worst = *std::max_element(off.begin(), off.end()), moved = off[label] + worst;
      real const units = softmax.p[label] < 0.4L ? 2 : 2 + std::fabs(std::log(softmax.rest)) + 2 * worst;
      log_prob[row] = {softmax.log_prob, moved + units * spacing<T> * (std::fabs(softmax.log_prob) + moved)};
      real const d = exact(data.d_log_prob[row]);
      for (std::size_t j = 0; j < v; ++j) {
        real const g = d * softmax.slope(j, label);
        real g_off = std::fabs(d) * softmax.p[j] * std::expm1(off[j] + worst);
        g_off += (softmax.template slope_bound<T>(j) + 2 * worst * spacing<T>)*(std::fabs(g) + g_off);
        g_off += std::numeric_limits<T>::min();
        if (!std::same_as<Factor, T>) {
          g_off += spacing<Factor> / 2 * (std::fabs(g) + g_off);
          if (prefopt::detail::float16_like<Factor>) g_off += 0x1p-25L;
        }
        bias[j].value += g;
        bias[j].bound += g_off;
        bias_size[j] += std::fabs(g);
        for (std::size_t k = 0; k < h; ++k) {
          auto const add = [&](bounded& sum, real& size, real by) {
            sum.value += g * by;
            sum.bound += g_off * std::fabs(by);
            size += std::fabs(g * by);
          };
          add(hidden[row * h + k], hidden_size[row * h + k], exact(data.weight[j * data.weight_stride() + k]));
          add(weight[j * h + k], weight_size[j * h + k], exact(data.hidden[row * data.hidden_stride() + k]));
        }
      }
    }
    auto const finish = [&](std::vector<bounded>& sums, std::vector<real> const& sizes, std::size_t terms) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        real const old = exact(before);
        sums[i].value += old;
        sums[i].bound += roundings(2 * terms + 2) * (sizes[i] + sums[i].bound + std::fabs(old));
      }
    };
    finish(hidden, hidden_size, v);
    finish(weight, weight_size, n);
    finish(bias, bias_size, n);
  }

  void check_log_probs(std::vector<T> const& got, worst_share& worst) const { check("log_prob", got, log_prob, worst); }

  /// `before` also stands where nothing is written: in between rows.
  void check_gradients(linear_results<T> const& got, worst_share& worst) const {
    check("hidden", packed(got.hidden, got), hidden, worst);
    check("weight", packed(got.weight, got), weight, worst);
    check("bias", got.bias, bias, worst);
  }

 private:
  static std::vector<T> packed(std::vector<T> const& rows, linear_results<T> const& shape) {
    std::vector<T> result;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i % shape.stride < shape.width) result.push_back(rows[i]);
    }
    return result;
  }

  static void check(char const* what, std::vector<T> const& got, std::vector<bounded> const& right,
                    worst_share& worst) {
    REQUIRE(got.size() == right.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      bool const is_within = worst.within(got[i], right[i].value, right[i].bound);
      if (is_within) continue;
      INFO(what << " " << i << ", allowed are " << right[i].bound);
      CHECK(static_cast<real>(got[i]) == right[i].value);
    }
  }
};
