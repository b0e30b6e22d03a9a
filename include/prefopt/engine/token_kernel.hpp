#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/batch/tokens.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/surrogate_kernel.hpp>
#include <prefopt/token/kl_penalty.hpp>
#include <prefopt/token/sampler_correction.hpp>
#include <type_traits>
#include <utility>

// What is done with tokens whatever the surrogate: which of them count, sums over sequences, the KL, corrections,
// aggregation, and all that a report says.

namespace prefopt::inline PREFOPT_ABI::detail {

/// The sum of values in lanes, then over the lanes.
template <batch V, class T>
double sum_in_lanes(T const* x, std::size_t count) noexcept {
  V lanes(T(0));
  std::size_t const whole = count - count % V::size;
  for (std::size_t i = 0; i < whole; i += V::size) lanes += V::load_unaligned(x + i);
  if (whole != count) lanes += load_first<V>(x + whole, count - whole);
  return static_cast<double>(sum_of_lanes(lanes));
}

/// Sequences are looked at in chunks that stay in the cache: of about this many tokens, or one sequence that is longer.
inline constexpr std::size_t chunk_tokens = 4096, chunk_sequences = 512;
/// And in blocks that fit into the nearest one.
inline constexpr std::size_t token_block = 512;

/// Runs the sequences of one part.
template <class T, class Arch>
class token_kernel {
  using f = token_family;
  using V = xsimd::batch<T, Arch>;
  /// One a token, and room for the lanes behind the last.
  using numbers = T[token_block + 64 / sizeof(T)];

 public:
  explicit token_kernel(token_work<T> const& work) noexcept : work_{work}, offsets_column_{work.offsets} {
    for (std::size_t c = 0; c < f::input_count; ++c) in_[c] = column<T>{work.in[c]};
    for (std::size_t c = 0; c < f::output_count; ++c) out_[c] = output<T>{work.out[c]};
  }

  void run(std::size_t begin, std::size_t end, token_sums& totals) noexcept {
    for_each_chunk(begin, end, [&] {
      sum_up_corrections();
      sum_up_statistics();
      sum_up_slopes();
      for_each_block(work_.decay != 0, [&] { run_block(totals); });
    });
  }

  void count(std::size_t begin, std::size_t end, T* counts, token_inspection& seen) noexcept {
    if (in_[f::mask].empty() && !work_.needs_finite) {
      for_each_chunk(begin, end, [&] {
        for (std::size_t s = 0; s < sequences_; ++s) {
          auto const tokens = static_cast<double>(offsets_[s + 1] - offsets_[s]);
          seen.counted += tokens;
          counts[first_ - begin + s] = static_cast<T>(tokens);
        }
      });
      return;
    }
    for_each_chunk(begin, end, [&] {
      double counted[chunk_sequences] = {};
      for_each_block(false, [&] {
        look_at_mask(seen);
        for_each_piece([&](std::size_t s, std::size_t from, std::size_t count) noexcept {
          // Exact in whatever pieces.
          counted[s] += live_ == nullptr ? static_cast<double>(count) : sum_in_lanes<V>(live_ + from, count);
        });
      });
      for (std::size_t s = 0; s < sequences_; ++s) {
        seen.counted += counted[s];
        counts[first_ - begin + s] = static_cast<T>(counted[s]);
      }
    });
  }

 private:
  template <class Body>
  void for_each_chunk(std::size_t begin, std::size_t end, Body const& body) noexcept {
    while (begin < end) {
      std::size_t const most = std::min(end - begin, chunk_sequences);
      offsets_ = offsets_column_.block(begin, most + 1, offset_buffer_);
      sequences_ = 1;
      while (sequences_ < most && offsets_[sequences_ + 1] - offsets_[0] <= static_cast<std::int64_t>(chunk_tokens)) {
        ++sequences_;
      }
      first_ = begin;
      if (work_.advantage_of_sequences) {
        advantages_ = in_[f::advantage].block(begin, sequences_, advantage_buffer_);
      }
      body();
      begin += sequences_;
    }
  }

