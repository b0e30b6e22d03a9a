#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/batch/unpaired.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <span>
#include <string>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Where a policy or a reference writes the sequence log-probs of a batch of pairs, one value a pair. The lengths are
/// empty where the loss does not read them.
template <class T>
struct pair_log_probs {
  std::span<T> chosen, rejected;
  std::span<T> chosen_length, rejected_length;

  /// The log-probs alone.
  [[nodiscard]] std::array<std::span<T>, 2> sequences() const noexcept { return {chosen, rejected}; }
};

/// What a policy gets back: the derivative of the loss by each sequence log-prob (the token sum).
template <class T>
struct pair_gradients {
  std::span<T const> chosen, rejected;
};

/// A batch's columns that come with the data and not from a policy.
template <class T>
struct pair_columns {
  column<T> weight{};
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, column<T>)
};

/// The same for groups: one value a candidate, group after group.
template <class T>
struct list_log_probs {
  std::span<T> logp, length;

  [[nodiscard]] std::array<std::span<T>, 1> sequences() const noexcept { return {logp}; }
};

template <class T>
struct list_gradients {
  std::span<T const> logp;
};

template <class T>
struct list_columns {
  column<std::int64_t> offsets{};
  column<T> reward{}, target{}, weight{};
  /// Gives the candidates' lengths to losses that do not need but take them: scores are then per token.
  bool per_token = false;
};

/// The same for single completions: one value a completion.
template <class T>
struct unpaired_log_probs {
  std::span<T> logp, length;

  [[nodiscard]] std::array<std::span<T>, 1> sequences() const noexcept { return {logp}; }
};

template <class T>
struct unpaired_gradients {
  std::span<T const> logp;
};

template <class T>
struct unpaired_columns {
  column<T> label{}, target{}, weight{}, kl_logp{}, ref_kl_logp{};
};

namespace detail {

/// Of a policy, that its log_probs may keep something for `backward`; of a const one, that it does not.
template <class Policy, class Batch, class LogProbs>
concept gives_log_probs = requires(Policy& policy, Batch const& batch, LogProbs const& out) {
  policy.log_probs(batch, out);
};

template <class Policy, class Batch, class Gradients>
concept takes_gradients = requires(Policy& policy, Batch const& batch, Gradients const& gradients) {
  policy.backward(batch, gradients);
};

/// How many there are of what a batch has a value for.
struct batch_size {
  std::size_t examples, items;
};

/// A family as its hosts see it: sequences that are compared. Which of the columns and outputs, in the order of the
/// family's tables, a host is handed; what comes with the data; and how all that is called.
template <class Family>
struct host_side;

template <>
struct host_side<pair_family> {
  template <class T>
  using log_probs = pair_log_probs<T>;
  template <class T>
  using gradients = pair_gradients<T>;
  template <class T>
  using columns = pair_columns<T>;
  template <class T>
  using inputs = std::array<std::vector<T>, pair_family::input_count>;
  template <class T>
  using results = std::array<std::vector<T>, pair_family::output_count>;

  static constexpr std::size_t sequences = 2;  ///< of an item
  static constexpr bool is_grouped = false;    ///< items come in groups, by offsets
  static constexpr char const *examples = "pairs", *items = "pairs";
  static constexpr char const *step = "pair_step", *stored = "stored_reference", *file = "reference_file";

  template <class T>
  static pair_log_probs<T> of_policy(inputs<T>& at) noexcept {
    return {at[pair_family::chosen], at[pair_family::rejected], at[pair_family::chosen_length],
            at[pair_family::rejected_length]};
  }
  template <class T>
  static pair_log_probs<T> of_reference(inputs<T>& at) noexcept {
    return {at[pair_family::ref_chosen], at[pair_family::ref_rejected], {}, {}};
  }
  template <class T>
  static pair_gradients<T> to_policy(results<T> const& at) noexcept {
    return {at[pair_family::d_chosen], at[pair_family::d_rejected]};
  }

  template <class T>
  static pair_batch<T> with_data(pair_columns<T> const& columns) noexcept {
    pair_batch<T> batch;
    copy_pair_columns(batch, columns);
    return batch;
  }
  template <class Batch, class T>
  static batch_size size_of(Batch const& batch, pair_batch<T> const&) {
    return {std::size(batch), std::size(batch)};
  }
};

template <>
struct host_side<list_family> {
  template <class T>
  using log_probs = list_log_probs<T>;
  template <class T>
  using gradients = list_gradients<T>;
  template <class T>
  using columns = list_columns<T>;
  template <class T>
  using inputs = std::array<std::vector<T>, list_family::input_count>;
  template <class T>
  using results = std::array<std::vector<T>, list_family::output_count>;

  static constexpr std::size_t sequences = 1;
  static constexpr bool is_grouped = true;
  static constexpr char const *examples = "groups", *items = "candidates";
  static constexpr char const *step = "list_step", *stored = "stored_list_reference", *file = "list_reference_file";

