#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <prefopt/batch/options.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/token_layout.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A policy whose output for a batch lies in memory, as sequences of tokens: it gives the tokens' log-probs and takes
/// the gradient by them, to wherever that is wanted. What has to be kept in between is its `state`, made for each call.
///     check(where, how)              throws for whatever is wrong, before anything is written
///     layout()                       which tokens make a sequence
///     log_probs(state, log_prob, executor)         one a token; of those that do not count nothing is read
///     backward(state, d_log_prob, how, executor)   one a token
/// What computes on rows of numbers takes the instruction set as a template argument: `log_probs<Arch>`. One that knows the
/// entropy of its tokens has both calls once more, with a span of entropies, or of the gradient by them, behind the first.
/// One that ranks may share, whose log_probs then wait for each other, has two more:
///     is_shared()                    whether there are such ranks
///     any_rank_refuses(refuses)      all of them call it, but one that refuses what the others go on to compute, whose
///                                    call then stands for the first in which they wait. Its log_probs throw on all
template <class P>
concept sequence_policy = requires(P const policy, typename P::state state, executor const run, gradient_write how,
                                   std::span<double> log_prob, std::span<double const> d_log_prob) {
  typename P::value_type;
  { policy.sequences() } -> std::same_as<std::size_t>;
  { policy.wants_gradient() } -> std::same_as<bool>;
  { policy.layout() } -> std::same_as<token_layout>;
  policy.check(std::string_view{}, how);
  policy.log_probs(state, log_prob, run);
  policy.backward(state, d_log_prob, how, run);
};

namespace detail {

/// A policy that computes in T without its type, and its state for one call; refers to both.
template <class T>
class policy_ref {
 public:
  template <class Arch, sequence_policy P>
  policy_ref(std::type_identity<Arch>, P const& policy, typename P::state& kept) noexcept
      : policy_{&policy}, kept_{&kept}, calls_{&calls_to<Arch, P>} {
    static_assert(std::same_as<typename P::value_type, T>, "policy and reference compute in one type");
  }

  [[nodiscard]] std::size_t sequences() const { return calls_->sequences(policy_); }
  [[nodiscard]] bool wants_gradient() const { return calls_->wants_gradient(policy_); }
  [[nodiscard]] token_layout layout() const { return calls_->layout(policy_); }
  void check(std::string_view where, gradient_write how) const { calls_->check(policy_, where, how); }
  /// Whether it knows the entropy of its tokens.
  [[nodiscard]] bool has_entropy() const { return calls_->has_entropy; }
  /// Entropies, or the gradient by them, only of one that knows them; empty where they are not wanted.
  void log_probs(std::span<double> log_prob, std::span<double> entropy, executor const& run) const {
    calls_->log_probs(policy_, kept_, log_prob, entropy, run);
  }
  void backward(std::span<double const> d_log_prob, std::span<double const> d_entropy, gradient_write how,
                executor const& run) const {
    calls_->backward(policy_, kept_, d_log_prob, d_entropy, how, run);
  }

 private:
  struct calls {
    std::size_t (*sequences)(void const*);
    bool (*wants_gradient)(void const*);
    token_layout (*layout)(void const*);
    void (*check)(void const*, std::string_view, gradient_write);
    void (*log_probs)(void const*, void*, std::span<double>, std::span<double>, executor const&);
    void (*backward)(void const*, void*, std::span<double const>, std::span<double const>, gradient_write,
                     executor const&);
    bool has_entropy;
  };

  template <class Arch, class P>
  static constexpr bool takes_arch = requires(P const& p, typename P::state& state, std::span<double> log_prob,
                                              executor const& run) {
    p.template log_probs<Arch>(state, log_prob, run);
  };
  template <class P>
  static constexpr bool knows_entropy = requires(P const& p, typename P::state& state, std::span<double> values,
                                                 executor const& run) {
    p.log_probs(state, values, values, run);
    p.backward(state, values, values, gradient_write::assign, run);
  };

