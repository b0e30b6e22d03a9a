#pragma once

#include <cstddef>
#include <cstdlib>
#include <prefopt/core/errors.hpp>
#include <prefopt/engine/kernel_choice.hpp>
#include <prefopt/engine/kernel_table.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

[[noreturn]] PREFOPT_HIDDEN inline void fail_kernels(std::string what, bool only_here) {
  char const* separator = "";
  for (auto const* choice = PREFOPT_KERNELS::choices; choice->name != nullptr; ++choice) {
    if (only_here && !choice->runs_here()) continue;
    what.append(separator).append(choice->name);
    separator = ", ";
  }
  fail("kernels", what);
}

PREFOPT_HIDDEN inline choice const* choose_kernels() {
  char const* forced = std::getenv("PREFOPT_ISA");
  if (forced != nullptr && *forced == '\0') forced = nullptr;
  for (auto const* choice = PREFOPT_KERNELS::choices; choice->name != nullptr; ++choice) {
    if (forced != nullptr && std::string_view{forced} != choice->name) continue;
    if (choice->runs_here()) return choice;
    if (forced != nullptr) {
      fail_kernels("PREFOPT_ISA is \"" + std::string{forced} + "\", which this CPU does not have, expected one of ",
                   true);
    }
  }
  if (forced != nullptr) fail_kernels("PREFOPT_ISA is \"" + std::string{forced} + "\", expected one of ", true);
  fail_kernels("this CPU has none of the instruction sets that are compiled: ", false);
}

/// Hidden, as the choices are: a shared library with kernels of its own does not share another one's.
PREFOPT_HIDDEN inline choice const& kernels_in_use() {
  static choice const* const chosen = choose_kernels();
  return *chosen;
}

PREFOPT_HIDDEN inline kernel_table const& table_in_use() { return kernels_in_use().table(); }

/// A family's kernels among those of a name; null if the name is of another family.
template <class Family, class T>
constexpr kernels_of_family<Family, T> const* kernels_in(named_kernels const& named) noexcept {
  constexpr bool is_float = std::same_as<T, float>;
  if constexpr (std::same_as<Family, list_family>) {
    if constexpr (is_float) return named.list_of_float;
    if constexpr (!is_float) return named.list_of_double;
  } else if constexpr (std::same_as<Family, token_family>) {
    if constexpr (is_float) return named.token_of_float;
    if constexpr (!is_float) return named.token_of_double;
  } else {
    if constexpr (is_float) return named.block_of_float;
    if constexpr (!is_float) return named.block_of_double;
  }
}

/// The kernels of a loss of that name and size, which is what can be told of its type.
template <class Family>
PREFOPT_HIDDEN named_kernels const& find_kernels(std::string_view name, std::size_t size) {
  auto const& table = table_in_use();
  for (std::size_t i = 0; i < table.loss_count; ++i) {
    auto const& found = table.losses[i];
    if (found.name != name) continue;
    if (found.size != size || kernels_in<Family, float>(found) == nullptr) {
      fail("kernels", std::string{name} + " is the name of another loss that is compiled");
    }
    return found;
  }
  fail("kernels", std::string{name} + " is not among the losses that are compiled for " + kernels_in_use().name +
                      ": name its type under LOSSES in prefopt_add_kernels" +
                      (std::same_as<Family, token_family> ? ", surrogate::" + std::string{name} + " or a preset of it"
                                                          : std::string{}));
}

template <>
struct kernels_for<at_run_time> {
  template <class L, class R>
  PREFOPT_HIDDEN static named_kernels const& find() {
    static_assert(
        requires { L::card.name; }, "prefopt: kernels are found by the name of their loss: give yours a card");
    return find_kernels<family_of<L>>(name_of<L>(), sizeof(R));
  }
  template <class L, class R, class T>
  PREFOPT_HIDDEN static kernels_of_family<family_of<L>, T> of_loss() {
    static named_kernels const& named = find<L, R>();
    return *kernels_in<family_of<L>, T>(named);
  }
  template <class L, class R>
  PREFOPT_HIDDEN static kernels_of_types<family_of<L>> of_types() {
    named_kernels const& named = find<L, R>();
    return {*kernels_in<family_of<L>, float>(named), *kernels_in<family_of<L>, double>(named)};
  }
};

template <>
struct row_kernels_for<at_run_time> {
  template <class U>
  PREFOPT_HIDDEN static auto const& plain() {
    auto const& table = table_in_use();
    if constexpr (std::same_as<U, float>) return table.rows_of_float;
    if constexpr (std::same_as<U, double>) return table.rows_of_double;
    if constexpr (std::same_as<U, bfloat16>) return table.rows_of_bfloat16;
    if constexpr (std::same_as<U, float16>) return table.rows_of_float16;
  }
  template <class U>
  PREFOPT_HIDDEN static auto const& kept() {
    auto const& table = table_in_use();
    if constexpr (std::same_as<U, float>) return table.kept_rows_of_float;
    if constexpr (std::same_as<U, double>) return table.kept_rows_of_double;
    if constexpr (std::same_as<U, bfloat16>) return table.kept_rows_of_bfloat16;
    if constexpr (std::same_as<U, float16>) return table.kept_rows_of_float16;
  }
  template <class U>
  PREFOPT_HIDDEN static rounding_kernel<float> rounding() {
    return std::same_as<U, bfloat16> ? table_in_use().to_bfloat16 : table_in_use().to_float16;
  }
  template <class T>
  PREFOPT_HIDDEN static filter_kernels<T> filter() {
    auto const& table = table_in_use();
    if constexpr (std::same_as<T, float>) return table.filter_of_float;
    if constexpr (std::same_as<T, double>) return table.filter_of_double;
  }
};

}  // namespace detail

}  // namespace prefopt::inline PREFOPT_ABI