  template <class T>
  static list_log_probs<T> of_policy(inputs<T>& at) noexcept {
    return {at[list_family::logp], at[list_family::length]};
  }
  template <class T>
  static list_log_probs<T> of_reference(inputs<T>& at) noexcept {
    return {at[list_family::ref_logp], {}};
  }
  template <class T>
  static list_gradients<T> to_policy(results<T> const& at) noexcept {
    return {at[list_family::d_logp]};
  }

  template <class T>
  static list_batch<T> with_data(list_columns<T> const& columns) noexcept {
    return {.reward = columns.reward, .target = columns.target, .weight = columns.weight, .offsets = columns.offsets};
  }
  /// Nothing else says how many candidates there are, and memory is taken for as many.
  template <class Batch, class T>
  static batch_size size_of(Batch const&, list_batch<T> const& data) {
    std::int64_t const last = data.offsets.empty() ? 0 : data.offsets[data.offsets.size() - 1];
    if (last < 0) fail(step, "offsets end at " + std::to_string(last) + ", expected a number >= 0");
    auto const n = static_cast<std::size_t>(last);
    check_offsets(step, data.offsets, n);
    for (auto const& row : list_family::inputs<T>) {
      std::size_t const size = (data.*row.values).size();
      if (size == 0 || size == n || row.per != entries::of_items) continue;
      fail(step, std::string{row.name} + " has " + elements(size) + ", offsets end at " + text(n));
    }
    if (n > std::vector<T>{}.max_size()) {
      fail(step, "offsets end at " + text(n) + ", expected as many candidates as fit into memory");
    }
    return {data.offsets.size() - 1, n};
  }
};

template <>
struct host_side<unpaired_family> {
  template <class T>
  using log_probs = unpaired_log_probs<T>;
  template <class T>
  using gradients = unpaired_gradients<T>;
  template <class T>
  using columns = unpaired_columns<T>;
  template <class T>
  using inputs = std::array<std::vector<T>, unpaired_family::input_count>;
  template <class T>
  using results = std::array<std::vector<T>, unpaired_family::output_count>;

  static constexpr std::size_t sequences = 1;
  static constexpr bool is_grouped = false;
  static constexpr char const *examples = "completions", *items = "completions";
  static constexpr char const *step = "unpaired_step", *stored = "stored_unpaired_reference",
                              *file = "unpaired_reference_file";

  template <class T>
  static unpaired_log_probs<T> of_policy(inputs<T>& at) noexcept {
    return {at[unpaired_family::logp], at[unpaired_family::length]};
  }
  template <class T>
  static unpaired_log_probs<T> of_reference(inputs<T>& at) noexcept {
    return {at[unpaired_family::ref_logp], {}};
  }
  template <class T>
  static unpaired_gradients<T> to_policy(results<T> const& at) noexcept {
    return {at[unpaired_family::d_logp]};
  }

  template <class T>
  static unpaired_batch<T> with_data(unpaired_columns<T> const& columns) noexcept {
    return {.label = columns.label,
            .target = columns.target,
            .weight = columns.weight,
            .kl_logp = columns.kl_logp,
            .ref_kl_logp = columns.ref_kl_logp};
  }
  template <class Batch, class T>
  static batch_size size_of(Batch const& batch, unpaired_batch<T> const&) {
    return {std::size(batch), std::size(batch)};
  }
};

}  // namespace detail

/// A reference for a family's batches, which are of the host's own type: log-probs only.
template <class Reference, class Family, class Batch, class T>
concept reference_of =
    detail::gives_log_probs<Reference, Batch, typename detail::host_side<Family>::template log_probs<T>>;

/// A policy: log-probs forward, gradients back. `backward` is called after `log_probs` of the same batch, and adds to
/// or replaces the host's own gradients as the host likes.
template <class Policy, class Family, class Batch, class T>
concept policy_of = reference_of<Policy, Family, Batch, T> &&
    detail::takes_gradients<Policy, Batch, typename detail::host_side<Family>::template gradients<T>>;

template <class Policy, class Batch, class T>
concept pair_policy = policy_of<Policy, pair_family, Batch, T>;

template <class Reference, class Batch, class T>
concept pair_reference = reference_of<Reference, pair_family, Batch, T>;

template <class Policy, class Batch, class T>
concept list_policy = policy_of<Policy, list_family, Batch, T>;

template <class Reference, class Batch, class T>
concept list_reference = reference_of<Reference, list_family, Batch, T>;

template <class Policy, class Batch, class T>
concept unpaired_policy = policy_of<Policy, unpaired_family, Batch, T>;

template <class Reference, class Batch, class T>
concept unpaired_reference = reference_of<Reference, unpaired_family, Batch, T>;

}  // namespace prefopt::inline PREFOPT_ABI
