#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/adapter/policy.hpp>
#include <prefopt/column.hpp>
#include <prefopt/detail/fail.hpp>
#include <ranges>
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

/// A policy that is no longer trained: a copy, or a reference wrapper's target.
template <class Policy>
class frozen_reference {
 public:
  explicit frozen_reference(Policy policy) : policy_{std::move(policy)} {}

  template <class Batch, class LogProbs>
  void log_probs(Batch const& batch, LogProbs const& out) const {
    policy_.log_probs(batch, out);
  }

  [[nodiscard]] Policy const& policy() const noexcept { return policy_; }

 private:
  Policy policy_;
};

template <class Policy>
frozen_reference(Policy) -> frozen_reference<Policy>;

/// Log-probs computed beforehand, of pairs. A batch that is a range of integers names the stored pairs by index; any
/// other batch is all of them in order. Throws std::invalid_argument for an index out of bounds or a batch of another
/// size.
template <class T>
class stored_reference {
 public:
  stored_reference(column<T> chosen, column<T> rejected) : chosen_{chosen}, rejected_{rejected} {
    if (chosen.size() != rejected.size()) {
      detail::fail("stored_reference", "rejected has " + detail::text(rejected.size()) + " elements, chosen has " +
                                           detail::text(chosen.size()));
    }
  }

  template <class Batch>
  void log_probs(Batch const& batch, pair_log_probs<T> const& out) const {
    if constexpr (requires { requires std::integral<std::ranges::range_value_t<Batch>>; }) {
      std::size_t i = 0;
      for (auto const index : batch) {
        if (std::cmp_less(index, 0) || std::cmp_greater_equal(index, chosen_.size())) {
          detail::fail("stored_reference", "index " + std::to_string(index) + " of the batch, expected one below " +
                                               detail::text(chosen_.size()));
        }
        out.chosen[i] = chosen_[static_cast<std::size_t>(index)];
        out.rejected[i++] = rejected_[static_cast<std::size_t>(index)];
      }
    } else {
      if (out.chosen.size() != chosen_.size()) {
        detail::fail("stored_reference", "the batch has " + detail::text(out.chosen.size()) + " pairs, stored are " +
                                             detail::text(chosen_.size()));
      }
      for (std::size_t i = 0; i < chosen_.size(); ++i) {
        out.chosen[i] = chosen_[i];
        out.rejected[i] = rejected_[i];
      }
    }
  }

 private:
  column<T> chosen_, rejected_;
};

/// Log-probs computed beforehand, of groups: the old log-probs of on-policy training, or a fixed anchor's. A batch that
/// is a range of integers names the stored groups by index; any other batch is all of them in order. Throws
/// std::invalid_argument for offsets that do not fit, an index out of bounds or a batch of another size.
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
    std::size_t filled = 0;
    auto const put = [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i, ++filled) {
        if (filled < out.logp.size()) out.logp[filled] = logp_[i];
      }
    };
    if constexpr (requires { requires std::integral<std::ranges::range_value_t<Batch>>; }) {
      for (auto const group : batch) {
        if (std::cmp_less(group, 0) || std::cmp_greater_equal(group, groups())) {
          detail::fail("stored_list_reference", "index " + std::to_string(group) +
                                                    " of the batch, expected one below " + detail::text(groups()));
        }
        auto const index = static_cast<std::size_t>(group);
        put(static_cast<std::size_t>(offsets_[index]), static_cast<std::size_t>(offsets_[index + 1]));
      }
    } else {
      put(0, logp_.size());
    }
    if (filled != out.logp.size()) {
      detail::fail("stored_list_reference", "the batch has " + detail::text(out.logp.size()) +
                                                " candidates, its groups have stored " + detail::text(filled));
    }
  }

 private:
  [[nodiscard]] std::size_t groups() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }

  column<T> logp_;
  column<std::int64_t> offsets_;
};

}  // namespace prefopt::inline PREFOPT_ABI
