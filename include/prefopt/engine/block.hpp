#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <prefopt/simd/lanes.hpp>
#include <prefopt/view/kernel_types.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Examples are worked through, and summed, in blocks of this many: within a block in lanes, between blocks in double.
inline constexpr std::size_t block_examples = 256;

/// How far ahead the columns are fetched into the cache, in bytes. The many streams of a batch are more than the
/// hardware follows by itself: measured on 2^23 pairs, this takes a third off the time; half or twice as far is not
/// better.
inline constexpr std::size_t fetch_ahead = 1024;

template <class V, class T>
PREFOPT_INLINE V load_ahead(T const* from) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(reinterpret_cast<char const*>(from) + fetch_ahead);
#endif
  return V::load_unaligned(from);
}

template <class V, class T>
PREFOPT_INLINE void store_ahead(V const& x, T* to) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(reinterpret_cast<char*>(to) + fetch_ahead, 1);
#endif
  x.store_unaligned(to);
}

/// Calls step(in, out, offset, live) for every batch of lanes of a block: the one loop over examples. The last, short
/// batch is padded with copies of its last example and goes through the same code, so that an example's result does not
/// depend on where it stands; at_tail() is called before it. `live` marks the lanes that hold examples. Where there are
/// more examples, at_block() is called behind every `block_examples` of them.
/// Takes the block over: its pointers end at the padding. They are read where the caller wrote them, one by one.
template <class V, std::size_t Inputs, std::size_t Outputs, class T, class Step, class AtBlock, class AtTail>
PREFOPT_INLINE void for_each_lanes(block<T>& block, Step const& step, AtBlock const& at_block,
                                   AtTail const& at_tail) noexcept {
  constexpr std::size_t lanes = V::size;
  alignas(64) T tail_in[Inputs][lanes];
  alignas(64) T tail_out[Outputs + 1][lanes];
  std::array<T*, Outputs> tail_target{};
  auto live = V(T(0)) == V(T(0));
  std::size_t const rest = block.count % lanes, whole = block.count - rest;
  std::size_t end = whole;
  for (bool is_tail = whole == 0;; is_tail = true) {
    if (is_tail) {
      if (rest == 0) return;
      for (std::size_t c = 0; c < Inputs; ++c) {
        if (block.in[c] == nullptr) continue;
        for (std::size_t j = 0; j < lanes; ++j) tail_in[c][j] = block.in[c][whole + std::min(j, rest - 1)];
        block.in[c] = tail_in[c];
      }
      for (std::size_t c = 0; c < Outputs; ++c) {
        tail_target[c] = nullptr;
        if (block.out[c] == nullptr) continue;
        tail_target[c] = block.out[c] + whole;
        std::fill(std::copy_n(tail_target[c], rest, tail_out[c]), tail_out[c] + lanes, T(0));
        block.out[c] = tail_out[c];
      }
      live = lane_numbers<T, typename V::arch_type>() < V(static_cast<T>(rest));
      end = lanes;
      at_tail();
    }
    // Of its own, so that a result written does not make the compiler read the pointers again.
    auto const in = block.in;
    auto const out = block.out;
    for (std::size_t offset = 0; offset < end;) {
      step(in, out, offset, live);
      offset += lanes;
      if (offset % block_examples == 0) at_block();
    }
    if (is_tail) break;
  }
  for (std::size_t c = 0; c < Outputs; ++c) {
    if (tail_target[c] != nullptr) std::copy_n(tail_out[c], rest, tail_target[c]);
  }
}

template <class V, std::size_t Inputs, std::size_t Outputs, class T, class Step>
PREFOPT_INLINE void for_each_lanes(block<T>& block, Step const& step) noexcept {
  for_each_lanes<V, Inputs, Outputs>(
      block, step, [] {}, [] {});
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
