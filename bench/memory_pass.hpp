#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/logprob/logit_kernel.hpp>
#include <xsimd/xsimd.hpp>

/// Passes over memory that do nothing else: no call that touches the same bytes can be faster. They fetch ahead as the
/// library does; std::memcpy is the third of them.
namespace memory_pass {

using lanes = xsimd::batch<std::uint32_t>;

[[gnu::noinline]] inline std::uint32_t read(std::uint32_t const* from, std::size_t count) {
  constexpr std::size_t step = 4;
  std::array<lanes, step> sums;
  sums.fill(lanes(0U));
  std::size_t i = 0;
  for (; i + step * lanes::size <= count; i += step * lanes::size) {
    for (std::size_t k = 0; k < step; ++k) {
      prefopt::detail::fetch_logits(from + i + k * lanes::size);
      sums[k] ^= lanes::load_unaligned(from + i + k * lanes::size);
    }
  }
  lanes const all = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
  std::array<std::uint32_t, lanes::size> words;
  all.store_unaligned(words.data());
  std::uint32_t sum = 0;
  for (std::uint32_t const word : words) sum ^= word;
  for (; i < count; ++i) sum ^= from[i];
  return sum;
}

/// Reads and writes in place: turns signs.
[[gnu::noinline]] inline void read_and_write(std::uint32_t* words, std::size_t count) {
  constexpr std::uint32_t sign = 0x80000000;
  std::size_t i = 0;
  for (; i + lanes::size <= count; i += lanes::size) {
    prefopt::detail::fetch_logits(words + i);
    (lanes::load_unaligned(words + i) ^ lanes(sign)).store_unaligned(words + i);
  }
  for (; i < count; ++i) words[i] ^= sign;
}

}  // namespace memory_pass
