#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

/// The small task that every host trains a language model on: pairs of sequences of 12 tokens of a vocabulary of 16; a
/// hidden score of each pair of neighbouring tokens decides which sequence is the chosen one. The same numbers on every
/// machine.
struct token_task {
  static constexpr std::size_t vocabulary = 16, length = 12;
  using sequence = std::array<std::int32_t, length>;

  struct pair {
    sequence chosen, rejected;
  };

  std::vector<pair> train, held_out;

  explicit token_task(std::size_t train_pairs = 1024, std::size_t held_out_pairs = 256) {
    for (auto& score : scores_) score = static_cast<int>(next(2001)) - 1000;
    while (train.size() < train_pairs) train.push_back(sample());
    while (held_out.size() < held_out_pairs) held_out.push_back(sample());
  }

 private:
  pair sample() {
    sequence first{}, second{};
    for (auto* tokens : {&first, &second}) {
      for (auto& token : *tokens) token = static_cast<std::int32_t>(next(vocabulary));
    }
    return score(first) >= score(second) ? pair{first, second} : pair{second, first};
  }

  [[nodiscard]] int score(sequence const& tokens) const {
    int sum = 0;
    for (std::size_t t = 1; t < length; ++t) {
      sum += scores_[static_cast<std::size_t>(tokens[t - 1]) * vocabulary + static_cast<std::size_t>(tokens[t])];
    }
    return sum;
  }

  std::uint64_t next(std::uint64_t below) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return (state_ >> 33U) % below;
  }

  std::uint64_t state_ = 20;
  std::array<int, vocabulary * vocabulary> scores_{};
};
