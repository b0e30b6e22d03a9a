#pragma once

#include <array>
#include <cstddef>
#include <prefopt/engine/block_kernel.hpp>

// What has nothing to do with the loss: examples that are left out, gradients that are added to what is there.
// The loss's kernel computes a block plainly, into memory of its own, and its numbers are finished here, by one function
// for all losses of a family.

namespace prefopt::inline PREFOPT_ABI::detail {

/// Numbers of a block, which are loaded in lanes beyond its last example.
template <class T>
struct block_numbers {
  alignas(64) T values[block_examples];

  void pad(std::size_t count, std::size_t lanes) noexcept {
    for (std::size_t i = count; i % lanes != 0; ++i) values[i] = T(0);
  }
};

/// target = numbers * by, or * factor where that is null; added to what is there if so wished.
template <class V, class T>
PREFOPT_INLINE void write_numbers(T const* numbers, T const* by, T factor, bool accumulate, std::size_t count,
                                  T* target) noexcept {
  block<T> pieces{};
  pieces.count = count;
  pieces.in = {numbers, by, accumulate ? target : nullptr};
  pieces.out = {target};
  for_each_lanes<V, 3, 1>(pieces,
                          [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
                            V x = V::load_unaligned(in[0] + offset);
                            x = x * (in[1] == nullptr ? V(factor) : V::load_unaligned(in[1] + offset));
                            if (in[2] != nullptr) x = load_ahead<V>(in[2] + offset) + x;
                            store_ahead(x, out[0] + offset);
                          });
}

template <class Family, class T, class Arch>
PREFOPT_NOINLINE void finish_block(block_kernel<T> run, void const* loss, settings<T> const& given, block<T>& all,
                                   sums& totals) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t inputs = Family::input_count, outputs = Family::output_count, lanes = V::size;
  auto const& rows = Family::template results<T>;
  bool const weighted = all.in[Family::weight] != nullptr, leaves_out = given.skip_non_finite || given.skip_empty;
  V const zero(T(0)), one(T(1));
  double empty = 0;
  if (given.has_empty) {
    V seen = zero;
    block<T> lengths = all;
    for_each_lanes<V, inputs, 0>(
        lengths, [&](auto const& in, auto const&, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
          seen += xsimd::select(live & empty_lanes<Family, V>(in, offset), one, zero);
        });
    empty = static_cast<double>(sum_of_lanes(seen));
  }

  // Scores lie where rewards do. The weight of an example that is left out may be anything.
  block_numbers<T> computed[outputs];
  unsigned apart = 0;
  block<T> plain = all;
  settings<T> ones = given;
  if (leaves_out) {
    ones.gradient_scale = ones.reward_scale = T(1);
    plain.in[Family::weight] = nullptr;
  }
  for (std::size_t c = 0; c < outputs; ++c) {
    bool const is_gradient = rows[c].gradient_of >= 0, is_needed = c == Family::loss || rows[c].is_reward;
    bool const is_apart = leaves_out ? all.out[c] != nullptr || is_needed : all.out[c] != nullptr && is_gradient;
    if (!is_apart) continue;
    apart |= 1U << c;
    plain.out[c] = computed[c].values;
    computed[c].pad(all.count, lanes);
  }
  sums seen{};
  run(loss, ones, plain, seen);

  block_numbers<T> chain;
  if (leaves_out) {
    V const gradient_scale(given.gradient_scale);
    tally_of_family<Family, V> scores;
    V losses = zero, weights = zero, counted = zero, non_finite = zero;
    std::size_t at = 0;
    block<T> read = all;
    for_each_lanes<V, inputs, 0>(read, [&](auto const& in, auto const&, std::size_t offset,
                                           auto const& live) PREFOPT_INLINE_LAMBDA {
      auto const counts = live & counting_lanes<Family, V>(given, in, offset);
      V const weight = xsimd::select(counts, weighted ? V::load_unaligned(in[Family::weight] + offset) : one, zero);
      non_finite += xsimd::select(live & bad_lanes<V>(in, inputs, offset), one, zero);
      for (std::size_t c = 0; c < outputs; ++c) {
        if ((apart >> c & 1U) == 0) continue;
        T const* const instead = rows[c].if_left_out < 0 ? nullptr : in[static_cast<std::size_t>(rows[c].if_left_out)];
        T* const number = computed[c].values + at;
        V const otherwise = instead == nullptr ? zero : V::load_unaligned(instead + offset);
        xsimd::select(counts, V::load_aligned(number), otherwise).store_aligned(number);
      }
      T* const loss_number = computed[Family::loss].values + at;
      V const value = V::load_aligned(loss_number) * weight;
      value.store_aligned(loss_number);
      V(gradient_scale * weight).store_aligned(chain.values + at);
      counted_lanes<V, decltype(counts)> const kept{counts};
      losses += kept(value);
      weights += weight;
      counted += kept(one);
      scores.count_computed(in, offset, computed, at, kept);
      at += lanes;
    });
    seen[loss_sum] = static_cast<double>(sum_of_lanes(losses));
    seen[weight_sum] = static_cast<double>(sum_of_lanes(weights));
    seen[counted_sum] = static_cast<double>(sum_of_lanes(counted));
    seen[non_finite_sum] = static_cast<double>(sum_of_lanes(non_finite));
    scores.for_each_sum([&](sum_index which, std::size_t, V& sum)
                            PREFOPT_INLINE_LAMBDA { seen[which] = static_cast<double>(sum_of_lanes(sum)); });
  }
  seen[empty_sum] = empty;
  for (std::size_t s = 0; s < sum_count; ++s) totals[s] += seen[s];

  for (std::size_t c = 0; c < outputs; ++c) {
    if (all.out[c] == nullptr || (apart >> c & 1U) == 0) continue;
    bool const is_gradient = rows[c].gradient_of >= 0;
    write_numbers<V>(computed[c].values, leaves_out && is_gradient ? chain.values : nullptr,
                     leaves_out && rows[c].is_reward ? given.reward_scale : T(1), is_gradient && given.accumulate,
                     all.count, all.out[c]);
  }
}

/// Whether a block needs no more than its kernel.
template <class T>
bool is_plain(settings<T> const& settings) noexcept {
  return !settings.accumulate && !settings.skip_non_finite && !settings.skip_empty && !settings.has_empty;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
