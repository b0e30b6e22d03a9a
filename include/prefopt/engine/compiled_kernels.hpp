#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <prefopt/engine/kernel_table.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/engine/token_kernel.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/token/policy_gradient.hpp>
#include <string_view>
#include <type_traits>

// What the table of an instruction set holds. Apart from the table, because only the units that are compiled for one
// include this.

namespace prefopt::inline PREFOPT_ABI::detail {

template <class>
struct with_modifiers;
template <class... L>
struct with_modifiers<loss_list<L...>> {
  using type = typename joined_lists<loss_list<L...>, typename modifiers_of<L>::type...>::type;
};

/// What a loss is found by: itself; of a composition of tokens' terms, or a preset of one, its surrogate.
template <class L>
struct as_list {
  using type = loss_list<L>;
};
template <token_loss L>
struct as_list<L> {
  using type = loss_list<std::remove_cvref_t<decltype(resolve(L{}).surrogate)>>;
};
template <class... L>
struct as_list<loss_list<L...>> {
  using type = typename joined_lists<typename as_list<L>::type...>::type;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail

namespace prefopt::inline PREFOPT_ABI {

/// The losses of the list, and every modifier over each: what kernels are compiled for unless LOSSES names others.
using every_loss_of_the_list = detail::joined_lists<detail::with_modifiers<pair_losses>::type, list_losses,
                                                    unpaired_losses, token_surrogates>::type;

namespace detail {

template <class L, class T>
inline constexpr auto kernels_of = kernels_for<xsimd::default_arch>::template of_loss<L, resolved<L>, T>();

template <class L>
constexpr named_kernels named_kernels_of() noexcept {
  named_kernels named{name_text<L>.data(), sizeof(resolved<L>), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
  auto const set = [&](auto of_float, auto of_double) {
    named.*of_float = &kernels_of<L, float>;
    named.*of_double = &kernels_of<L, double>;
  };
  if constexpr (std::same_as<family_of<L>, list_family>) {
    set(&named_kernels::list_of_float, &named_kernels::list_of_double);
  } else if constexpr (std::same_as<family_of<L>, token_family>) {
    set(&named_kernels::token_of_float, &named_kernels::token_of_double);
  } else {
    set(&named_kernels::block_of_float, &named_kernels::block_of_double);
  }
  return named;
}

/// Whether a name stands for one loss; the same loss may be there twice. Sorted first, since each pair of some hundred
/// names is more than a compiler computes in a constant expression.
template <std::size_t Count>
constexpr bool has_distinct_names(named_kernels const (&losses)[Count]) {
  struct entry {
    std::string_view name;
    named_kernels const* loss;
  };
  std::array<entry, Count> entries{};
  for (std::size_t i = 0; i < Count; ++i) entries[i] = {losses[i].name, &losses[i]};
  std::sort(entries.begin(), entries.end(), [](entry const& a, entry const& b) {
    return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.name < b.name;
  });
  for (std::size_t i = 1; i < Count; ++i) {
    auto const &a = *entries[i - 1].loss, &b = *entries[i].loss;
    bool const is_same = a.block_of_float == b.block_of_float && a.list_of_float == b.list_of_float &&
                         a.token_of_float == b.token_of_float;
    if (!is_same && entries[i - 1].name == entries[i].name) return false;
  }
  return true;
}

template <class>
struct table_of;
template <class... L>
struct table_of<loss_list<L...>> {
  static constexpr named_kernels losses[]{named_kernels_of<L>()...};
  static_assert(has_distinct_names(losses), "prefopt: two losses under LOSSES have one name, by which they are found");
  using rows = row_kernels_for<xsimd::default_arch>;
  static constexpr kernel_table table{losses,
                                      sizeof...(L),
                                      rows::plain<float>(),
                                      rows::plain<bfloat16>(),
                                      rows::plain<float16>(),
                                      rows::plain<double>(),
                                      rows::kept<float>(),
                                      rows::kept<bfloat16>(),
                                      rows::kept<float16>(),
                                      rows::kept<double>(),
                                      rows::rounding<bfloat16>(),
                                      rows::rounding<float16>(),
                                      rows::filter<float>(),
                                      rows::filter<double>()};
};

/// The table of losses, or lists of them, for the instruction set that this is compiled for.
template <class... Losses>
constexpr kernel_table const& kernel_table_of() noexcept {
  return table_of<typename joined_lists<typename as_list<Losses>::type...>::type>::table;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
