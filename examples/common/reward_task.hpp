#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// The small task that every host trains on for a reward model: pairs of completions, each described by 16 features;
/// the one that a hidden, slightly curved reward prefers is the chosen one. The same numbers on every machine.
struct reward_task {
  static constexpr std::size_t features = 16;

  struct pair {
    std::array<float, features> chosen, rejected;
  };

  std::vector<pair> train, held_out;

  explicit reward_task(std::size_t train_pairs = 512, std::size_t held_out_pairs = 256) {
    for (auto& weight : weights_) weight = uniform();
    while (train.size() < train_pairs) train.push_back(sample());
    while (held_out.size() < held_out_pairs) held_out.push_back(sample());
  }

 private:
  pair sample() {
    std::array<float, features> first{}, second{};
    for (auto* completion : {&first, &second}) {
      for (auto& feature : *completion) feature = uniform();
    }
    return reward(first) >= reward(second) ? pair{first, second} : pair{second, first};
  }

  [[nodiscard]] float reward(std::array<float, features> const& x) const {
    float sum = 0;
    for (std::size_t i = 0; i < features; ++i) sum += weights_[i] * x[i];
    return sum + 0.25F * std::abs(x[0]);
  }

  /// In [-1, 1).
  float uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 40U) - (1 << 23)) / static_cast<float>(1 << 23);
  }

  std::uint64_t state_ = 20;
  std::array<float, features> weights_{};
};