  /// Calls body for the blocks of the chunk, with the columns at hand.
  template <class Body>
  void for_each_block(bool backwards, Body const& body) noexcept {
    carry_ = 0;
    std::size_t const tokens = place(sequences_) - place(0), blocks = (tokens + token_block - 1) / token_block;
    for (std::size_t done = 0; done < blocks; ++done) {
      std::size_t const before = (backwards ? blocks - 1 - done : done) * token_block;
      begin_ = place(0) + before;
      count_ = std::min(token_block, tokens - before);
      auto const* const after =
          std::upper_bound(offsets_, offsets_ + sequences_ + 1, static_cast<std::int64_t>(begin_));
      first_piece_ = static_cast<std::size_t>(after - offsets_) - 1;
      for (std::size_t c = 0; c < f::input_count; ++c) {
        bool const is_spread = c == f::advantage && work_.advantage_of_sequences;
        at_[c] = is_spread ? nullptr : in_[c].block(begin_, count_, in_buffer_[c]);
      }
      if (work_.needs_finite) find_advantages();
      live_ = at_[f::mask];
      if (work_.skip_non_finite) leave_out_non_finite();
      body();
    }
  }

  [[nodiscard]] std::size_t place(std::size_t sequence) const noexcept {
    return static_cast<std::size_t>(offsets_[sequence]);
  }

  /// Calls body(sequence, first in the block, tokens) for the pieces of sequences in the block.
  template <class Body>
  void for_each_piece(Body const& body) const noexcept {
    std::size_t const end = begin_ + count_;
    for (std::size_t s = first_piece_; s < sequences_ && place(s) < end; ++s) {
      std::size_t const from = std::max(place(s), begin_), to = std::min(place(s + 1), end);
      if (from < to) body(s, from - begin_, to - from);
    }
  }

  /// Gives every token of the block its sequence's value.
  [[nodiscard]] T const* spread(T const* of_sequences, T* buffer) const noexcept {
    for_each_piece([&](std::size_t s, std::size_t from, std::size_t count) noexcept {
      V const value(of_sequences[s]);
      // What lies behind the piece, the next one overwrites.
      value.store_unaligned(buffer + from);
      for (std::size_t i = from - from % V::size + V::size; i < from + count; i += V::size) {
        value.store_aligned(buffer + i);
      }
    });
    return buffer;
  }

  /// The advantages of the block's tokens.
  T const* find_advantages() noexcept {
    if (at_[f::advantage] == nullptr) at_[f::advantage] = spread(advantages_, in_buffer_[f::advantage]);
    return at_[f::advantage];
  }

  /// Sums over the sequences of the chunk what body writes for each block. In an order that depends on the sequence alone:
  /// in lanes over as many values as a block has, then in double.
  template <class Body>
  void sum_up(double* sums, Body const& body) noexcept {
    alignas(64) T values[chunk_tokens];
    std::fill_n(sums, sequences_, 0.0);
    if (sequences_ == 1) {
      for_each_block(false, [&] {
        body(values);
        sums[0] += sum_in_lanes<V>(values, count_);
      });
      return;
    }
    for_each_block(false, [&] { body(values + (begin_ - place(0))); });
    for (std::size_t s = 0; s < sequences_; ++s) {
      for (std::size_t at = place(s); at < place(s + 1); at += token_block) {
        sums[s] += sum_in_lanes<V>(values + (at - place(0)), std::min(token_block, place(s + 1) - at));
      }
    }
  }

  /// Lanes of the block, of the pointers given.
  template <std::size_t Inputs, std::size_t Outputs, class Step>
  void in_lanes(std::array<T const*, Inputs> const& in, std::array<T*, Outputs> const& out,
                Step const& step) const noexcept {
    block<T> pieces{};
    pieces.count = count_;
    std::copy(in.begin(), in.end(), pieces.in.begin());
    std::copy(out.begin(), out.end(), pieces.out.begin());
    for_each_lanes<V, Inputs, Outputs>(pieces, step);
  }

