#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

/// What numbers are drawn for; each purpose has a sequence of its own, so that none depends on what else was drawn.
enum class drawn_for : std::uint32_t { problem, noise, batches, rankings, annotators, flips };

/// A repetition, of fewer than 2^32, as a number that no other seed's repetitions have; of seed 1 it is the repetition's own.
inline std::uint64_t of_seed(std::uint64_t seed, std::uint64_t repetition) { return ((seed - 1) << 32U) + repetition; }

/// The generator of one purpose, told apart by further numbers: a seed, a repetition, a setting's place.
inline std::mt19937_64 random_generator(drawn_for purpose, std::initializer_list<std::uint64_t> numbers) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(purpose)};
  for (std::uint64_t const number : numbers) {
    words.push_back(static_cast<std::uint32_t>(number));
    words.push_back(static_cast<std::uint32_t>(number >> 32));
  }
  std::seed_seq sequence(words.begin(), words.end());
  return std::mt19937_64{sequence};
}
