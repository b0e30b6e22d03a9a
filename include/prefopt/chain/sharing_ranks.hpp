#pragma once

#include <concepts>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/all_reduce.hpp>
#include <span>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The ranks that share a policy, or its reference, and make one call together; both of them if they share both. What one
/// of them refuses around the policies' own calls it tells the others in the place of an all-reduce that these wait in: the
/// first one of the log-probs, and after them the one of the loss. Ranks with other batches are told besides. Refers to all
/// it is made of.
class sharing_ranks {
 public:
  template <class P>
  sharing_ranks(P const& policy, all_reduce const& batches) noexcept : shared_{shared(policy)}, batches_{batches} {}
  template <class P, class Reference>
  sharing_ranks(P const& policy, Reference const& reference, all_reduce const& batches) noexcept
      : sharing_ranks{policy, batches} {
    if (shared_.policy == nullptr) shared_ = shared(reference);
  }

  /// With an all-reduce that tells these ranks, too.
  [[nodiscard]] options with(options given) noexcept {
    if (shared_.policy != nullptr) given.all_reduce = *this;
    return given;
  }

  /// Runs what computes log-probs, after all checks: what goes wrong there the ranks tell each other themselves.
  template <class Body>
  void compute(Body const& body) {
    all_know_ = true;
    body();
    all_know_ = false;
  }

  /// Adds up over ranks with other batches; the first value counts those that refuse.
  void operator()(std::span<double> values) {
    if (!all_know_ && shared_.any_refuses(shared_.policy, values[0] != 0)) values[0] = 1;
    batches_(values);
  }

 private:
  struct shared_policy {
    void const* policy = nullptr;  ///< none: it is one rank's
    bool (*any_refuses)(void const*, bool) = nullptr;
  };

  template <class P>
  static shared_policy shared([[maybe_unused]] P const& policy) noexcept {
    if constexpr (requires { policy.any_rank_refuses(false); }) {
      if (policy.is_shared()) {
        return {&policy,
                [](void const* p, bool refuses) { return static_cast<P const*>(p)->any_rank_refuses(refuses); }};
      }
    }
    return {};
  }

  shared_policy shared_;
  all_reduce batches_;
  bool all_know_ = false;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