  /// 0 * every column that is read: NaN where one is not finite.
  template <class In>
  static PREFOPT_INLINE V probe(In const& in, std::size_t offset) noexcept {
    V const zero(T(0));
    V seen = zero;
    for (std::size_t c = 0; c < f::input_count; ++c) {
      if (c != f::mask && in[c] != nullptr) seen = fused(V::load_unaligned(in[c] + offset), zero, seen);
    }
    return seen;
  }

  void leave_out_non_finite() noexcept {
    std::array<T const*, f::input_count> in;
    std::copy_n(at_, f::input_count, in.begin());
    in[f::mask] = live_;
    in_lanes<f::input_count, 1>(
        in, {live_buffer_},
        [&](auto const& from, auto const& to, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
          V const zero(T(0)), live = from[f::mask] == nullptr ? V(T(1)) : V::load_unaligned(from[f::mask] + offset);
          V(xsimd::select(probe(from, offset) == zero, live, zero)).store_unaligned(to[0] + offset);
        });
    live_ = live_buffer_;
  }

  void look_at_mask(token_inspection& seen) const noexcept {
    if (at_[f::mask] != nullptr) {
      V const zero(T(0)), one(T(1));
      auto odd = zero > zero;
      in_lanes<1, 0>({at_[f::mask]}, {},
                     [&](auto const& in, auto const&, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
                       V const x = load_ahead<V>(in[0] + offset);
                       odd = odd | !((x == zero) | (x == one));
                     });
      for (std::size_t i = 0; xsimd::any(odd) && i < count_; ++i) {
        T const x = at_[f::mask][i];
        if (!(x == 0 || x == 1)) seen.not_a_mask = std::min(seen.not_a_mask, begin_ + i);
      }
    }
    if (!work_.needs_finite) return;
    for (std::size_t i = 0; i < count_; ++i) {
      bool const is_masked = at_[f::mask] != nullptr && at_[f::mask][i] == 0;
      T sum = 0;
      for (std::size_t c = 0; c < f::input_count; ++c) {
        if (c != f::mask && at_[c] != nullptr) sum += at_[c][i] * T(0);
      }
      if (is_masked || sum == 0) continue;
      seen.skipped += 1;
      seen.non_finite = std::min(seen.non_finite, begin_ + i);
    }
  }

  [[nodiscard]] correction_mode mode() const noexcept { return static_cast<correction_mode>(work_.correction); }
  [[nodiscard]] bool is_of_tokens() const noexcept {
    return mode() == correction_mode::token_truncate || mode() == correction_mode::token_mask ||
           mode() == correction_mode::geometric_mask_token;
  }
  [[nodiscard]] bool masks_sequences() const noexcept {
    return work_.off_policy_limit < std::numeric_limits<double>::infinity();
  }

  /// The difference of two columns at the tokens that count.
  void subtract(T const* a, T const* b, T* target) const noexcept {
    in_lanes<3, 1>({a, b, live_}, {target},
                   [](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
                     V const difference = V::load_unaligned(in[0] + offset) - V::load_unaligned(in[1] + offset);
                     live_part(in[2], offset, difference).store_unaligned(out[0] + offset);
                   });
  }

  /// A sequence's correction, or whether its tokens have one; and whether it is too far off-policy.
  void sum_up_corrections() noexcept {
    T const* const counts = work_.counts + first_;
    auto const mean = [&](double sum, std::size_t s) {
      return counts[s] == 0 ? 0 : sum / static_cast<double>(counts[s]);
    };
    double sums[chunk_sequences];
    if (mode() >= correction_mode::sequence_truncate) {
      sum_up(sums, [&](T* values) noexcept { subtract(at_[f::old_log_prob], at_[f::rollout_log_prob], values); });
      bool const is_product = mode() == correction_mode::sequence_truncate || mode() == correction_mode::sequence_mask;
      bool const truncates =
          mode() == correction_mode::sequence_truncate || mode() == correction_mode::geometric_truncate;
      for (std::size_t s = 0; s < sequences_; ++s) {
        double const weight = std::exp(is_product ? sums[s] : mean(sums[s], s));
        bool const is_inside = weight >= work_.correction_low && weight <= work_.correction_high;
        double used = is_inside ? weight : 0;
        if (truncates) used = math::limited(weight, work_.correction_low, work_.correction_high);
        if (mode() == correction_mode::geometric_mask_token) used = is_inside ? 1 : 0;
        if (weight != weight) used = weight;
        correction_of_[s] = static_cast<T>(used);
      }
    }
    if (masks_sequences()) {
      T const *const *const at = at_, *const *const sampler =
                                          at +
                                          (in_[f::rollout_log_prob].empty() ? f::old_log_prob : f::rollout_log_prob);
      sum_up(sums, [&](T* values) noexcept { subtract(*sampler, at[f::log_prob], values); });
      for (std::size_t s = 0; s < sequences_; ++s)
        is_off_policy_[s] = T(mean(sums[s], s) > work_.off_policy_limit ? 1 : 0);
    }
  }

