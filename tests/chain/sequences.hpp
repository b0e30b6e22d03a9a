#pragma once

#include <catch.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <oracle/bits.hpp>
#include <oracle/same_reports.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <vector>

#include "token_softmax.hpp"

/// A sequence's log-prob, exactly, and how far the library's may be off.
struct sequence_truth {
  real log_prob = 0, bound = 0;
  std::size_t length = 0;
};

/// Logits of a few short sequences, with ignored rows among them, which hold NaN; rows lie apart, with NaN in between.
template <class U>
struct sequences {
  using T = prefopt::detail::computed_of<U>;

  std::size_t vocabulary, stride;
  std::vector<U> memory;
  std::vector<std::int64_t> labels, offsets{0};

  /// Sequences of 1 to 4 tokens, and of none at the places in `empty`.
  sequences(std::size_t count, std::size_t tokens_of_vocabulary, std::uint64_t seed,
            std::vector<std::size_t> const& empty = {})
      : vocabulary{tokens_of_vocabulary}, stride{tokens_of_vocabulary + 3} {
    oracle::random_numbers random{seed};
    double const nan = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = 0; i < count; ++i) {
      bool const is_empty = std::find(empty.begin(), empty.end(), i) != empty.end();
      std::size_t const length = is_empty ? 0 : 1 + random.bits() % 4;
      std::vector<bool> counts(length, true);
      for (std::size_t k = random.bits() % 3; k > 0; --k) {
        counts.insert(counts.begin() + static_cast<std::ptrdiff_t>(random.bits() % (counts.size() + 1)), false);
      }
      for (bool const token : counts) {
        labels.push_back(token ? static_cast<std::int64_t>(random.bits() % vocabulary) : -100);
        for (std::size_t j = 0; j < stride; ++j) {
          memory.push_back(stored<U>(token && j < vocabulary ? 2 * random.normal() : nan));
        }
      }
      offsets.push_back(static_cast<std::int64_t>(labels.size()));
    }
  }

  [[nodiscard]] std::size_t rows() const { return labels.size(); }
  [[nodiscard]] std::size_t count() const { return offsets.size() - 1; }
  [[nodiscard]] prefopt::token_rows tokens() const { return {.labels = labels, .offsets = offsets}; }
  [[nodiscard]] prefopt::row_major<U const> logits() const {
    return {memory.data(), rows(), vocabulary, static_cast<std::ptrdiff_t>(stride)};
  }
  /// Memory of the logits' layout as rows to write to.
  [[nodiscard]] prefopt::row_major<U> target(std::vector<U>& of) const {
    REQUIRE(of.size() == memory.size());
    return {of.data(), rows(), vocabulary, static_cast<std::ptrdiff_t>(stride)};
  }
  [[nodiscard]] prefopt::logit_policy<U> policy() const { return {.logits = logits(), .tokens = tokens()}; }
  [[nodiscard]] prefopt::logit_policy<U> policy(std::vector<U>& d_logits) const {
    return {.logits = logits(), .tokens = tokens(), .d_logits = target(d_logits)};
  }

  /// Of a row that is ignored, nothing that means anything.
  [[nodiscard]] token_softmax softmax_of(std::size_t row) const {
    std::vector<real> x;
    for (std::size_t j = 0; j < vocabulary; ++j) x.push_back(exact(memory[row * stride + j]));
    return {x, labels[row] == -100 ? 0 : static_cast<std::size_t>(labels[row])};
  }

  /// Token log-probs as token_logprobs bounds them, added up in double, rounded to T.
  [[nodiscard]] sequence_truth truth_of(std::size_t sequence) const {
    sequence_truth truth;
    for (auto row = static_cast<std::size_t>(offsets[sequence]); row < static_cast<std::size_t>(offsets[sequence + 1]);
         ++row) {
      if (labels[row] == -100) continue;
      auto const softmax = softmax_of(row);
      ++truth.length;
      truth.log_prob += softmax.log_prob;
      truth.bound += softmax.template log_prob_bound<T>(static_cast<std::size_t>(labels[row]));
    }
    real const size = std::fabs(truth.log_prob);
    truth.bound += static_cast<real>(truth.length) * spacing<double> * size + spacing<T> * size;
    return truth;
  }
};

/// Derivatives by each sequence's log-prob, and how far they may be off.
struct sequence_gradients {
  std::vector<real> value, bound;

  explicit sequence_gradients(std::size_t sequences) : value(sequences), bound(sequences) {}
};

/// Every number of d_logits against d (onehot - softmax), and that nothing was written between the rows. `before` is
/// what stood there if the gradient was added to it.
template <class U>
void check_logit_gradients(sequences<U> const& data, std::vector<U> const& d_logits, sequence_gradients const& d,
                           worst_share& worst, std::vector<U> const* before = nullptr) {
  using T = typename sequences<U>::T;
  // Half of the spacing of U's subnormal numbers; what T cannot hold as a normal number becomes 0.
  real const flushed = (prefopt::detail::float16_like<U> ? 0x1p-25L : 0) + std::numeric_limits<T>::min();
  for (std::size_t i = 0; i < data.count(); ++i) {
    for (auto row = static_cast<std::size_t>(data.offsets[i]); row < static_cast<std::size_t>(data.offsets[i + 1]);
         ++row) {
      bool const counts = data.labels[row] != -100;
      auto const softmax = data.softmax_of(row);
      for (std::size_t j = 0; j < data.stride; ++j) {
        std::size_t const at = row * data.stride + j;
        U const got = d_logits[at];
        INFO("row " << row << " logit " << j);
        if (j >= data.vocabulary || (!counts && before != nullptr)) {
          CHECK(same_number(got, before != nullptr ? (*before)[at] : stored<U>(-77)));
          continue;
        }
        if (!counts) {
          CHECK(exact(got) == 0);
          continue;
        }
        real const slope = softmax.slope(j, static_cast<std::size_t>(data.labels[row]));
        real const old = before != nullptr ? exact((*before)[at]) : 0, right = old + d.value[i] * slope;
        // d rounded to T.
        real const d_bound = d.bound[i] + spacing<T> / 2 * (std::fabs(d.value[i]) + d.bound[i]);
        real const largest = std::fabs(d.value[i]) + d_bound, relative = softmax.template slope_bound<T>(j);
        real bound = std::fabs(slope) * (d_bound + largest * relative) + flushed;
        // Rounded to U, and where it is added to something in T before.
        if (!std::same_as<U, T> || before != nullptr) bound += spacing<U> / 2 * (std::fabs(right) + bound);
        if (before != nullptr) bound += spacing<T> / 2 * (std::fabs(right) + bound);
        bool const is_within = worst.within(exact(got), right, bound);
        if (!is_within) CHECK(exact(got) == right);
      }
    }
  }
}

/// Log-probs and lengths of every sequence.
template <class U>
void check_sequences(sequences<U> const& data, std::vector<typename sequences<U>::T> const& log_prob,
                     std::vector<typename sequences<U>::T> const& length, worst_share& worst) {
  for (std::size_t i = 0; i < data.count(); ++i) {
    auto const truth = data.truth_of(i);
    INFO("sequence " << i);
    CHECK(static_cast<std::size_t>(length[i]) == truth.length);
    bool const is_within = worst.within(log_prob[i], truth.log_prob, truth.bound);
    if (!is_within) CHECK(static_cast<real>(log_prob[i]) == truth.log_prob);
  }
}

template <class U>
std::vector<U> untouched_like(std::vector<U> const& memory) {
  return std::vector<U>(memory.size(), stored<U>(-77));
}

/// Whether two reports are the same, bit for bit.
using oracle::same_bits;
