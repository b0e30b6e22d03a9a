#pragma once

#include <cstddef>
#include <iterator>
#include <prefopt/train/policy.hpp>
#include <prefopt/train/reference.hpp>
#include <prefopt/train/assigned_gradients.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <span>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A batch's columns that come with the data and not from a policy.
template <class T>
struct pair_columns {
  column<T> weight{}, margin{}, label{}, reliability{};
};

/// One training step of any host: log-probs of the policy and of the reference, the loss, and the gradients back to the
/// policy. Keeps its buffers between steps. The reference is asked only if the loss reads it, and the policy for
/// lengths only if the loss reads them: options.empty acts on those alone. The buffers belong to the step, whose
/// gradients are of this batch alone: throws std::invalid_argument for gradient_write::accumulate.
template <detail::computed_in T>
class pair_step {
 public:
  /// Log-probs, loss and backward.
  template <evaluable_pair_loss L, class Policy, class Reference, class Batch>
    requires(pair_policy<Policy, Batch, T>)
  &&(pair_reference<Reference, Batch, T>)report operator()(L const& loss, Policy& policy, Reference& reference,
                                                           Batch const& batch, pair_columns<T> const& columns = {},
                                                           options const& options = {}) {
    report const seen = forward(loss, policy, reference, batch, columns, options);
    policy.backward(batch, pair_gradients<T>{d_chosen_, d_rejected_});
    return seen;
  }

  /// The same without the backward pass: what a held-out set needs.
  template <evaluable_pair_loss L, class Policy, class Reference, class Batch>
    requires(pair_reference<Policy, Batch, T>)
  &&(pair_reference<Reference, Batch, T>)report
      forward(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
              pair_columns<T> const& extra = {}, options const& options = {}) {
    return detail::with_ranks(
        options, [&](auto const& own) { return evaluate_batch(loss, policy, reference, batch, extra, own); });
  }

  /// Of the last step, one value a pair.
  [[nodiscard]] std::span<T const> loss() const noexcept { return loss_; }
  [[nodiscard]] std::span<T const> chosen() const noexcept { return chosen_; }
  [[nodiscard]] std::span<T const> rejected() const noexcept { return rejected_; }
  [[nodiscard]] std::span<T const> posterior() const noexcept { return posterior_; }

 private:
  template <class L, class Policy, class Reference, class Batch>
  report evaluate_batch(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
                        pair_columns<T> const& extra, prefopt::options const& options) {
    detail::check_assigned("pair_step", options);
    std::size_t const n = std::size(batch);
    for (auto* column : {&chosen_, &rejected_, &d_chosen_, &d_rejected_, &loss_}) column->resize(n);
    for (auto* column : {&ref_chosen_, &ref_rejected_}) column->resize(detail::needs(loss, columns::reference) ? n : 0);
    for (auto* column : {&chosen_length_, &rejected_length_})
      column->resize(detail::needs(loss, columns::length) ? n : 0);
    posterior_.resize(writes_posterior(loss) ? n : 0);
    policy.log_probs(batch, pair_log_probs<T>{chosen_, rejected_, chosen_length_, rejected_length_});
    if (!ref_chosen_.empty()) reference.log_probs(batch, pair_log_probs<T>{ref_chosen_, ref_rejected_, {}, {}});
    return evaluate(loss,
                    pair_batch<T>{.chosen = chosen_,
                                  .rejected = rejected_,
                                  .ref_chosen = ref_chosen_,
                                  .ref_rejected = ref_rejected_,
                                  .chosen_length = chosen_length_,
                                  .rejected_length = rejected_length_,
                                  .weight = extra.weight,
                                  .margin = extra.margin,
                                  .label = extra.label,
                                  .reliability = extra.reliability},
                    {.loss = loss_, .d_chosen = d_chosen_, .d_rejected = d_rejected_, .posterior = posterior_},
                    options);
  }

  template <class L>
  static bool writes_posterior(L const& loss) {
    if constexpr (is_erased_pair_loss<L>) {
      return loss.has_posterior();
    } else {
      return detail::traits_of<L>.has_posterior;
    }
  }

  std::vector<T> chosen_, rejected_, ref_chosen_, ref_rejected_, chosen_length_, rejected_length_;
  std::vector<T> loss_, d_chosen_, d_rejected_, posterior_;
};

}  // namespace prefopt::inline PREFOPT_ABI
