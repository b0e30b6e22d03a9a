#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/batch/report.hpp>
#include <prefopt/core/ranks.hpp>
#include <prefopt/engine/block_engine.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/list_engine.hpp>
#include <prefopt/simd/arithmetic.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

template <class Family, class T>
using engine_of = std::conditional_t<std::same_as<Family, list_family>, list_engine<T>, block_engine<Family, T>>;

/// What the mean divides by. Without a counted weight there is nothing to divide by, and every gradient is 0.
inline double divisor_of(options const& options, double weight) noexcept {
  return options.denominator.value_or(weight == 0 ? 1 : weight);
}

/// What gradients are multiplied by. Fails where a gradient of 0 would become 0 * inf.
template <class T>
double gradient_scale_of(options const& options, double weight) {
  if (options.reduction != reduction::mean) return 1;
  double const scale = 1 / divisor_of(options, weight);
  if (options.denominator) {
    check_denominator<T>(*options.denominator, std::max(weight, 1.0));
  } else if (!(std::max(scale, weight) <= static_cast<double>(std::numeric_limits<T>::max()))) {
    fail_evaluate(
        {"the weights add up to ", text(weight), ", expected a sum that can be divided by in the type of the batch"});
  }
  return scale;
}

/// Of all ranks' sums.
inline report report_of(sums const& sums, loss_facts const& facts, options const& options, double examples,
                        double weight) noexcept {
  // A reward may fall with the score: + 0.0, or a mean over none would be -0.
  double const counted = sums[counted_sum] == 0 ? 1 : sums[counted_sum], scale = facts.reward_scale,
               right = scale < 0 ? sums[ordered_sum] - sums[right_sum] : sums[right_sum];
  return {.loss = options.reduction == reduction::sum ? sums[loss_sum] : sums[loss_sum] / divisor_of(options, weight),
          .accuracy = sums[ordered_sum] == 0 ? 0 : right / sums[ordered_sum],
          .margin = scale * (sums[margin_sum] / counted) + 0.0,
          .chosen_reward = scale * (sums[chosen_sum] / counted) + 0.0,
          .rejected_reward = scale * (sums[rejected_sum] / counted) + 0.0,
          .best_probability = sums[probability_sum] / counted,
          .weight = sums[weight_sum],
          .count = static_cast<std::size_t>(sums[counted_sum]),
          .skipped = static_cast<std::size_t>(examples - sums[counted_sum]),
          .non_finite = static_cast<std::size_t>(sums[non_finite_sum]),
          .empty = static_cast<std::size_t>(sums[empty_sum])};
}

/// Runs a loss and adds up its sums over all ranks. With other ranks there is a run without outputs before, as the
/// divisor of the gradients is known only when all have added up their weights.
template <class T, class Engine, class Outputs>
report run_over_ranks(Engine& engine, void const* loss, loss_facts const& facts, Outputs const& outputs,
                      options const& options, double weight) {
  double examples = static_cast<double>(engine.examples());
  if (!options.all_reduce) {
    sums total = engine.run(loss, outputs, gradient_scale_of<T>(options, weight));
    Engine::complete(total, weight);
    return report_of(total, facts, options, examples, weight);
  }
  sums total = engine.run(loss, Outputs{}, 1);
  std::array<double, sum_count + 2> numbers;
  std::copy(total.begin(), total.end(), numbers.begin());
  numbers[sum_count] = examples;
  numbers[sum_count + 1] = weight;
  add_up_ranks(options.all_reduce, numbers);
  std::copy_n(numbers.begin(), sum_count, total.begin());
  examples = numbers[sum_count];
  weight = numbers[sum_count + 1];
  static_cast<void>(engine.run(loss, outputs, gradient_scale_of<T>(options, weight)));
  Engine::complete(total, weight);
  return report_of(total, facts, options, examples, weight);
}

/// The engine for every family: checks, inspection, statistics, one pass, report. `lengths_mark_empty`: lengths are
/// given to find empty completions although the loss does not read them.
template <class Family, class T>
report evaluate_batch(loss_ref<Family, T> const& loss, typename Family::template batch<T> const& batch,
                      typename Family::template outputs<T> const& outputs, options const& options,
                      bool lengths_mark_empty = false) {
  check_arithmetic<T>("evaluate", (batch.*Family::template inputs<T>[0].values).size());
  check_options(options);
  engine_of<Family, T> engine{loss, batch, outputs, options, lengths_mark_empty};
  double const weight = engine.inspect();
  if constexpr (std::same_as<Family, pair_family>) {
    if (loss.by_rank != nullptr) return loss.by_rank(loss, batch, outputs, options, lengths_mark_empty);
  }
  if constexpr (!std::same_as<Family, list_family>) {
    if (loss.facts.observed != 0 && (options.all_reduce || engine.has(loss.facts.observed_from))) {
      auto seen = engine.observe();
      if (options.all_reduce) add_up_ranks(options.all_reduce, seen);
      // The other ranks now wait for this one's next call.
      return with_ranks(options, [&](auto const& own) {
        report result;
        loss.with_observed(loss.loss, seen.data(), seen[loss.facts.observed], with_loss{[&](void const* observed) {
                             result = run_over_ranks<T>(engine, observed, loss.facts, outputs, own, weight);
                           }});
        return result;
      });
    }
  }
  return run_over_ranks<T>(engine, loss.loss, loss.facts, outputs, options, weight);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
