#pragma once

#include <cstdint>
#include <random>

/// A generator for one purpose of a run: the same whether or not the run was stopped before.
inline std::mt19937_64 seeded_generator(std::uint64_t seed, std::uint32_t purpose, std::uint64_t epoch) {
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), purpose,
                         static_cast<std::uint32_t>(epoch)};
  return std::mt19937_64{sequence};
}
