#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/evaluate_tokens.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/engine/at_run_time.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/engine/make_token_loss.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::kernels {

// One binary for every CPU: the kernels are compiled for several instruction sets by the CMake function
// prefopt_add_kernels(target ISAS sse2 avx2 avx512), and the best is used that the CPU has. The files that include this
// need no -march, and compile no kernel. The environment variable PREFOPT_ISA forces an instruction set; it is read
// once. Everything is as in the functions of the same name outside this namespace, bit for bit as if the file had been
// compiled for that instruction set: `evaluate<at_run_time>(…)` in short. Losses are those of the list and one modifier
// over each, or those named under LOSSES, one's own with a card among them. What an any_pair_loss or any_list_loss runs
// was decided where it was made: here, make_pair_loss, make_list_loss, make_unpaired_loss, make_token_loss and for_this_cpu
// make them.

/// The instruction set in use: sse2, sse4_2, avx2, avx512 or neon. Throws std::invalid_argument where PREFOPT_ISA names
/// one that is not compiled, or that this CPU does not have, and where the CPU has none of them.
PREFOPT_HIDDEN inline std::string_view instruction_set() { return detail::kernels_in_use().name; }

/// Those that are compiled and that this CPU has, best first.
PREFOPT_HIDDEN inline std::vector<std::string_view> instruction_sets() {
  std::vector<std::string_view> names;
  for (auto const* choice = PREFOPT_KERNELS::choices; choice->name != nullptr; ++choice) {
    if (choice->runs_here()) names.emplace_back(choice->name);
  }
  return names;
}

/// The loss with its kernels in the instruction set in use: for steps, adapters and whatever else takes a loss.
template <evaluable_loss L>
PREFOPT_HIDDEN any_loss<detail::family_of<L>> for_this_cpu(L const& loss) {
  if constexpr (detail::is_any_loss<L>) {
    return loss;
  } else {
    return {std::in_place_type<at_run_time>, loss};
  }
}

/// A loss of the list by name, as prefopt::make_pair_loss.
template <class Losses = pair_losses>
PREFOPT_HIDDEN any_pair_loss make_pair_loss(std::string_view name, parameter_values const& values = {},
                                            std::string_view base = {}) {
  return prefopt::make_pair_loss<Losses, at_run_time>(name, values, base);
}

template <class Losses = list_losses>
PREFOPT_HIDDEN any_list_loss make_list_loss(std::string_view name, parameter_values const& values = {}) {
  return prefopt::make_list_loss<Losses, at_run_time>(name, values);
}

template <class Losses = unpaired_losses>
PREFOPT_HIDDEN any_unpaired_loss make_unpaired_loss(std::string_view name, parameter_values const& values = {}) {
  return prefopt::make_unpaired_loss<Losses, at_run_time>(name, values);
}

/// A preset or a surrogate by name, as prefopt::make_token_loss.
template <class Arch = at_run_time>
PREFOPT_HIDDEN any_token_loss make_token_loss(std::string_view name, parameter_values const& values = {}) {
  return prefopt::make_token_loss<Arch>(name, values);
}

template <token_loss L, detail::computed_in T>
PREFOPT_HIDDEN token_report evaluate(L const& loss, token_batch<T> const& batch,
                                     std::type_identity_t<token_outputs<T>> const& outputs = {},
                                     options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, batch, outputs, options);
}

template <evaluable_loss L, template <class> class Batch, detail::computed_in T>
  requires(batch_of_loss<Batch<T>, L, T>)
PREFOPT_HIDDEN report
evaluate(L const& loss, Batch<T> const& batch,
         std::type_identity_t<typename detail::family_of<L>::template outputs<T>> const& outputs = {},
         options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, batch, outputs, options);
}

template <token_loss L, sequence_policy P>
PREFOPT_HIDDEN token_report
evaluate(L const& loss, P const& policy, std::type_identity_t<policy_tokens<typename P::value_type>> const& tokens,
         std::type_identity_t<policy_token_outputs<typename P::value_type>> const& outputs = {},
         options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, policy, tokens, outputs, options);
}

template <token_loss L, sequence_policy P, sequence_policy Reference>
PREFOPT_HIDDEN token_report
evaluate(L const& loss, P const& policy, Reference const& reference,
         std::type_identity_t<policy_tokens<typename P::value_type>> const& tokens,
         std::type_identity_t<policy_token_outputs<typename P::value_type>> const& outputs = {},
         options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, policy, reference, tokens, outputs, options);
}

