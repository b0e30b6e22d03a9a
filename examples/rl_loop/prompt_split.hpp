#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "seeded.hpp"

/// Places of the exercises, each in one part: those that the warm-up imitates, those that the loop samples for, and those
/// that it is judged by and that nothing learns from.
struct prompt_split {
  std::vector<std::size_t> warm_up, training, held_out;

  prompt_split(std::size_t exercises, std::uint64_t seed) {
    std::vector<std::size_t> order(exercises);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::shuffle(order, seeded(seed, drawn_for::split));
    auto const at = [&](std::size_t tenths) {
      return order.begin() + static_cast<std::ptrdiff_t>(exercises * tenths / 10);
    };
    warm_up.assign(order.begin(), at(4));
    training.assign(at(4), at(8));
    held_out.assign(at(8), order.end());
  }
};
