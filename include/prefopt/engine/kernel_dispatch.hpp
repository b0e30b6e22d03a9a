#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <prefopt/core/errors.hpp>
#include <prefopt/engine/kernel_choice.hpp>
#include <prefopt/engine/kernel_table.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

[[noreturn]] PREFOPT_HIDDEN inline void fail_kernels(std::string what, bool only_here) {
  char const* separator = "";
  for (auto const* choice = PREFOPT_KERNELS::choices; choice->name != nullptr; ++choice) {
    if (only_here && !choice->runs_here()) continue;
    what.append(separator).append(choice->name);
    separator = ", ";
  }
  fail("kernels", what);
}

PREFOPT_HIDDEN inline kernel_table choose_kernels() {
  char const* forced = std::getenv("PREFOPT_ISA");
  if (forced != nullptr && *forced == '\0') forced = nullptr;
  for (auto const* choice = PREFOPT_KERNELS::choices; choice->name != nullptr; ++choice) {
    if (forced != nullptr && std::string_view{forced} != choice->name) continue;
    if (!choice->runs_here()) {
      if (forced != nullptr) {
        fail_kernels("PREFOPT_ISA is \"" + std::string{forced} + "\", which this CPU does not have, expected one of ",
                     true);
      }
      continue;
    }
    auto const table = foreign<kernel_table>(choice->table());
    if (table.layout != kernel_layout()) {
      fail("kernels", "the kernels for " + std::string{choice->name} +
                          " were compiled with other options than their caller, which change the "
                          "layout of types or forbid exceptions");
    }
    return table;
  }
  if (forced != nullptr) fail_kernels("PREFOPT_ISA is \"" + std::string{forced} + "\", expected one of ", true);
  fail_kernels("this CPU has none of the instruction sets that are compiled: ", false);
}

/// Hidden, as the choices are: a shared library with kernels of its own does not share another one's.
PREFOPT_HIDDEN inline kernel_table const& kernels_in_use() {
  static kernel_table const chosen = choose_kernels();
  return chosen;
}

/// The entry for X in a row of the table.
template <class X, class List>
constexpr std::size_t kernel_place() {
  static_assert(
      place_in<X, List>::found,
      "prefopt: kernels are compiled for the losses of the list and one modifier over each, for token batches "
      "and for logit, linear and token policies");
  return place_in<X, List>::value;
}

template <class Result, class... Arguments>
Result call_kernel(foreign_function function, Arguments const*... arguments) {
  void const* const all[]{arguments...};
  std::array<std::byte, sizeof(Result)> result;
  function(all, result.data());
  return std::bit_cast<Result>(result);
}

template <class... Arguments>
void call_kernel_for_outputs(foreign_function function, Arguments const*... arguments) {
  void const* const all[]{arguments...};
  function(all, nullptr);
}

template <class L>
constexpr std::size_t pair_place = kernel_place<L, kernel_pair_losses>();
template <class L>
constexpr std::size_t list_place = kernel_place<L, kernel_list_losses>();
template <class U>
constexpr std::size_t logit_place = kernel_place<std::remove_const_t<U>, kernel_logits>();
template <class Tokens>
constexpr std::size_t token_place = kernel_place<Tokens, kernel_tokens>();
template <class P>
constexpr std::size_t policy_place = kernel_place<P, kernel_policies>();
template <class U, class Product>
constexpr std::size_t linear_place = kernel_place<linear_kind<U, factor_of<Product, U>>, kernel_linear>();

/// The caller's product, for kernels of another instruction set.
template <class U, class Product>
auto foreign_product_of(Product const& product) noexcept {
  using T = computed_of<U>;
  using F = factor_of<Product, U>;
  return foreign_product<F, T>{
      &product, [](void const* function, void const* a, void const* b, void const* c, bool accumulate) {
        (*static_cast<Product const*>(function))(foreign<matrix_factor<F>>(a), foreign<matrix_factor<F>>(b),
                                                 foreign<row_major<T>>(c), accumulate);
      }};
}

/// The policy as kernels of another instruction set take it.
template <class P>
P policy_for_kernels(P const& policy) noexcept {
  return policy;
}
template <class U, class Product>
auto policy_for_kernels(linear_policy<U, Product> const& policy) noexcept {
  auto const product = foreign_product_of<U>(policy.product);
  return linear_policy<U, std::remove_const_t<decltype(product)>>{.head = policy.head,
                                                                  .tokens = policy.tokens,
                                                                  .gradients = policy.gradients,
                                                                  .memory_budget = policy.memory_budget,
                                                                  .product = product};
}

/// Calls the entry for the policy's type in a row of the table; the reference may be null.
template <class Row, class L, class P, class Batch, class Outputs>
report evaluate_by_kernels(Row const& row, L const& loss, P const& policy, P const* reference, Batch const& batch,
                           Outputs const& outputs, options const& options) {
  auto const passed = policy_for_kernels(policy);
  using passed_type = std::remove_const_t<decltype(passed)>;
  passed_type const passed_reference = policy_for_kernels(reference != nullptr ? *reference : policy);
  return call_kernel<report>(row[policy_place<passed_type>], &loss, &passed,
                             reference != nullptr ? &passed_reference : nullptr, &batch, &outputs, &options);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
