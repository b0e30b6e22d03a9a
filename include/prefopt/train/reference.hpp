#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/train/policy.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {

/// No reference: log-probs of 0. An anchored loss then takes its reference-free form, in its value and in its rewards;
/// for groups that is the uniform anchor.
struct no_reference {
  template <class Batch, class T>
  void log_probs(Batch const&, pair_log_probs<T> const& out) const noexcept {
    std::fill(out.chosen.begin(), out.chosen.end(), T(0));
    std::fill(out.rejected.begin(), out.rejected.end(), T(0));
  }
  template <class Batch, class T>
  void log_probs(Batch const&, list_log_probs<T> const& out) const noexcept {
    std::fill(out.logp.begin(), out.logp.end(), T(0));
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

/// Log-probs computed beforehand, of pairs. A batch that is a range of integers names the stored pairs by index; any
/// other batch is all of them in order. Throws std::invalid_argument for an index out of bounds or a batch of another
/// size, before anything is written.
template <class T>
class stored_reference {
 public:
  stored_reference(column<T> chosen, column<T> rejected) : chosen_{chosen}, rejected_{rejected} {
    if (chosen.size() != rejected.size()) {
      detail::fail("stored_reference",
                   "rejected has " + detail::elements(rejected.size()) + ", chosen has " + detail::text(chosen.size()));
    }
  }

  template <class Batch>
  void log_probs(Batch const& batch, pair_log_probs<T> const& out) const {
    std::size_t pairs = 0;
    detail::for_each_stored("stored_reference", batch, chosen_.size(), [&](std::size_t) { ++pairs; });
    for (std::size_t const wanted : {out.chosen.size(), out.rejected.size()}) {
      if (wanted == pairs) continue;
      detail::fail("stored_reference",
                   "the batch has " + detail::text(wanted) + " pairs, stored are " + detail::text(pairs));
    }
    std::size_t at = 0;
    detail::for_each_stored("stored_reference", batch, chosen_.size(), [&](std::size_t index) {
      out.chosen[at] = chosen_[index];
      out.rejected[at++] = rejected_[index];
    });
  }

 private:
  column<T> chosen_, rejected_;
};

/// Log-probs computed beforehand, of groups: the old log-probs of on-policy training, or a fixed anchor's. A batch that
/// is a range of integers names the stored groups by index; any other batch is all of them in order. Throws
/// std::invalid_argument for offsets that do not fit, an index out of bounds or a batch of another size, before
/// anything is written.
template <class T>
class stored_list_reference {
 public:
  stored_list_reference(column<T> logp, column<std::int64_t> offsets) : logp_{logp}, offsets_{offsets} {
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (offsets[i] < (i == 0 ? 0 : offsets[i - 1]) || std::cmp_greater(offsets[i], logp.size())) {
        detail::fail("stored_list_reference", "offsets[" + detail::text(i) + "] is " + std::to_string(offsets[i]) +
                                                  ", expected one that does not fall and is at most " +
                                                  detail::text(logp.size()));
      }
    }
  }

  template <class Batch>
  void log_probs(Batch const& batch, list_log_probs<T> const& out) const {
    std::size_t candidates = 0;
    for_each_candidate(batch, [&](std::size_t) { ++candidates; });
    if (candidates != out.logp.size()) {
      detail::fail("stored_list_reference", "the batch has " + detail::text(out.logp.size()) +
                                                " candidates, its groups have stored " + detail::text(candidates));
    }
    std::size_t at = 0;
    for_each_candidate(batch, [&](std::size_t candidate) { out.logp[at++] = logp_[candidate]; });
  }

 private:
  template <class Batch, class Use>
  void for_each_candidate(Batch const& batch, Use const& use) const {
    std::size_t const groups = offsets_.empty() ? 0 : offsets_.size() - 1;
    detail::for_each_stored("stored_list_reference", batch, groups, [&](std::size_t group) {
      auto const end = static_cast<std::size_t>(offsets_[group + 1]);
      for (auto candidate = static_cast<std::size_t>(offsets_[group]); candidate < end; ++candidate) use(candidate);
    });
  }

  column<T> logp_;
  column<std::int64_t> offsets_;
};

}  // namespace prefopt::inline PREFOPT_ABI
