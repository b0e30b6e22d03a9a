#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/train/policy.hpp>
#include <prefopt/train/reference.hpp>
#include <prefopt/train/assigned_gradients.hpp>
#include <prefopt/view/offsets.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What comes with the groups of a batch and not from a policy.
template <class T>
struct list_columns {
  column<std::int64_t> offsets{};
  column<T> reward{}, target{}, weight{};
  /// Gives the candidates' lengths to losses that do not need but take them: scores are then per token.
  bool per_token = false;
};

/// One training step of any host on groups: log-probs of the policy and of the reference, the loss, and the gradients
/// back to the policy. Keeps its buffers between steps. The reference is asked only if the loss reads it. The buffers
/// belong to the step, whose gradients are of this batch alone: throws std::invalid_argument for
/// gradient_write::accumulate.
template <detail::computed_in T>
class list_step {
 public:
  /// Log-probs, loss and backward.
  template <evaluable_list_loss L, class Policy, class Reference, class Batch>
    requires(list_policy<Policy, Batch, T>)
  &&(list_reference<Reference, Batch, T>)report operator()(L const& loss, Policy& policy, Reference& reference,
                                                           Batch const& batch, list_columns<T> const& columns,
                                                           options const& options = {}) {
    report const seen = forward(loss, policy, reference, batch, columns, options);
    policy.backward(batch, list_gradients<T>{d_logp_});
    return seen;
  }

  /// The same without the backward pass: what a held-out set needs.
  template <evaluable_list_loss L, class Policy, class Reference, class Batch>
    requires(list_reference<Policy, Batch, T>)
  &&(list_reference<Reference, Batch, T>)report
      forward(L const& loss, Policy& policy, Reference& reference, Batch const& batch, list_columns<T> const& columns,
              options const& options = {}) {
    return detail::with_ranks(
        options, [&](auto const& own) { return evaluate_batch(loss, policy, reference, batch, columns, own); });
  }

  /// Of the last step: one value a group, and one a candidate.
  [[nodiscard]] std::span<T const> loss() const noexcept { return loss_; }
  [[nodiscard]] std::span<T const> logp() const noexcept { return logp_; }
  [[nodiscard]] std::span<T const> ref_logp() const noexcept { return ref_logp_; }

 private:
  template <class L, class Policy, class Reference, class Batch>
  report evaluate_batch(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
                        list_columns<T> const& columns, prefopt::options const& options) {
    detail::check_assigned("list_step", options);
    std::size_t const n = candidates_of(columns);
    bool const anchored =
        !std::same_as<std::remove_cvref_t<Reference>, no_reference> && detail::reads(loss, prefopt::columns::reference);
    bool const measured = detail::needs(loss, prefopt::columns::length) ||
                          (columns.per_token && detail::reads(loss, prefopt::columns::length));
    for (auto* values : {&logp_, &d_logp_}) values->resize(n);
    loss_.resize(columns.offsets.size() - 1);
    ref_logp_.resize(anchored ? n : 0);
    length_.resize(measured ? n : 0);
    policy.log_probs(batch, list_log_probs<T>{logp_, length_});
    if (anchored) reference.log_probs(batch, list_log_probs<T>{ref_logp_, {}});
    return evaluate(loss,
                    list_batch<T>{.logp = logp_,
                                  .ref_logp = ref_logp_,
                                  .length = length_,
                                  .reward = columns.reward,
                                  .target = columns.target,
                                  .weight = columns.weight,
                                  .offsets = columns.offsets},
                    {.loss = loss_, .d_logp = d_logp_}, options);
  }

  /// Nothing else says how many candidates there are, and memory is taken for as many.
  std::size_t candidates_of(list_columns<T> const& columns) const {
    constexpr char const* where = "list_step";
    std::int64_t const last = columns.offsets.empty() ? 0 : columns.offsets[columns.offsets.size() - 1];
    if (last < 0) detail::fail(where, "offsets end at " + std::to_string(last) + ", expected a number >= 0");
    auto const n = static_cast<std::size_t>(last);
    detail::check_offsets(where, columns.offsets, n);
    for (auto const& [name, given] : {std::pair{"reward", columns.reward}, std::pair{"target", columns.target}}) {
      if (given.empty() || given.size() == n) continue;
      detail::fail(
          where, std::string{name} + " has " + detail::elements(given.size()) + ", offsets end at " + detail::text(n));
    }
    if (n > logp_.max_size()) {
      detail::fail(where, "offsets end at " + detail::text(n) + ", expected as many candidates as fit into memory");
    }
    return n;
  }

  std::vector<T> logp_, ref_logp_, length_, loss_, d_logp_;
};

}  // namespace prefopt::inline PREFOPT_ABI
