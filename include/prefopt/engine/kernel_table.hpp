#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/foreign.hpp>
#include <prefopt/chain/evaluate_tokens.hpp>
#include <prefopt/chain/evaluate_policy.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/chain/token_policy.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/any_list_loss.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/simd/half.hpp>
#include <string_view>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

template <class... Lists>
struct joined_lists;
template <class... A, class... B, class... Rest>
struct joined_lists<loss_list<A...>, loss_list<B...>, Rest...> {
  using type = typename joined_lists<loss_list<A..., B...>, Rest...>::type;
};
template <class... A>
struct joined_lists<loss_list<A...>> {
  using type = loss_list<A...>;
};

template <class>
struct with_modifiers;
template <class... L>
struct with_modifiers<loss_list<L...>> {
  using type = typename joined_lists<loss_list<L...>, typename modifiers_of<L>::type...>::type;
};

/// What kernels are compiled for, in an order that is the same for every instruction set.
using kernel_pair_losses = with_modifiers<pair_losses>::type;
using kernel_list_losses = list_losses;
using kernel_logits = loss_list<float, double, bfloat16, float16>;
using kernel_tokens = loss_list<dense_tokens<float>, dense_tokens<double>, packed_tokens<float>, packed_tokens<double>>;

/// A matrix product of another translation unit, of factors of type F.
template <class F, class T>
struct foreign_product {
  void const* product;
  void (*call)(void const* product, void const* a, void const* b, void const* c, bool accumulate);

  void operator()(matrix_factor<F> const& a, matrix_factor<F> const& b, row_major<T> const& c, bool accumulate) const {
    call(product, &a, &b, &c, accumulate);
  }
};

/// Hidden states and weights of type U, multiplied as F.
template <class U, class F>
struct linear_kind {
  using number = U;
  using product = foreign_product<F, computed_of<U>>;
};
using kernel_linear =
    loss_list<linear_kind<float, float>, linear_kind<double, double>, linear_kind<bfloat16, bfloat16>,
              linear_kind<bfloat16, float>, linear_kind<float16, float16>, linear_kind<float16, float>>;

template <class>
struct linear_policies;
template <class... Kind>
struct linear_policies<loss_list<Kind...>> {
  using type = loss_list<linear_policy<typename Kind::number, typename Kind::product>...>;
};
using kernel_policies =
    joined_lists<loss_list<logit_policy<float>, logit_policy<double>, logit_policy<bfloat16>, logit_policy<float16>,
                           token_policy<dense_tokens<float>>, token_policy<dense_tokens<double>>,
                           token_policy<packed_tokens<float>>, token_policy<packed_tokens<double>>>,
                 linear_policies<kernel_linear>::type>::type;

template <class X, class List>
struct place_in;
template <class X, class... Xs>
struct place_in<X, loss_list<Xs...>> {
  static constexpr std::size_t count = sizeof...(Xs);
  static constexpr std::size_t value = [] {
    std::size_t place = 0;
    (void)((std::same_as<X, Xs> || (++place, false)) || ...);
    return place;
  }();
  static constexpr bool found = value < count;
};

/// A callable of another translation unit.
template <class T>
struct foreign_gradient {
  void const* function;
  double (*call)(void const*, std::size_t row, T log_prob) noexcept;

  double operator()(std::size_t row, T log_prob) const noexcept { return call(function, row, log_prob); }
};

/// The entry points compiled for one instruction set. Plain pointers only: the table looks alike to every translation
/// unit.
struct kernel_table {
  char const* name;
  std::uint64_t layout;  ///< kernel_layout() of the unit
  /// (loss) -> any_pair_loss, any_list_loss
  foreign_function make_pair_loss[place_in<void, kernel_pair_losses>::count];
  foreign_function make_list_loss[place_in<void, kernel_list_losses>::count];
  /// (name, values, base), (name, values) -> the same
  foreign_function make_pair_loss_by_name, make_list_loss_by_name;
  /// (logits, labels, outputs, options)
  foreign_function token_logprobs[place_in<void, kernel_logits>::count];
  /// (logits, labels, log_sum_exp, d_log_prob, d_logits, options)
  foreign_function token_logprob_gradients[place_in<void, kernel_logits>::count];
  /// (logits, labels, foreign_gradient, d_logits, outputs, options)
  foreign_function token_logprobs_and_gradients[place_in<void, kernel_logits>::count];
  /// (head, labels, outputs, foreign_product, options)
  foreign_function linear_token_logprobs[place_in<void, kernel_linear>::count];
  /// (head, labels, log_sum_exp, d_log_prob, gradients, foreign_product, options)
  foreign_function linear_token_logprob_gradients[place_in<void, kernel_linear>::count];
  /// (tokens, outputs, executor)
  foreign_function sequence_log_probs[place_in<void, kernel_tokens>::count];
  /// (tokens, d_sequence, d_tokens, how, executor)
  foreign_function token_gradients[place_in<void, kernel_tokens>::count];
  /// (any_pair_loss, batch, outputs, options) -> report
  foreign_function token_pairs[place_in<void, kernel_tokens>::count];
  /// (any loss, policy, reference or null, batch, outputs, options) -> report
  foreign_function policy_pairs[place_in<void, kernel_policies>::count];
  foreign_function policy_groups[place_in<void, kernel_policies>::count];
};

/// Differs where a type that crosses has another size, and where errors are not thrown on both sides.
constexpr std::uint64_t kernel_layout() noexcept {
  std::uint64_t hash = 14695981039346656037U;
#if defined(__cpp_exceptions)
  constexpr std::size_t throws = 1;
#else
  constexpr std::size_t throws = 0;
#endif
  for (std::size_t const size : {throws,
                                 sizeof(any_pair_loss),
                                 sizeof(any_list_loss),
                                 sizeof(pair_batch<float>),
                                 sizeof(pair_outputs<float>),
                                 sizeof(list_batch<float>),
                                 sizeof(list_outputs<float>),
                                 sizeof(options),
                                 sizeof(report),
                                 sizeof(row_major<float>),
                                 sizeof(token_logprob_outputs<float>),
                                 sizeof(token_options),
                                 sizeof(logit_policy<float>),
                                 sizeof(token_policy<dense_tokens<float>>),
                                 sizeof(token_policy<packed_tokens<float>>),
                                 sizeof(policy_pairs<float>),
                                 sizeof(policy_pair_outputs<float>),
                                 sizeof(policy_groups<float>),
                                 sizeof(policy_group_outputs<float>),
                                 sizeof(linear_options),
                                 sizeof(linear_policy<float, foreign_product<float, float>>),
                                 sizeof(matrix_factor<float>),
                                 sizeof(sequence_outputs<float>),
                                 sizeof(linear_head<float>),
                                 sizeof(parameter_values),
                                 sizeof(std::string),
                                 sizeof(kernel_table)}) {
    hash = (hash ^ size) * 1099511628211U;
  }
  return hash;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
