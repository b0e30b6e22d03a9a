#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/kernel_dispatch.hpp>
#include <prefopt/engine/ranks.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::kernels {

// One binary for every CPU: the library's entry points, compiled for several instruction sets by the CMake function
// prefopt_add_kernels(target ISAS sse2 avx2 avx512), of which the best that the CPU has is used. The files that include
// this need no -march, and compile no kernel. The environment variable PREFOPT_ISA forces an instruction set; it is
// read once. Everything is as in the functions of the same name outside this namespace, bit for bit as if the file had
// been compiled for that instruction set. Losses are those of the list and one modifier over each; numbers, log-probs
// and logits of the library's own types. What an any_pair_loss or any_list_loss runs was decided where it was made:
// here, make_pair_loss, make_list_loss and for_this_cpu make them.

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
template <evaluable_pair_loss L>
any_pair_loss for_this_cpu(L const& loss) {
  if constexpr (std::same_as<L, any_pair_loss>) {
    return loss;
  } else {
    return detail::call_kernel<any_pair_loss>(detail::kernels_in_use().make_pair_loss[detail::pair_place<L>], &loss);
  }
}

template <evaluable_list_loss L>
any_list_loss for_this_cpu(L const& loss) {
  if constexpr (std::same_as<L, any_list_loss>) {
    return loss;
  } else {
    return detail::call_kernel<any_list_loss>(detail::kernels_in_use().make_list_loss[detail::list_place<L>], &loss);
  }
}

/// A loss of the list by name, as prefopt::make_pair_loss. Only the loss that is made is compiled per instruction set.
inline any_pair_loss make_pair_loss(std::string_view name, parameter_values const& values = {},
                                    std::string_view base = {}) {
  return detail::call_kernel<any_pair_loss>(detail::kernels_in_use().make_pair_loss_by_name, &name, &values, &base);
}

inline any_list_loss make_list_loss(std::string_view name, parameter_values const& values = {}) {
  return detail::call_kernel<any_list_loss>(detail::kernels_in_use().make_list_loss_by_name, &name, &values);
}

// An instruction set that is refused on one rank is an error on all, as everything else that evaluate refuses.
template <evaluable_pair_loss L, detail::computed_in T>
report evaluate(L const& loss, pair_batch<T> const& batch, std::type_identity_t<pair_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return prefopt::evaluate(for_this_cpu(loss), batch, outputs, own); });
}

template <evaluable_list_loss L, detail::computed_in T>
report evaluate(L const& loss, list_batch<T> const& batch, std::type_identity_t<list_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return prefopt::evaluate(for_this_cpu(loss), batch, outputs, own); });
}

template <evaluable_pair_loss L, token_view Tokens>
report evaluate(L const& loss, token_pair_batch<Tokens> const& batch,
                std::type_identity_t<token_pair_outputs<Tokens>> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    auto const made = for_this_cpu(loss);
    return detail::call_kernel<report>(detail::kernels_in_use().token_pairs[detail::token_place<Tokens>], &made, &batch,
                                       &outputs, &own);
  });
}

/// A logit_policy, a linear_policy or a token_policy; a reference is a policy of the same type. The product of a
/// linear_policy is the caller's own code.
template <evaluable_pair_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, policy_pairs<typename P::value_type> const& batch,
                policy_pair_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_by_kernels(detail::kernels_in_use().policy_pairs, for_this_cpu(loss), policy,
                                       static_cast<P const*>(nullptr), batch, outputs, own);
  });
}

template <evaluable_pair_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, P const& reference, policy_pairs<typename P::value_type> const& batch,
                policy_pair_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_by_kernels(detail::kernels_in_use().policy_pairs, for_this_cpu(loss), policy, &reference,
                                       batch, outputs, own);
  });
}

template <evaluable_list_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, policy_groups<typename P::value_type> const& batch,
                policy_group_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_by_kernels(detail::kernels_in_use().policy_groups, for_this_cpu(loss), policy,
                                       static_cast<P const*>(nullptr), batch, outputs, own);
  });
}

