#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <prefopt/chain/compared.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/train/policy.hpp>
#include <prefopt/train/reference.hpp>
#include <span>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class L, class Family>
concept evaluable_loss_of = std::same_as<family_of<L>, Family>;

}  // namespace detail

/// One training step of any host: log-probs of the policy and of the reference, the loss, and the gradients back to the
/// policy. Keeps its buffers between steps. The reference is asked only if the loss reads it, and the policy for
/// lengths only if the loss needs them, or takes them and the columns say per_token: options.empty acts on those alone.
/// The buffers belong to the step, whose gradients are of this batch alone: throws std::invalid_argument for
/// gradient_write::accumulate.
template <class Family, detail::computed_in T>
class step {
  using host = detail::host_side<Family>;

 public:
  /// What comes with the data and not from a policy: pair_columns, list_columns, unpaired_columns.
  using columns_type = typename host::template columns<T>;

  /// Log-probs, loss and backward.
  template <detail::evaluable_loss_of<Family> L, class Batch, policy_of<Family, Batch, T> Policy,
            reference_of<Family, Batch, T> Reference>
  report operator()(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
                    columns_type const& columns = {}, options const& options = {}) {
    report const seen = forward(loss, policy, reference, batch, columns, options);
    policy.backward(batch, host::to_policy(results_));
    return seen;
  }

  /// The same without the backward pass: what a held-out set needs.
  template <detail::evaluable_loss_of<Family> L, class Batch, reference_of<Family, Batch, T> Policy,
            reference_of<Family, Batch, T> Reference>
  report forward(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
                 columns_type const& columns = {}, options const& options = {}) {
    return detail::with_ranks(
        options, [&](auto const& own) { return evaluate_batch(loss, policy, reference, batch, columns, own); });
  }

  /// Of the last step. The loss and the posterior have one value a pair or group, the log-probs one a pair or candidate;
  /// those that the loss does not have are empty.
  [[nodiscard]] std::span<T const> loss() const noexcept { return results_[Family::loss]; }
  [[nodiscard]] std::span<T const> posterior() const noexcept requires(requires { Family::posterior; }) {
    return results_[Family::posterior];
  }
  [[nodiscard]] std::span<T const> chosen() const noexcept requires(requires { Family::chosen; }) {
    return inputs_[Family::chosen];
  }
  [[nodiscard]] std::span<T const> rejected() const noexcept requires(requires { Family::rejected; }) {
    return inputs_[Family::rejected];
  }
  [[nodiscard]] std::span<T const> logp() const noexcept requires(requires { Family::logp; }) {
    return inputs_[Family::logp];
  }
  [[nodiscard]] std::span<T const> ref_logp() const noexcept requires(requires { Family::ref_logp; }) {
    return inputs_[Family::ref_logp];
  }

 private:
  template <class L, class Policy, class Reference, class Batch>
  report evaluate_batch(L const& loss, Policy& policy, Reference& reference, Batch const& batch,
                        columns_type const& data, prefopt::options const& options) {
    detail::check_assigned(host::step, options);
    typename Family::template batch<T> compared = host::with_data(data);
    auto const size = host::size_of(batch, compared);
    auto const facts = detail::facts_of_any(loss);
    columns const asked = asked_of_host<std::remove_const_t<Reference>>(facts, data);
    for (std::size_t c = 0; c < inputs_.size(); ++c) {
      auto const& row = Family::template inputs<T>[c];
      bool const is_always = row.when == presence::always;
      if (!is_always && row.kind != columns::reference && row.kind != columns::length) continue;
      bool const is_asked = is_always || contains(asked, row.kind);
      inputs_[c].resize(is_asked ? size.items : 0);
      compared.*row.values = detail::column_if(is_asked, inputs_[c]);
    }
    typename Family::template outputs<T> written;
    for (std::size_t c = 0; c < results_.size(); ++c) {
      auto const& row = Family::template results<T>[c];
      bool const is_some = row.is_of_some && (facts.writes >> c & 1U) != 0 && row.gradient_of < 0;
      bool const is_written = is_some || c == Family::loss || (row.gradient_of >= 0 && !row.is_of_some);
      std::size_t const n = row.per == entries::of_examples ? size.examples : size.items;
      results_[c].resize(is_written ? n : 0);
      written.*row.values = results_[c];
    }
    policy.log_probs(batch, host::of_policy(inputs_));
    if (contains(asked, columns::reference)) reference.log_probs(batch, host::of_reference(inputs_));
    return evaluate(loss, compared, written, options);
  }

  /// Beside the log-probs. A loss that can do without a reference is not given the zeros of none.
  template <class Reference>
  static columns asked_of_host(detail::loss_facts const& facts, columns_type const& data) noexcept {
    columns asked = columns::none;
    bool const is_none = std::same_as<Reference, no_reference>;
    if (is_none ? contains(facts.needs, columns::reference) : facts.reads(columns::reference)) {
      asked = asked | columns::reference;
    }
    bool per_token = false;
    if constexpr (requires { data.per_token; }) per_token = data.per_token;
    return detail::measures(facts, per_token) ? asked | columns::length : asked;
  }

  typename host::template inputs<T> inputs_;
  typename host::template results<T> results_;
};

template <class T>
using pair_step = step<pair_family, T>;

template <class T>
using list_step = step<list_family, T>;

template <class T>
using unpaired_step = step<unpaired_family, T>;

}  // namespace prefopt::inline PREFOPT_ABI
