#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <oracle/bits.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <vector>

#include "token_softmax.hpp"

/// Hidden states and a head as a trained model has them: tokens of a common direction and of very different frequency, of
/// which a row has 2.4 nats of entropy, and labels drawn from it. With its log-probs and gradients, in double.
template <class U>
struct trained_head {
  using T = prefopt::detail::computed_of<U>;

  std::size_t rows, vocabulary, width;
  std::vector<U> hidden, weight;
  std::vector<std::int64_t> labels;
  std::vector<T> d_log_prob, d_entropy, entropy;
  std::vector<double> log_sum_exp, d_logits, d_hidden, d_weight;
  prefopt::logit_transform transform;

  trained_head(std::size_t row_count, std::size_t vocabulary_size, std::size_t row_width, std::uint64_t seed,
               double nats = 2.4, prefopt::logit_transform of = {}, bool by_entropy = false)
      : rows{row_count}, vocabulary{vocabulary_size}, width{row_width}, transform{of} {
    oracle::random_numbers random{seed};
    std::vector<double> w(vocabulary * width), h(rows * width), common(width);
    for (double& x : common) x = random.normal();
    double const size = 1 / std::sqrt(static_cast<double>(width));
    for (std::size_t j = 0; j < vocabulary; ++j) {
      for (std::size_t k = 1; k < width; ++k) w[j * width + k] = size * (random.normal() + 0.7 * common[k]);
      w[j * width] = -std::log(static_cast<double>(j + 10));
    }
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t k = 1; k < width; ++k) h[i * width + k] = random.normal() + 0.5 * common[k];
      h[i * width] = 1;
    }
    double low = 0.1, high = 30;
    for (int step = 0; step < 12; ++step) {
      double const scale = (low + high) / 2;
      double mean = 0;
      for (std::size_t i = 0; i < 8; ++i) mean += of_row(i * rows / 8, h, w, scale).entropy / 8;
      (mean > nats ? low : high) = scale;
    }
    for (std::size_t i = 0; i < h.size(); ++i) hidden.push_back(stored<U>(i % width == 0 ? h[i] : low * h[i]));
    for (double const x : w) weight.push_back(stored<U>(x));
    for (std::size_t i = 0; i < h.size(); ++i) h[i] = static_cast<double>(exact(hidden[i]));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(exact(weight[i]));
    d_logits.resize(rows * vocabulary);
    d_hidden.resize(h.size());
    d_weight.resize(w.size());
    for (std::size_t i = 0; i < rows; ++i) {
      auto const row = of_row(i, h, w, 1);
      double drawn = static_cast<double>(random.bits() >> 11) * 0x1p-53;
      std::size_t label = 0;
      while (label + 1 < vocabulary && (drawn -= row.p[label]) > 0) ++label;
      bool const counts = i % 7 != 3;
      labels.push_back(counts ? static_cast<std::int64_t>(label) : -100);
      d_log_prob.push_back(
          i % 11 == 5 ? T(0) : static_cast<T>((i / 64 % 2 == 0 ? 1 : -1) * (1 + 0.3 * random.normal()) * 1e-3));
      d_entropy.push_back(by_entropy ? static_cast<T>(2e-4 * random.normal()) : T(0));
      entropy.push_back(static_cast<T>(row.entropy));
      log_sum_exp.push_back(row.log_sum);
      if (!counts) continue;
      double const d = static_cast<double>(d_log_prob[i]), e = static_cast<double>(d_entropy[i]);
      for (std::size_t j = 0; j < vocabulary; ++j) {
        double const p = row.p[j], log_p = row.x[j] - row.log_sum;
        double g = d * ((j == label ? 1 : 0) - p);
        if (p > 0) g -= e * p * (log_p + static_cast<double>(entropy[i]));
        g *= row.slope[j];
        d_logits[i * vocabulary + j] = g;
        for (std::size_t k = 0; k < width; ++k) {
          d_hidden[i * width + k] += g * w[j * width + k];
          d_weight[j * width + k] += g * h[i * width + k];
        }
      }
    }
  }

  [[nodiscard]] prefopt::linear_head<U> head() const {
    return {.hidden = {hidden.data(), rows, width}, .weight = {weight.data(), vocabulary, width}};
  }

 private:
  struct row_of_logits {
    std::vector<double> x, p, slope;  ///< logits as the transform leaves them, and the slope of that
    double log_sum = 0, entropy = 0;
  };

  [[nodiscard]] row_of_logits of_row(std::size_t i, std::vector<double> const& h, std::vector<double> const& w,
                                     double scale) const {
    row_of_logits row;
    double top = -HUGE_VAL;
    for (std::size_t j = 0; j < vocabulary; ++j) {
      double rest = 0;
      for (std::size_t k = 1; k < width; ++k) rest += h[i * width + k] * w[j * width + k];
      double const logit = scale * rest + h[i * width] * w[j * width];
      double x = logit, slope = 1;
      if (std::isfinite(transform.soft_cap)) {
        x = transform.soft_cap * std::tanh(logit / transform.soft_cap);
        slope = 1 - (x / transform.soft_cap) * (x / transform.soft_cap);
      }
      row.x.push_back(x / transform.temperature);
      row.slope.push_back(slope / transform.temperature);
      top = std::max(top, row.x.back());
    }
    double sum = 0;
    for (double const x : row.x) sum += std::exp(x - top);
    row.log_sum = top + std::log(sum);
    for (double const x : row.x) {
      row.p.push_back(std::exp(x - row.log_sum));
      row.entropy -= row.p.back() * (x - row.log_sum);
    }
    return row;
  }
};