  template <class Arch, class P>
  static constexpr calls calls_to{
      [](void const* policy) { return static_cast<P const*>(policy)->sequences(); },
      [](void const* policy) { return static_cast<P const*>(policy)->wants_gradient(); },
      [](void const* policy) { return static_cast<P const*>(policy)->layout(); },
      [](void const* policy, std::string_view where, gradient_write how) {
        static_cast<P const*>(policy)->check(where, how);
      },
      [](void const* policy, void* kept, std::span<double> log_prob, std::span<double> entropy, executor const& run) {
        P const& p = *static_cast<P const*>(policy);
        auto& state = *static_cast<typename P::state*>(kept);
        if constexpr (takes_arch<Arch, P> && knows_entropy<P>) {
          p.template log_probs<Arch>(state, log_prob, entropy, run);
        } else if constexpr (takes_arch<Arch, P>) {
          p.template log_probs<Arch>(state, log_prob, run);
        } else if constexpr (knows_entropy<P>) {
          p.log_probs(state, log_prob, entropy, run);
        } else {
          p.log_probs(state, log_prob, run);
        }
      },
      [](void const* policy, void* kept, std::span<double const> d_log_prob, std::span<double const> d_entropy,
         gradient_write how, executor const& run) {
        P const& p = *static_cast<P const*>(policy);
        auto& state = *static_cast<typename P::state*>(kept);
        if constexpr (requires { p.template backward<Arch>(state, d_log_prob, d_entropy, how, run); }) {
          p.template backward<Arch>(state, d_log_prob, d_entropy, how, run);
        } else if constexpr (requires { p.template backward<Arch>(state, d_log_prob, how, run); }) {
          p.template backward<Arch>(state, d_log_prob, how, run);
        } else if constexpr (knows_entropy<P>) {
          p.backward(state, d_log_prob, d_entropy, how, run);
        } else {
          p.backward(state, d_log_prob, how, run);
        }
      },
      knows_entropy<P>};

  void const* policy_;
  void* kept_;
  calls const* calls_;
};

/// Values of a policy's tokens, one a token.
inline packed_tokens<double> tokens_of(token_layout const& layout, std::vector<double> const& values) noexcept {
  return {.log_prob = values,
          .offsets = layout.offsets,
          .mask = layout.counted,
          .weight = column_if(!layout.weight.empty(), layout.weight)};
}
packed_tokens<double> tokens_of(token_layout const&, std::vector<double> const&&) = delete;

/// The log-probs of a policy's sequences, and their numbers of tokens. Gives back what says which tokens those are.
template <class T>
token_layout read_sequences(policy_ref<T> const& policy, sequence_outputs<T> const& outputs, executor const& run) {
  token_layout layout = policy.layout();
  std::vector<double> log_prob(layout.tokens()), sums(layout.sequences()), lengths(layout.sequences());
  policy.log_probs(log_prob, {}, run);
  sequence_log_probs(tokens_of(layout, log_prob), {.log_prob = sums, .length = lengths}, run);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    put(outputs.log_prob, i, sums[i]);
    put(outputs.length, i, lengths[i]);
  }
  return layout;
}

/// Fails for a reference that counts other tokens of the same sequences. Sequences that lie otherwise may be of another
/// tokenizer.
inline void check_counted(token_layout const& policy, token_layout const& reference) {
  if (reference.offsets != policy.offsets || reference.counted == policy.counted) return;
  fail_evaluate("labels or masks of the reference leave out other tokens than those of the policy");
}

/// Each token's gradient is its sequence's, times the token's weight.
template <class T>
void write_back(policy_ref<T> const& policy, token_layout const& layout, column<T> const& d_sequence,
                gradient_write how, executor const& run) {
  std::vector<double> d_log_prob(layout.tokens());
  auto const tokens = tokens_of(layout, d_log_prob);
  write_token_gradients(
      tokens,
      [&](std::size_t sequence, std::size_t token) noexcept {
        return token_gradient(tokens, sequence, token, static_cast<double>(d_sequence[sequence]));
      },
      d_log_prob, gradient_write::assign, run);
  policy.backward(d_log_prob, {}, how, run);
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