  /// The corrections of the block's tokens; null if all are 1.
  [[nodiscard]] T const* corrections() noexcept {
    if (mode() == correction_mode::none) return nullptr;
    T const* const of_sequence =
        mode() >= correction_mode::sequence_truncate ? spread(correction_of_, sequence_buffer_) : nullptr;
    bool const of_tokens = is_of_tokens(), masks = mode() == correction_mode::token_mask,
               truncates = mode() == correction_mode::token_truncate;
    V const zero(T(0)), one(T(1)), low(static_cast<T>(work_.correction_low)),
        high(static_cast<T>(work_.correction_high));
    in_lanes<3, 1>({at_[f::old_log_prob], at_[f::rollout_log_prob], of_sequence}, {correction_buffer_},
                   [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
                     V weight = one;
                     if (of_tokens) {
                       V const plain =
                           math::exp_of_any(V(V::load_unaligned(in[0] + offset) - V::load_unaligned(in[1] + offset)));
                       V const clipped = math::limited(plain, low, high);
                       weight = truncates ? clipped : plain;
                       if (masks) weight = xsimd::select((plain < low) | (plain > high), zero, plain);
                     }
                     if (in[2] != nullptr) weight = math::vanishing(V::load_unaligned(in[2] + offset), weight);
                     weight.store_unaligned(out[0] + offset);
                   });
    return correction_buffer_;
  }

  /// 1 where the off-policy mask is; null without one.
  [[nodiscard]] T const* off_policy() noexcept {
    if (!masks_sequences()) return nullptr;
    in_lanes<2, 1>({find_advantages(), spread(is_off_policy_, off_policy_buffer_)}, {off_policy_buffer_},
                   [](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
                     V const zero(T(0)), advantage = V::load_unaligned(in[0] + offset);
                     V const is_off = V::load_unaligned(in[1] + offset);
                     V(xsimd::select(advantage < zero, is_off, zero)).store_unaligned(out[0] + offset);
                   });
    return off_policy_buffer_;
  }

  /// The block for a surrogate's statistic: few surrogates read the correction there, which costs an exp a token.
  [[nodiscard]] block<T> statistic_block() noexcept {
    block<T> tokens{};
    tokens.count = count_;
    tokens.in[log_prob_in] = at_[f::log_prob];
    tokens.in[old_log_prob_in] = at_[f::old_log_prob];
    tokens.in[advantage_in] = find_advantages();
    tokens.in[live_in] = live_;
    if (work_.takes_correction) tokens.in[correction_in] = corrections();
    if (work_.selected != nullptr) {
      std::copy_n(work_.selected + begin_, count_, selected_buffer_);
      tokens.in[selected_in] = selected_buffer_;
    }
    return tokens;
  }

  /// The block for the surrogate, but its statistic.
  [[nodiscard]] block<T> surrogate_block() noexcept {
    block<T> tokens = statistic_block();
    if (!work_.takes_correction) tokens.in[correction_in] = corrections();
    tokens.in[off_policy_in] = off_policy();
    return tokens;
  }

  void find_statistics(block<T> tokens, T* values) const noexcept {
    tokens.out[0] = values;
    work_.statistic(work_.loss, work_.settings.log_ratio_limit, tokens);
  }

