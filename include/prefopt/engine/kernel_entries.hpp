#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <prefopt/chain/erased_policy.hpp>
#include <prefopt/engine/foreign.hpp>
#include <prefopt/engine/kernel_table.hpp>
#include <string_view>
#include <type_traits>

// What the table points to. Apart from it, because only the units of the instruction sets compile this.

namespace prefopt::inline PREFOPT_ABI::detail {

template <class Result>
void give(void* result, Result const& value) noexcept {
  static_assert(std::is_trivially_copyable_v<Result>);
  std::memcpy(result, &value, sizeof value);
}

template <class P, class L, template <class> class Batch, template <class> class Outputs>
void evaluate_foreign_policy(void const* const* a, void* result) {
  using T = typename P::value_type;
  auto const policy = foreign<P>(a[1]);
  typename P::state kept, kept_of_reference;
  erased_policy<T> const erased{policy, kept};
  auto const evaluated = [&](auto const&... reference) {
    give(result, evaluate(foreign<L>(a[0]), erased, reference..., foreign<Batch<T>>(a[3]), foreign<Outputs<T>>(a[4]),
                          foreign<options>(a[5])));
  };
  if (a[2] == nullptr) return evaluated();
  auto const reference = foreign<P>(a[2]);
  evaluated(erased_policy<T>{reference, kept_of_reference});
}

/// The table of the instruction set that this is compiled for.
inline kernel_table make_kernel_table(char const* name) {
  kernel_table table{};
  table.name = name;
  table.layout = kernel_layout();
  std::size_t i = 0;
  kernel_pair_losses::for_each([&]<class L> {
    table.make_pair_loss[i++] = [](void const* const* a, void* made) { give(made, any_pair_loss{foreign<L>(a[0])}); };
  });
  i = 0;
  kernel_list_losses::for_each([&]<class L> {
    table.make_list_loss[i++] = [](void const* const* a, void* made) { give(made, any_list_loss{foreign<L>(a[0])}); };
  });
  i = 0;
  kernel_logits::for_each([&]<class U> {
    using T = computed_of<U>;
    table.token_logprobs[i] = [](void const* const* a, void*) {
      token_logprobs(foreign<row_major<U const>>(a[0]), foreign<column<std::int64_t>>(a[1]),
                     foreign<token_logprob_outputs<T>>(a[2]), foreign<token_options>(a[3]));
    };
    table.token_logprob_gradients[i] = [](void const* const* a, void*) {
      token_logprob_gradients(foreign<row_major<U const>>(a[0]), foreign<column<std::int64_t>>(a[1]),
                              foreign<column<double>>(a[2]), foreign<column<T>>(a[3]), foreign<row_major<U>>(a[4]),
                              foreign<token_options>(a[5]));
    };
    table.token_logprobs_and_gradients[i++] = [](void const* const* a, void*) {
      token_logprobs_and_gradients(foreign<row_major<U const>>(a[0]), foreign<column<std::int64_t>>(a[1]),
                                   foreign<foreign_gradient<T>>(a[2]), foreign<row_major<U>>(a[3]),
                                   foreign<token_logprob_outputs<T>>(a[4]), foreign<token_options>(a[5]));
    };
  });
  table.make_pair_loss_by_name = [](void const* const* a, void* made) {
    give(made, make_pair_loss(*static_cast<std::string_view const*>(a[0]), *static_cast<parameter_values const*>(a[1]),
                              *static_cast<std::string_view const*>(a[2])));
  };
  table.make_list_loss_by_name = [](void const* const* a, void* made) {
    give(made,
         make_list_loss(*static_cast<std::string_view const*>(a[0]), *static_cast<parameter_values const*>(a[1])));
  };
  i = 0;
  kernel_linear::for_each([&]<class Kind> {
    using U = typename Kind::number;
    using T = computed_of<U>;
    using Product = typename Kind::product;
    table.linear_token_logprobs[i] = [](void const* const* a, void*) {
      linear_token_logprobs(foreign<linear_head<U>>(a[0]), foreign<column<std::int64_t>>(a[1]),
                            foreign<token_logprob_outputs<T>>(a[2]), foreign<Product>(a[3]),
                            foreign<linear_options>(a[4]));
    };
    table.linear_token_logprob_gradients[i++] = [](void const* const* a, void*) {
      linear_token_logprob_gradients(foreign<linear_head<U>>(a[0]), foreign<column<std::int64_t>>(a[1]),
                                     foreign<column<double>>(a[2]), foreign<column<T>>(a[3]),
                                     foreign<linear_gradients<T>>(a[4]), foreign<Product>(a[5]),
                                     foreign<linear_options>(a[6]));
    };
  });
  i = 0;
  kernel_tokens::for_each([&]<class Tokens> {
    using T = typename Tokens::value_type;
    table.sequence_log_probs[i] = [](void const* const* a, void*) {
      sequence_log_probs(foreign<Tokens>(a[0]), foreign<sequence_outputs<T>>(a[1]), foreign<executor>(a[2]));
    };
    table.token_gradients[i] = [](void const* const* a, void*) {
      token_gradients(foreign<Tokens>(a[0]), foreign<column<T>>(a[1]), foreign<typename Tokens::gradient>(a[2]),
                      foreign<gradient_write>(a[3]), foreign<executor>(a[4]));
    };
    table.token_pairs[i++] = [](void const* const* a, void* result) {
      give(result, evaluate(foreign<any_pair_loss>(a[0]), foreign<token_pair_batch<Tokens>>(a[1]),
                            foreign<token_pair_outputs<Tokens>>(a[2]), foreign<options>(a[3])));
    };
  });
  i = 0;
  kernel_policies::for_each([&]<class P> {
    table.policy_pairs[i] = &evaluate_foreign_policy<P, any_pair_loss, policy_pairs, policy_pair_outputs>;
    table.policy_groups[i++] = &evaluate_foreign_policy<P, any_list_loss, policy_groups, policy_group_outputs>;
  });
  return table;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
