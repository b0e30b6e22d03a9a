#pragma once

#include <array>
#include <cstddef>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/core/parameter.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// What a loss says of its parameters, without the loss's type: whatever reads, sets or checks them is compiled once.

namespace prefopt::inline PREFOPT_ABI::detail {

/// One of them.
struct known_parameter {
  std::string_view name;
  range valid;
  bool is_switch;
  double (*get)(void const* loss) noexcept;
  void (*set)(void* loss, double value) noexcept;
};

/// All of them, in order: the loss's own, then those of its base.
struct loss_parameters {
  std::string_view name;  ///< the loss's
  known_parameter const* own;
  std::size_t count;
  loss_parameters const* base;  ///< null for what is no modifier
  void* (*base_in)(void* loss) noexcept;
  char const* (*problem)(void const* loss) noexcept;  ///< null where the loss says nothing of all of them together

  /// Calls f(parameter, loss that has it, parameters of that loss) until it returns true; whether it did.
  template <class F>
  constexpr bool any(void* loss, F const& f) const {
    for (auto const* of = this; of != nullptr; of = of->base) {
      for (std::size_t i = 0; i < of->count; ++i) {
        if (f(of->own[i], loss, *of)) return true;
      }
      if (of->base != nullptr && loss != nullptr) loss = of->base_in(loss);
    }
    return false;
  }
};

template <class L>
concept has_parameters = requires {
  L::parameters();
};
template <class L>
concept has_base = requires(L loss) {
  loss.base;
};

template <class L, std::size_t I>
constexpr auto parameter_at() noexcept {
  return std::get<I>(L::parameters());
}
template <class L, std::size_t I>
double get_parameter(void const* loss) noexcept {
  constexpr auto member = parameter_at<L, I>().member;
  return static_cast<double>(static_cast<L const*>(loss)->*member);
}
template <class L, std::size_t I>
void set_parameter(void* loss, double value) noexcept {
  constexpr auto member = parameter_at<L, I>().member;
  auto& target = static_cast<L*>(loss)->*member;
  target = static_cast<std::remove_reference_t<decltype(target)>>(value);
}
template <class L>
void* base_in(void* loss) noexcept {
  return &static_cast<L*>(loss)->base;
}
template <class L>
char const* problem_of(void const* loss) noexcept {
  return static_cast<L const*>(loss)->problem();
}

template <class L>
constexpr auto own_parameters() noexcept {
  if constexpr (has_parameters<L>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<known_parameter, sizeof...(I)>{
          {{parameter_at<L, I>().name, parameter_at<L, I>().valid,
            std::is_same_v<std::remove_cvref_t<decltype(std::declval<L&>().*parameter_at<L, I>().member)>, bool>,
            &get_parameter<L, I>, &set_parameter<L, I>}...}};
    }
    (std::make_index_sequence<std::tuple_size_v<decltype(L::parameters())>>{});
  } else {
    return std::array<known_parameter, 0>{};
  }
}

template <class L>
inline constexpr auto own_parameters_of = own_parameters<L>();

template <class L>
constexpr loss_parameters all_parameters() noexcept;

template <class L>
inline constexpr loss_parameters parameters_of = all_parameters<L>();

template <class L>
constexpr loss_parameters all_parameters() noexcept {
  loss_parameters all{name_of<L>(), own_parameters_of<L>.data(), own_parameters_of<L>.size(), nullptr, nullptr,
                      nullptr};
  if constexpr (has_base<L>) {
    all.base = &parameters_of<std::remove_cvref_t<decltype(L::base)>>;
    all.base_in = &base_in<L>;
  }
  if constexpr (requires(L const loss) { loss.problem(); }) all.problem = &problem_of<L>;
  return all;
}

[[noreturn]] PREFOPT_COLD inline void fail_for_parameter(std::string_view loss, std::string_view name, double got,
                                                         range const& valid) {
  fail(loss, std::string{name} + " is " + text(got) + ", expected " + (valid.is_whole ? "" : "a finite number ") +
                 valid.text());
}

/// Throws for the first parameter that is out of its range, and for what the loss itself says of all of them together.
inline void check_parameters(loss_parameters const& parameters, void const* loss) {
  void* of_loss = const_cast<void*>(loss);
  for (auto const* of = &parameters; of != nullptr; of = of->base) {
    for (std::size_t i = 0; i < of->count; ++i) {
      auto const& p = of->own[i];
      double const got = p.get(of_loss);
      if (!p.valid.contains(got)) fail_for_parameter(of->name, p.name, got, p.valid);
    }
    if (of->problem != nullptr) {
      if (char const* const problem = of->problem(of_loss)) fail(of->name, problem);
    }
    if (of->base != nullptr) of_loss = of->base_in(of_loss);
  }
}

template <class L>
void check_parameters(L const& loss) {
  check_parameters(parameters_of<L>, &loss);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
