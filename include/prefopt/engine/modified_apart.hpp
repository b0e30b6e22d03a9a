#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/block_kernel.hpp>
#include <prefopt/score/sum.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

// A modifier over a loss that does not fuse: the loss's own kernel is run over the pairs as given and over the pairs
// swapped, and the modifier's over the numbers. So a loss costs one kernel, and a modifier one, where a kernel for each
// of both costs their product to compile; it takes about three times as long to run.

namespace prefopt::inline PREFOPT_ABI::detail {

/// The numbers of a loss that have been computed, of the pair as given and of the pair swapped. They lie where columns of
/// the two completions do, which the pair swapped has exchanged.
struct computed {
  using score = sum;

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const&, V const&) const noexcept {
    return {row.chosen_deviation, row.chosen_kl, row.chosen_sign};
  }
};

/// Columns of the numbers that a modifier is a function of, and of what it says.
enum number_column : std::size_t {
  given_value,
  given_d_chosen,
  given_d_rejected,
  swapped_value,
  swapped_d_chosen,
  swapped_d_rejected,
  label_number,
  reliability_number,
  chosen_number,
  chosen_length_number,
  number_count
};
enum result_column : std::size_t { value_result, d_chosen_result, d_rejected_result, posterior_result, result_count };

/// A modifier over numbers that have been computed; gradients by the log-probs.
template <class M, class T, class Arch>
PREFOPT_NOINLINE void run_modifier(void const* address, block<T>& numbers) noexcept {
  using V = xsimd::batch<T, Arch>;
  M const modifier = *static_cast<M const*>(address);
  for_each_lanes<V, number_count, result_count>(
      numbers, [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
        auto const load = [&](number_column column)
                              PREFOPT_INLINE_LAMBDA { return V::load_unaligned(in[column] + offset); };
        V const zero(T(0));
        pair_row<V> row{};
        row.chosen = {load(chosen_number), zero, load(chosen_length_number)};
        row.rejected = {zero, zero, zero};
        row.label = load(label_number);
        row.reliability = load(reliability_number);
        row.chosen_deviation = load(given_value);
        row.chosen_kl = load(given_d_chosen);
        row.chosen_sign = load(given_d_rejected);
        row.rejected_deviation = load(swapped_value);
        row.rejected_kl = load(swapped_d_chosen);
        row.rejected_sign = load(swapped_d_rejected);
        auto const result = apply(modifier, row, zero, zero);
        V d_chosen = result.d_chosen;
        if constexpr (requires { result.d_chosen_log_prob; }) d_chosen = d_chosen + result.d_chosen_log_prob;
        result.value.store_unaligned(out[value_result] + offset);
        d_chosen.store_unaligned(out[d_chosen_result] + offset);
        result.d_rejected.store_unaligned(out[d_rejected_result] + offset);
        if constexpr (requires { result.posterior; }) {
          result.posterior.store_unaligned(out[posterior_result] + offset);
        }
      });
}

/// What a loss and a modifier are to run_modified.
template <class T>
struct modified {
  block_kernel<T> base_kernel;
  void const* base;
  void (*modifier_kernel)(void const* modifier, block<T>& numbers) noexcept;
  void const* modifier;
  columns reads;  ///< of both together
  bool reads_swapped, has_posterior;
};

