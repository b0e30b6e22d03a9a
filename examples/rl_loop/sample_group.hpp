#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "byte_alphabet.hpp"

/// A prompt and the completions that were sampled for it. A completion has at least one token; its last is the end, unless
/// it was cut off.
struct sample_group {
  std::vector<byte_alphabet::token> prompt;
  std::vector<std::vector<byte_alphabet::token>> completions;

  std::size_t tokens() const {
    std::size_t count = 0;
    for (auto const& completion : completions) count += completion.size();
    return count;
  }

  std::size_t longest() const {
    std::size_t most = 0;
    for (auto const& completion : completions) most = completion.size() > most ? completion.size() : most;
    return most;
  }

  /// All tokens of the completions, one completion after the other.
  std::vector<std::int64_t> labels() const {
    std::vector<std::int64_t> all;
    for (auto const& completion : completions) all.insert(all.end(), completion.begin(), completion.end());
    return all;
  }
};
