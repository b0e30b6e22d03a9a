#pragma once

#include <cstddef>
#include <prefopt/core/abi.hpp>
#include <span>

namespace prefopt::inline PREFOPT_ABI {

/// Where a policy or a reference writes the sequence log-probs of a batch of pairs, one value a pair. The lengths are
/// empty where the loss does not read them.
template <class T>
struct pair_log_probs {
  std::span<T> chosen, rejected;
  std::span<T> chosen_length, rejected_length;
};

/// What a policy gets back: the derivative of the loss by each sequence log-prob (the token sum).
template <class T>
struct pair_gradients {
  std::span<T const> chosen, rejected;
};

namespace detail {

/// Of a policy, that its log_probs may keep something for `backward`; of a const one, that it does not.
template <class Policy, class Batch, class LogProbs>
concept gives_log_probs = requires(Policy& policy, Batch const& batch, LogProbs const& out) {
  policy.log_probs(batch, out);
};

}  // namespace detail

/// A policy for batches of the host's own type: log-probs forward, gradients back. `backward` is called after
/// `log_probs` of the same batch, and adds to or replaces the host's own gradients as the host likes.
template <class Policy, class Batch, class T>
concept pair_policy = requires(Policy& policy, Batch const& batch, pair_log_probs<T> const& out,
                               pair_gradients<T> const& gradients) {
  policy.log_probs(batch, out);
  policy.backward(batch, gradients);
};

/// A reference: log-probs only.
template <class Reference, class Batch, class T>
concept pair_reference = detail::gives_log_probs<Reference, Batch, pair_log_probs<T>>;

/// The same for groups: one value a candidate, group after group.
template <class T>
struct list_log_probs {
  std::span<T> logp, length;
};

template <class T>
struct list_gradients {
  std::span<T const> logp;
};

template <class Policy, class Batch, class T>
concept list_policy = requires(Policy& policy, Batch const& batch, list_log_probs<T> const& out,
                               list_gradients<T> const& gradients) {
  policy.log_probs(batch, out);
  policy.backward(batch, gradients);
};

template <class Reference, class Batch, class T>
concept list_reference = detail::gives_log_probs<Reference, Batch, list_log_probs<T>>;

}  // namespace prefopt::inline PREFOPT_ABI
