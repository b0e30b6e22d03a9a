#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/simd/lanes.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Pairs are worked through, and summed, in blocks of this many: within a block in lanes, between blocks in double.
inline constexpr std::size_t block_pairs = 256;

/// The members of a batch and of its outputs, in one order, for whatever treats them alike.
inline constexpr std::size_t input_count = 10, output_count = 6;

template <class T>
inline constexpr std::array<column<T> pair_batch<T>::*, input_count> input_columns{
    &pair_batch<T>::chosen,       &pair_batch<T>::rejected,      &pair_batch<T>::ref_chosen,
    &pair_batch<T>::ref_rejected, &pair_batch<T>::chosen_length, &pair_batch<T>::rejected_length,
    &pair_batch<T>::weight,       &pair_batch<T>::margin,        &pair_batch<T>::label,
    &pair_batch<T>::reliability};
inline constexpr std::array<char const*, input_count> input_names{
    "chosen",          "rejected", "ref_chosen", "ref_rejected", "chosen_length",
    "rejected_length", "weight",   "margin",     "label",        "reliability"};
enum input : std::size_t {
  chosen,
  rejected,
  ref_chosen,
  ref_rejected,
  chosen_length,
  rejected_length,
  weight,
  margin,
  label,
  reliability
};

template <class T>
inline constexpr std::array<output<T> pair_outputs<T>::*, output_count> output_columns{
    &pair_outputs<T>::loss,          &pair_outputs<T>::d_chosen,        &pair_outputs<T>::d_rejected,
    &pair_outputs<T>::chosen_reward, &pair_outputs<T>::rejected_reward, &pair_outputs<T>::posterior};
inline constexpr std::array<char const*, output_count> output_names{"loss",          "d_chosen",        "d_rejected",
                                                                    "chosen_reward", "rejected_reward", "posterior"};
enum output_index : std::size_t {
  loss_out,
  d_chosen_out,
  d_rejected_out,
  chosen_reward_out,
  rejected_reward_out,
  posterior_out
};

/// Contiguous pieces of the columns, null where a column is not given or an output not wanted.
template <class T>
struct pair_block {
  std::array<T const*, input_count> in{};
  std::array<T*, output_count> out{};
  std::size_t count = 0;
};

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

/// Calls step(in, out, offset, live) for every batch of lanes of a block: the one loop over pairs. The last, short
/// batch is padded with copies of its last pair and goes through the same code, so that a pair's result does not depend
/// on where it stands. `live` marks the lanes that hold pairs.
/// Takes the block over: its pointers end at the padding. They are read where the caller wrote them, one by one.
template <class V, class T, class Step>
PREFOPT_INLINE void for_each_lanes(pair_block<T>& block, Step const& step) noexcept {
  constexpr std::size_t lanes = V::size;
  alignas(64) T tail_in[input_count][lanes];
  alignas(64) T tail_out[output_count][lanes];
  std::array<T*, output_count> tail_target;
  auto live = V(T(0)) == V(T(0));
  std::size_t const whole = block.count - block.count % lanes, rest = block.count - whole;
  for (std::size_t i = 0; i < block.count; i += lanes) {
    std::size_t offset = i;
    if (i == whole) {
      for (std::size_t c = 0; c < input_count; ++c) {
        if (block.in[c] == nullptr) continue;
        for (std::size_t j = 0; j < lanes; ++j) tail_in[c][j] = block.in[c][i + std::min(j, rest - 1)];
        block.in[c] = tail_in[c];
      }
      for (std::size_t c = 0; c < output_count; ++c) {
        tail_target[c] = nullptr;
        if (block.out[c] == nullptr) continue;
        tail_target[c] = block.out[c] + whole;
        std::fill(std::copy_n(tail_target[c], rest, tail_out[c]), tail_out[c] + lanes, T(0));
        block.out[c] = tail_out[c];
      }
      offset = 0;
      live = lane_numbers<T, typename V::arch_type>() < V(static_cast<T>(rest));
    }
    step(block.in, block.out, offset, live);
  }
  if (rest != 0) {
    for (std::size_t c = 0; c < output_count; ++c) {
      if (tail_target[c] != nullptr) std::copy_n(tail_out[c], rest, tail_target[c]);
    }
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
