#pragma once

#include <cstdint>
#include <random>

#include "seeded_generator.hpp"

/// What numbers are drawn for. Each has sequences of its own, one a place, so that none depends on what else was drawn, or
/// by which rank.
enum class drawn_for : std::uint32_t { split, weights, warm_up, prompts, samples, judgement };

inline std::mt19937_64 seeded(std::uint64_t seed, drawn_for purpose, std::uint64_t place = 0) {
  return seeded_generator(seed, static_cast<std::uint32_t>(purpose), place);
}

/// One of so many.
inline std::size_t drawn_below(std::size_t count, std::mt19937_64& random) {
  return static_cast<std::size_t>(static_cast<double>(random() >> 11U) * 0x1p-53 * static_cast<double>(count));
}
