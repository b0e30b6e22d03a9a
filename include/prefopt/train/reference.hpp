#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/train/policy.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {

/// No reference: log-probs of 0. An anchored loss then takes its reference-free form, in its value and in its rewards;
/// for groups that is the uniform anchor.
struct no_reference {
  template <class Batch, class LogProbs>
  void log_probs(Batch const&, LogProbs const& out) const noexcept {
    for (auto const& values : out.sequences()) std::fill(values.begin(), values.end(), 0);
  }
};

/// The policy itself, as it is at this step, held constant: every log-ratio is 0.
template <class Policy>
class self_reference {
 public:
  explicit self_reference(Policy& policy) noexcept : policy_{&policy} {}

  template <class Batch, class LogProbs>
  void log_probs(Batch const& batch, LogProbs const& out) const {
    policy_->log_probs(batch, out);
  }

 private:
  Policy* policy_;
};

/// A policy that is no longer trained. Keeps a copy, so a policy that is a handle (a torch module, a pointer) has to be
/// copied with its weights first: a copied handle would follow the policy and make every log-ratio 0.
template <class Policy>
class frozen_reference {
 public:
  explicit frozen_reference(Policy policy) : policy_{std::move(policy)} {}

  template <class Batch, class LogProbs>
    requires(detail::gives_log_probs<Policy const, Batch, LogProbs>)
  void log_probs(Batch const& batch, LogProbs const& out) const { policy_.log_probs(batch, out); }
  template <class Batch, class LogProbs>
    requires(detail::gives_log_probs<Policy, Batch, LogProbs>)
  void log_probs(Batch const& batch, LogProbs const& out) { policy_.log_probs(batch, out); }

  [[nodiscard]] Policy const& policy() const noexcept { return policy_; }

 private:
  Policy policy_;
};

template <class Policy>
frozen_reference(Policy) -> frozen_reference<Policy>;

namespace detail {

/// Of what is stored: indices that a batch names, or, for a batch that is no range of integers, all in order. Visits
/// them with use(index); refuses an index that is out of bounds.
template <class Batch, class Use>
void for_each_stored(std::string_view where, Batch const& batch, std::size_t stored, Use const& use) {
  if constexpr (requires { requires std::integral<std::ranges::range_value_t<Batch>>; }) {
    static_assert(std::ranges::forward_range<Batch const>, "indices are checked before they are used");
    for (auto const index : batch) {
      if (std::cmp_less(index, 0) || std::cmp_greater_equal(index, stored)) {
        fail(where, "index " + std::to_string(index) + " of the batch, expected one below " + text(stored));
      }
      use(static_cast<std::size_t>(index));
    }
  } else {
    for (std::size_t index = 0; index < stored; ++index) use(index);
  }
}

}  // namespace detail

/// Log-probs computed beforehand: of pairs, or of groups, where they are the old log-probs of on-policy training or a
/// fixed anchor's. A batch that is a range of integers names the stored pairs or groups by index; any other batch is all
/// of them in order. Throws std::invalid_argument for columns that do not fit together, an index out of bounds or a
/// batch of another size, before anything is written.
template <class T, class Family = pair_family>
class stored_reference {
  using host = detail::host_side<Family>;

 public:
  stored_reference(column<T> chosen, column<T> rejected) requires(std::same_as<Family, pair_family>)
      : stored_reference{std::array{chosen, rejected}, column<std::int64_t>{}} {}

  explicit stored_reference(column<T> logp) requires(std::same_as<Family, unpaired_family>)
      : stored_reference{std::array{logp}, column<std::int64_t>{}} {}

  stored_reference(column<T> logp, column<std::int64_t> offsets) requires(host::is_grouped)
      : stored_reference{std::array{logp}, offsets} {}

  /// One column for each sequence of a pair or candidate, in the order of the batch's; the offsets of groups.
  stored_reference(std::array<column<T>, host::sequences> const& log_probs, column<std::int64_t> offsets)
      : log_probs_{log_probs}, offsets_{offsets} {
    auto const& names = Family::template inputs<T>;
    std::size_t const n = log_probs[0].size();
    for (std::size_t s = 1; s < host::sequences; ++s) {
      if (log_probs[s].size() == n) continue;
      fail(std::string{names[s].name} + " has " + detail::elements(log_probs[s].size()) + ", " + names[0].name +
           " has " + detail::text(n));
    }
    if constexpr (host::is_grouped) detail::check_offsets(host::stored, offsets, n);
  }

  template <class Batch>
  void log_probs(Batch const& batch, typename host::template log_probs<T> const& out) const {
    std::size_t items = 0;
    for_each_item(batch, [&](std::size_t) { ++items; });
    for (auto const& values : out.sequences()) {
      if (values.size() == items) continue;
      fail("the batch has " + detail::text(values.size()) + ' ' + host::items +
           (host::is_grouped ? ", its groups have stored " : ", stored are ") + detail::text(items));
    }
    std::size_t at = 0;
    for_each_item(batch, [&](std::size_t item) {
      for (std::size_t s = 0; s < host::sequences; ++s) out.sequences()[s][at] = log_probs_[s][item];
      ++at;
    });
  }

 private:
  [[noreturn]] static void fail(std::string const& what) { detail::fail(host::stored, what); }

  template <class Batch, class Use>
  void for_each_item(Batch const& batch, Use const& use) const {
    if constexpr (host::is_grouped) {
      std::size_t const groups = offsets_.empty() ? 0 : offsets_.size() - 1;
      detail::for_each_stored(host::stored, batch, groups, [&](std::size_t group) {
        auto const end = static_cast<std::size_t>(offsets_[group + 1]);
        for (auto item = static_cast<std::size_t>(offsets_[group]); item < end; ++item) use(item);
      });
    } else {
      detail::for_each_stored(host::stored, batch, log_probs_[0].size(), use);
    }
  }

  std::array<column<T>, host::sequences> log_probs_;
  column<std::int64_t> offsets_;
};

template <class T>
using stored_list_reference = stored_reference<T, list_family>;

template <class T>
using stored_unpaired_reference = stored_reference<T, unpaired_family>;

}  // namespace prefopt::inline PREFOPT_ABI
