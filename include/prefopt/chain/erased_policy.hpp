#pragma once

#include <cstddef>
#include <prefopt/chain/sequence_policy.hpp>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// A view of a policy that computes in T, and of its state for one call: what takes it is compiled once for all
/// policies.
template <class T>
class erased_policy {
 public:
  using value_type = T;
  struct state {};

  template <sequence_policy P>
  erased_policy(P const& policy, typename P::state& kept) noexcept
      : policy_{&policy}, kept_{&kept}, calls_{&calls_to<P>} {}

  [[nodiscard]] std::size_t sequences() const { return calls_->sequences(policy_); }
  [[nodiscard]] bool wants_gradient() const { return calls_->wants_gradient(policy_); }
  void check(std::string_view where, gradient_write how) const { calls_->check(policy_, where, how); }
  void log_probs(state&, sequence_outputs<T> const& outputs, executor const& run) const {
    calls_->log_probs(policy_, kept_, outputs, run);
  }
  void backward(state&, column<T> const& d_log_prob, gradient_write how, executor const& run) const {
    calls_->backward(policy_, kept_, d_log_prob, how, run);
  }

 private:
  struct calls {
    std::size_t (*sequences)(void const*);
    bool (*wants_gradient)(void const*);
    void (*check)(void const*, std::string_view, gradient_write);
    void (*log_probs)(void const*, void*, sequence_outputs<T> const&, executor const&);
    void (*backward)(void const*, void*, column<T> const&, gradient_write, executor const&);
  };

  template <class P>
  static constexpr calls calls_to{
      [](void const* policy) { return static_cast<P const*>(policy)->sequences(); },
      [](void const* policy) { return static_cast<P const*>(policy)->wants_gradient(); },
      [](void const* policy, std::string_view where, gradient_write how) {
        static_cast<P const*>(policy)->check(where, how);
      },
      [](void const* policy, void* kept, sequence_outputs<T> const& outputs, executor const& run) {
        static_cast<P const*>(policy)->log_probs(*static_cast<typename P::state*>(kept), outputs, run);
      },
      [](void const* policy, void* kept, column<T> const& d_log_prob, gradient_write how, executor const& run) {
        static_cast<P const*>(policy)->backward(*static_cast<typename P::state*>(kept), d_log_prob, how, run);
      }};

  void const* policy_;
  void* kept_;
  calls const* calls_;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