  void sum_up_statistics() noexcept {
    if (work_.statistic == nullptr || work_.decay != 0) return;
    double sums[chunk_sequences];
    sum_up(sums, [&](T* values) noexcept { find_statistics(statistic_block(), values); });
    for (std::size_t s = 0; s < sequences_; ++s) statistic_of_[s] = static_cast<T>(sums[s] * share(s));
    if (!work_.takes_exp) return;
    block<T> of_sequences{};
    of_sequences.count = sequences_;
    of_sequences.in[0] = of_sequences.out[0] = statistic_of_;
    for_each_lanes<V, 1, 1>(of_sequences,
                            [](auto const& in, auto const& out, std::size_t s, auto const&) PREFOPT_INLINE_LAMBDA {
                              math::exp_of_any(V(V::load_unaligned(in[0] + s))).store_unaligned(out[0] + s);
                            });
  }

  /// Of each token the sum over it and the later ones of its sequence; blocks come from the last to the first.
  void discount(T* values) noexcept {
    std::size_t begins[token_block], pieces = 0;
    for_each_piece([&](std::size_t, std::size_t from, std::size_t) noexcept { begins[pieces++] = from; });
    for (std::size_t end = count_; pieces-- > 0; end = begins[pieces]) {
      auto const behind = static_cast<std::int64_t>(begin_ + end);
      if (std::binary_search(offsets_, offsets_ + sequences_ + 1, behind)) carry_ = 0;
      for (std::size_t i = end; i-- > begins[pieces];) {
        carry_ = static_cast<double>(values[i]) + work_.decay * carry_;
        values[i] = static_cast<T>(carry_);
      }
    }
  }

  /// The slopes by the sum of the statistic, added up over each sequence.
  void sum_up_slopes() noexcept {
    if (work_.slopes == nullptr) return;
    bool const is_alike = work_.advantage_of_sequences && !is_of_tokens() && !masks_sequences();
    if (is_alike) return find_slopes();
    double sums[chunk_sequences];
    sum_up(sums, [&](T* values) noexcept {
      block<T> tokens = surrogate_block();
      tokens.in[statistic_in] = spread(statistic_of_, statistic_buffer_);
      tokens.out[0] = values;
      work_.slopes(work_.loss, work_.settings.log_ratio_limit, tokens);
    });
    for (std::size_t s = 0; s < sequences_; ++s) chain_of_[s] = static_cast<T>(sums[s] * share(s));
  }

  /// What a token adds to its sequence's statistic, or takes of its slope.
  [[nodiscard]] double share(std::size_t s) const noexcept {
    double const n = static_cast<double>(work_.counts[first_ + s]);
    return n == 0 ? 0 : work_.takes_mean ? 1 / n : 1;
  }

  /// The same where all tokens of a sequence have one slope: a sequence a lane.
  void find_slopes() noexcept {
    static_assert(chunk_sequences <= token_block);
    block<T> tokens{};
    tokens.count = sequences_;
    tokens.in[log_prob_in] = tokens.in[advantage_in] = advantages_;
    tokens.in[statistic_in] = statistic_of_;
    tokens.in[correction_in] = mode() == correction_mode::none ? nullptr : correction_of_;
    tokens.out[0] = chain_of_;
    work_.slopes(work_.loss, work_.settings.log_ratio_limit, tokens);
    for (std::size_t s = 0; s < sequences_; ++s) {
      chain_of_[s] = share(s) == 0 ? T(0) : work_.takes_mean ? chain_of_[s] : chain_of_[s] * work_.counts[first_ + s];
    }
  }