template <evaluable_pair_loss L, token_view Tokens>
PREFOPT_HIDDEN report evaluate(L const& loss, token_pair_batch<Tokens> const& batch,
                               std::type_identity_t<token_pair_outputs<Tokens>> const& outputs = {},
                               options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, batch, outputs, options);
}

/// Of any policy; the product of a linear_policy is the caller's own code.
template <evaluable_loss L, sequence_policy P>
PREFOPT_HIDDEN report evaluate(L const& loss, P const& policy, detail::policy_batch_of<L, P> const& batch,
                               detail::policy_outputs_of<L, P> const& outputs = {}, options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, policy, batch, outputs, options);
}

template <evaluable_loss L, sequence_policy P, sequence_policy Reference>
PREFOPT_HIDDEN report evaluate(L const& loss, P const& policy, Reference const& reference,
                               detail::policy_batch_of<L, P> const& batch,
                               detail::policy_outputs_of<L, P> const& outputs = {}, options const& options = {}) {
  return prefopt::evaluate<at_run_time>(loss, policy, reference, batch, outputs, options);
}

// Sums in double, alike on every instruction set.
using prefopt::sequence_log_probs;
using prefopt::token_gradients;

/// The product is the caller's own code.
template <class U, class Product>
PREFOPT_HIDDEN void linear_token_logprobs(linear_head<U> const& head,
                                          std::type_identity_t<column<std::int64_t>> const& labels,
                                          token_logprob_outputs<detail::computed_of<U>> const& outputs,
                                          Product const& product, linear_options const& options = {}) {
  prefopt::linear_token_logprobs<at_run_time>(head, labels, outputs, product, options);
}

template <class U, class Product>
PREFOPT_HIDDEN void linear_token_logprob_gradients(
    linear_head<U> const& head, std::type_identity_t<column<std::int64_t>> const& labels,
    token_logprob_slopes<std::type_identity_t<detail::computed_of<U>>> const& slopes,
    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
    linear_options const& options = {}) {
  prefopt::linear_token_logprob_gradients<at_run_time>(head, labels, slopes, gradients, product, options);
}

template <class U, class Product>
PREFOPT_HIDDEN void linear_token_logprob_gradients(
    linear_head<U> const& head, std::type_identity_t<column<std::int64_t>> const& labels,
    column<double> const& log_sum_exp, std::type_identity_t<column<detail::computed_of<U>>> const& d_log_prob,
    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
    linear_options const& options = {}) {
  prefopt::linear_token_logprob_gradients<at_run_time>(head, labels, log_sum_exp, d_log_prob, gradients, product,
                                                       options);
}

template <class U>
PREFOPT_HIDDEN void token_logprobs(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                                   token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs,
                                   token_options const& options = {}) {
  prefopt::token_logprobs<at_run_time>(logits, labels, outputs, options);
}

template <class U>
PREFOPT_HIDDEN void token_logprob_gradients(
    row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
    column<double> const& log_sum_exp,
    std::type_identity_t<column<detail::computed_of<detail::stored_of<U>>>> const& d_log_prob,
    std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits, token_options const& options = {}) {
  prefopt::token_logprob_gradients<at_run_time>(logits, labels, log_sum_exp, d_log_prob, d_logits, options);
}

template <class U>
PREFOPT_HIDDEN void token_logprob_gradients(
    row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
    token_logprob_slopes<std::type_identity_t<detail::computed_of<detail::stored_of<U>>>> const& slopes,
    std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits, token_options const& options = {}) {
  prefopt::token_logprob_gradients<at_run_time>(logits, labels, slopes, d_logits, options);
}

/// gradient(row, log_prob), noexcept, is called between kernels: it is the caller's own code.
template <class U, class Gradient>
  requires(detail::slope_of_row<Gradient, detail::computed_of<detail::stored_of<U>>>)
PREFOPT_HIDDEN void token_logprobs_and_gradients(
    row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels, Gradient const& gradient,
    std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits,
    token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs = {},
    token_options const& options = {}) {
  prefopt::token_logprobs_and_gradients<at_run_time>(logits, labels, gradient, d_logits, outputs, options);
}

}  // namespace prefopt::inline PREFOPT_ABI::kernels