/// One block of pairs.
template <class T>
void run_modified(modified<T> const& loss, settings<T> const& given, block<T>& all, sums& totals) noexcept {
  using f = pair_family;
  auto const& inputs = f::inputs<T>;
  auto const& results = f::results<T>;
  std::size_t const n = all.count;
  // All that is read says so, and not only what the loss reads without its modifier.
  double non_finite = 0;
  for (std::size_t i = 0; i < n; ++i) {
    bool bad = false;
    for (std::size_t c = 0; c < f::input_count; ++c)
      bad = bad || (all.in[c] != nullptr && !std::isfinite(all.in[c][i]));
    non_finite += bad ? 1 : 0;
  }

  T own[f::output_count][block_examples], other[3][block_examples], computed_results[result_count][block_examples];
  settings<T> plain = given;
  plain.gradient_scale = T(1);
  block<T> as_given{};
  as_given.count = n;
  as_given.in = all.in;
  as_given.in[f::weight] = nullptr;
  as_given.out[f::loss] = own[f::loss];
  as_given.out[f::d_chosen] = own[f::d_chosen];
  as_given.out[f::d_rejected] = own[f::d_rejected];
  for (std::size_t c = f::d_rejected + 1; c < f::output_count; ++c) {
    bool const is_modifiers = c == f::posterior && loss.has_posterior;
    if (all.out[c] != nullptr && !is_modifiers) as_given.out[c] = own[c];
  }
  // The kernel takes a block over.
  block<T> taken = as_given;
  sums seen{};
  loss.base_kernel(loss.base, plain, taken, seen);
  if (loss.reads_swapped) {
    constexpr std::pair<f::input, f::input> sides[]{{f::chosen, f::rejected},
                                                    {f::ref_chosen, f::ref_rejected},
                                                    {f::chosen_length, f::rejected_length},
                                                    {f::chosen_kl, f::rejected_kl},
                                                    {f::chosen_deviation, f::rejected_deviation},
                                                    {f::chosen_sign, f::rejected_sign}};
    block<T> swapped{};
    swapped.count = n;
    swapped.in = as_given.in;
    for (auto const& [a, b] : sides) std::swap(swapped.in[a], swapped.in[b]);
    swapped.out[f::loss] = other[0];
    swapped.out[f::d_chosen] = other[1];
    swapped.out[f::d_rejected] = other[2];
    sums unused{};
    loss.base_kernel(loss.base, plain, swapped, unused);
  }

  T ones[block_examples];
  for (std::size_t i = 0; i < n; ++i) ones[i] = T(1);
  block<T> numbers{};
  numbers.count = n;
  numbers.in = {own[f::loss], own[f::d_chosen], own[f::d_rejected]};
  for (std::size_t c = 0; c < 3; ++c) numbers.in[swapped_value + c] = loss.reads_swapped ? other[c] : own[c];
  auto const or_ones = [&](f::input c) {
    return all.in[c] != nullptr && contains(loss.reads, inputs[c].kind) ? all.in[c] : ones;
  };
  numbers.in[label_number] = or_ones(f::label);
  numbers.in[reliability_number] = or_ones(f::reliability);
  numbers.in[chosen_number] = all.in[f::chosen];
  numbers.in[chosen_length_number] = or_ones(f::chosen_length);
  for (std::size_t c = 0; c < result_count; ++c) numbers.out[c] = computed_results[c];
  loss.modifier_kernel(loss.modifier, numbers);

  T const* const weight = all.in[f::weight];
  T chain[block_examples];
  seen[loss_sum] = 0;
  seen[non_finite_sum] = non_finite;
  if (weight != nullptr) seen[weight_sum] = 0;
  for (std::size_t i = 0; i < n; ++i) {
    T& value = computed_results[value_result][i];
    chain[i] = given.gradient_scale;
    if (weight != nullptr) {
      value *= weight[i];
      chain[i] *= weight[i];
      seen[weight_sum] += static_cast<double>(weight[i]);
    }
    seen[loss_sum] += static_cast<double>(value);
  }
  for (std::size_t s = 0; s < sum_count; ++s) totals[s] += seen[s];
  for (std::size_t c = 0; c < f::output_count; ++c) {
    T* const to = all.out[c];
    if (to == nullptr) continue;
    T const* from = own[c];
    if (c == f::loss) from = computed_results[value_result];
    if (c == f::d_chosen) from = computed_results[d_chosen_result];
    if (c == f::d_rejected) from = computed_results[d_rejected_result];
    if (c == f::posterior && loss.has_posterior) from = computed_results[posterior_result];
    for (std::size_t i = 0; i < n; ++i) to[i] = results[c].gradient_of >= 0 ? from[i] * chain[i] : from[i];
  }
}

/// A modifier of one loss, with its parts.
template <class L>
struct modifier_parts {
  static constexpr bool is_modifier = false;
};
template <template <class> class M, class L>
struct modifier_parts<M<L>> {
  static constexpr bool is_modifier = true;
  using base = L;
  using over_computed = M<computed>;
};

/// Whether a modifier over the loss is compiled into one kernel with it.
template <class L>
constexpr bool fuses() noexcept {
  using R = resolved<L>;
  if constexpr (requires { R::fuses; }) {
    return R::fuses;
  } else if constexpr (requires(R loss) { loss.base; }) {
    return fuses<std::remove_const_t<decltype(R::base)>>();
  } else {
    return false;
  }
}

/// A modifier that only needs the numbers of its base, over a base that does not fuse.
template <class L>
constexpr bool goes_apart() noexcept {
  if constexpr (!modifier_parts<L>::is_modifier) {
    return false;
  } else if constexpr (requires { L::over_numbers; }) {
    return L::over_numbers && (L::never_fuses || !fuses<typename modifier_parts<L>::base>());
  } else {
    return false;
  }
}

template <class L, class Over>
Over with_same_parameters(L const& loss) noexcept {
  Over over{};
  if constexpr (requires { loss.template over<computed>(); }) {
    over = loss.template over<computed>();
  } else if constexpr (requires { L::parameters(); }) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((over.*std::get<I>(Over::parameters()).member = loss.*std::get<I>(L::parameters()).member), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<decltype(L::parameters())>>{});
  }
  return over;
}

template <class L, class T, class Arch>
void run_apart(void const* address, settings<T> const& settings, block<T>& block, sums& sums) noexcept {
  using base = resolved<typename modifier_parts<L>::base>;
  using over = typename modifier_parts<L>::over_computed;
  L const& loss = *static_cast<L const*>(address);
  base const base_loss = resolve(loss.base);
  over const modifier = with_same_parameters<L, over>(loss);
  run_modified<T>({&run_block_kernel<pair_family, base, T, Arch>, &base_loss,
                   &run_modifier<over, T, Arch>, &modifier, needs_of<L>() | takes_of<L>(), L::reads_swapped,
                   requires { apply(modifier, std::declval<pair_row<float> const&>(), 0.0F, 0.0F).posterior;
}
},
                  settings, block, sums);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