  /// The estimate of the KL and its slope.
  void estimate_kl() noexcept {
    V const zero(T(0)), one(T(1)), half(T(0.5));
    T const limit = work_.kl_log_ratio_limit, value_limit = work_.kl_value_limit,
            log_ratio_limit = work_.settings.log_ratio_limit;
    auto const with = [&](auto const& estimate) {
      auto const in_these = [&](auto const& in, auto const& out, std::size_t offset,
                                auto const&) PREFOPT_INLINE_LAMBDA {
        V const log_prob = load_ahead<V>(in[0] + offset), apart = log_prob - load_ahead<V>(in[1] + offset);
        V d = apart;
        if (is_limit(limit)) d = math::limited(d, V(-limit), V(limit));
        // The ratio, and whether it moves with log_prob.
        auto const ratio = [&]() -> value_slope<V> {
          V const log_ratio = log_prob - V::load_unaligned(in[2] + offset);
          if (!is_limit(log_ratio_limit)) return {math::exp_of_any(log_ratio), one};
          return {math::exp_of_any(math::limited(log_ratio, V(-log_ratio_limit), V(log_ratio_limit))),
                  V(xsimd::select(xsimd::abs(log_ratio) > V(log_ratio_limit), zero, one))};
        };
        // The ratio times e^-d, where one of them may be 0 and the other infinite.
        auto const reference_ratio = [&] {
          V const old = V::load_unaligned(in[2] + offset);
          V exponent = V::load_unaligned(in[1] + offset) - old;
          if (is_limit(limit) || is_limit(log_ratio_limit)) {
            exponent = math::limited(V(log_prob - old), V(-log_ratio_limit), V(log_ratio_limit)) - d;
          }
          return math::exp_of_any(exponent);
        };
        value_slope<V> const at = estimate(d, ratio, reference_ratio);
        V value = at.value, slope = at.slope;
        if (is_limit(limit)) slope = xsimd::select(xsimd::abs(apart) > V(limit), zero, slope);
        if (is_limit(value_limit)) {
          slope = xsimd::select(xsimd::abs(value) > V(value_limit), zero, slope);
          value = math::limited(value, V(-value_limit), V(value_limit));
        }
        value.store_unaligned(out[0] + offset);
        slope.store_unaligned(out[1] + offset);
      };
      in_lanes<3, 2>({at_[f::log_prob], at_[f::ref_log_prob], at_[f::old_log_prob]}, {kl_, kl_slope_}, in_these);
    };
    switch (static_cast<kl_estimator>(work_.estimator)) {
      case kl_estimator::none:
        break;
      case kl_estimator::k1:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA { return value_slope<V>{d, one}; });
      case kl_estimator::k2:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA {
          return value_slope<V>{V(half * d * d), d};
        });
      case kl_estimator::k3:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA {
          auto const at = math::expm1_with_rest(V(-d));
          return value_slope<V>{at.beyond_linear, V(-at.value)};
        });
      case kl_estimator::abs:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA {
          V const sign = xsimd::select(d > zero, one, xsimd::select(d < zero, V(-one), d));
          return value_slope<V>{xsimd::abs(d), sign};
        });
      case kl_estimator::k1_straight:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA { return value_slope<V>{d, d}; });
      case kl_estimator::k3_straight:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA {
          return value_slope<V>{math::expm1_with_rest(V(-d)).beyond_linear, d};
        });
      case kl_estimator::k1_corrected:
        return with([&](V const& d, auto const& ratio, auto const&) PREFOPT_INLINE_LAMBDA {
          auto const r = ratio();
          return value_slope<V>{math::vanishing(r.value, d),
                                math::vanishing(r.value, V(xsimd::select(r.slope > zero, V(d + one), one)))};
        });
      case kl_estimator::k3_corrected:
        return with([&](V const& d, auto const& ratio, auto const& reference_ratio) PREFOPT_INLINE_LAMBDA {
          auto const r = ratio();
          auto const at = math::expm1_with_rest(V(-d));
          V value = math::vanishing(r.value, at.beyond_linear),
            slope = math::vanishing(r.value, V(xsimd::select(r.slope > zero, d, V(-at.value))));
          auto const is_far = d < V(T(-16));
          if (xsimd::any(is_far)) [[unlikely]] {
            V const combined = reference_ratio();
            value = xsimd::select(is_far, V(combined + math::vanishing(r.value, V(d - one))), value);
            slope = xsimd::select(is_far & !(r.slope > zero), V(r.value - combined), slope);
          }
          return value_slope<V>{value, slope};
        });
      case kl_estimator::sdar:
        return with([&](V const& d, auto const&...) PREFOPT_INLINE_LAMBDA {
          V const gate = math::logistic(V(V(T(5)) * d)).sigmoid_negated;
          return value_slope<V>{math::vanishing(gate, V(-d)), V(-gate)};
        });
    }
  }

  void run_block(token_sums& totals) noexcept {
    block<T> tokens = surrogate_block();
    if (work_.statistic != nullptr) {
      if (work_.decay != 0) {
        find_statistics(tokens, statistic_buffer_);
        discount(statistic_buffer_);
        tokens.in[statistic_in] = statistic_buffer_;
      } else {
        tokens.in[statistic_in] = spread(statistic_of_, statistic_buffer_);
      }
    }
    if (work_.slopes != nullptr) tokens.in[chain_in] = spread(chain_of_, chain_buffer_);
    if (work_.factors != nullptr) tokens.in[factor_in] = spread(work_.factors + first_, factor_buffer_);
    if (static_cast<kl_estimator>(work_.estimator) != kl_estimator::none) {
      estimate_kl();
      tokens.in[kl_in] = kl_;
      if (work_.settings.kl_coefficient != 0) tokens.in[kl_slope_in] = kl_slope_;
    }
    tokens.in[entropy_in] = at_[f::entropy];
    tokens.in[ref_log_prob_in] = at_[f::ref_log_prob];
    tokens.in[rollout_log_prob_in] = at_[f::rollout_log_prob];
    for (std::size_t c = 0; c < f::output_count; ++c) {
      tokens.out[c] = out_[c].block(begin_, count_, out_buffer_[c], work_.settings.accumulate);
    }
    work_.surrogate(work_.loss, work_.settings, tokens, totals);
    for (std::size_t c = 0; c < f::output_count; ++c) out_[c].commit(begin_, count_, out_buffer_[c]);
  }

  token_work<T> const& work_;
  column<std::int64_t> offsets_column_;
  column<T> in_[f::input_count];
  output<T> out_[f::output_count];

  // The chunk.
  std::int64_t const* offsets_ = nullptr;
  T const* advantages_ = nullptr;
  std::size_t first_ = 0, sequences_ = 0;
  std::int64_t offset_buffer_[chunk_sequences + 1];
  T advantage_buffer_[chunk_sequences], correction_of_[chunk_sequences], is_off_policy_[chunk_sequences],
      statistic_of_[chunk_sequences], chain_of_[chunk_sequences];

  // The block.
  std::size_t begin_ = 0, count_ = 0, first_piece_ = 0;
  double carry_ = 0;
  T const* at_[f::input_count];
  T const* live_ = nullptr;
  alignas(64) numbers in_buffer_[f::input_count], out_buffer_[f::output_count];
  alignas(64) numbers live_buffer_, factor_buffer_, correction_buffer_, sequence_buffer_, off_policy_buffer_,
      selected_buffer_, statistic_buffer_, chain_buffer_, kl_, kl_slope_;
};

template <class T, class Arch>
PREFOPT_NOINLINE void run_tokens(token_work<T> const& work, std::size_t begin, std::size_t end,
                                 token_sums& totals) noexcept {
  token_kernel<T, Arch>{work}.run(begin, end, totals);
}

template <class T, class Arch>
PREFOPT_NOINLINE void count_tokens(token_work<T> const& work, std::size_t begin, std::size_t end, T* counts,
                                   token_inspection& seen) noexcept {
  token_kernel<T, Arch>{work}.count(begin, end, counts, seen);
}

template <class L, class T, class Arch>
constexpr token_kernels<T> token_kernels_of() noexcept {
  token_kernels<T> kernels{&run_surrogate<L, T, Arch>, nullptr, nullptr, &run_tokens<T, Arch>, &count_tokens<T, Arch>};
  if constexpr (has_statistic<L>) kernels.statistic = &run_statistic<L, T, Arch>;
  if constexpr (slope_of<L>() == surrogate_slope::by_sequence) kernels.slopes = &run_slopes<L, T, Arch>;
  return kernels;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