template <evaluable_list_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, P const& reference, policy_groups<typename P::value_type> const& batch,
                policy_group_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_by_kernels(detail::kernels_in_use().policy_groups, for_this_cpu(loss), policy, &reference,
                                       batch, outputs, own);
  });
}

template <token_view Tokens>
void sequence_log_probs(Tokens const& tokens,
                        std::type_identity_t<sequence_outputs<typename Tokens::value_type>> const& outputs,
                        executor const& run = {}) {
  detail::call_kernel_for_outputs(detail::kernels_in_use().sequence_log_probs[detail::token_place<Tokens>], &tokens,
                                  &outputs, &run);
}

template <token_view Tokens>
void token_gradients(Tokens const& tokens, std::type_identity_t<column<typename Tokens::value_type>> const& d_sequence,
                     typename Tokens::gradient const& d_tokens, gradient_write how = gradient_write::assign,
                     executor const& run = {}) {
  detail::call_kernel_for_outputs(detail::kernels_in_use().token_gradients[detail::token_place<Tokens>], &tokens,
                                  &d_sequence, &d_tokens, &how, &run);
}

/// The product is the caller's own code.
template <class U, class Product>
void linear_token_logprobs(linear_head<U> const& head, std::type_identity_t<column<std::int64_t>> const& labels,
                           token_logprob_outputs<detail::computed_of<U>> const& outputs, Product const& product,
                           linear_options const& options = {}) {
  auto const called = detail::foreign_product_of<U>(product);
  detail::call_kernel_for_outputs(detail::kernels_in_use().linear_token_logprobs[detail::linear_place<U, Product>],
                                  &head, &labels, &outputs, &called, &options);
}

template <class U, class Product>
void linear_token_logprob_gradients(linear_head<U> const& head,
                                    std::type_identity_t<column<std::int64_t>> const& labels,
                                    column<double> const& log_sum_exp,
                                    std::type_identity_t<column<detail::computed_of<U>>> const& d_log_prob,
                                    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
                                    linear_options const& options = {}) {
  auto const called = detail::foreign_product_of<U>(product);
  detail::call_kernel_for_outputs(
      detail::kernels_in_use().linear_token_logprob_gradients[detail::linear_place<U, Product>], &head, &labels,
      &log_sum_exp, &d_log_prob, &gradients, &called, &options);
}

template <class U>
void token_logprobs(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                    token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs,
                    token_options const& options = {}) {
  row_major<std::remove_const_t<U> const> const read{logits};
  detail::call_kernel_for_outputs(detail::kernels_in_use().token_logprobs[detail::logit_place<U>], &read, &labels,
                                  &outputs, &options);
}

template <class U>
void token_logprob_gradients(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                             column<double> const& log_sum_exp,
                             std::type_identity_t<column<detail::computed_of<detail::stored_of<U>>>> const& d_log_prob,
                             std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits,
                             token_options const& options = {}) {
  row_major<std::remove_const_t<U> const> const read{logits};
  detail::call_kernel_for_outputs(detail::kernels_in_use().token_logprob_gradients[detail::logit_place<U>], &read,
                                  &labels, &log_sum_exp, &d_log_prob, &d_logits, &options);
}

/// gradient(row, log_prob), noexcept, is called from the kernels: it is the caller's own code.
template <class U, class Gradient>
  requires(
      std::is_nothrow_invocable_r_v<double, Gradient const&, std::size_t, detail::computed_of<detail::stored_of<U>>>)
void token_logprobs_and_gradients(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                                  Gradient const& gradient,
                                  std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits,
                                  token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs = {},
                                  token_options const& options = {}) {
  using T = detail::computed_of<detail::stored_of<U>>;
  row_major<std::remove_const_t<U> const> const read{logits};
  detail::foreign_gradient<T> const called{&gradient,
                                           [](void const* function, std::size_t row, T log_prob) noexcept -> double {
                                             return (*static_cast<Gradient const*>(function))(row, log_prob);
                                           }};
  detail::call_kernel_for_outputs(detail::kernels_in_use().token_logprobs_and_gradients[detail::logit_place<U>], &read,
                                  &labels, &called, &d_logits, &outputs, &options);
}

}  // namespace prefopt::inline PREFOPT_ABI::kernels
