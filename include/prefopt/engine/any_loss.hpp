#pragma once

#include <concepts>
#include <memory>
#include <prefopt/contract/parameter_values.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <string>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// The first condition before the second: whether a copy of a run-time loss is a loss would be asked again.
template <class L, class Family>
concept loss_of_family = !is_any_loss<L> && std::same_as<family_of<L>, Family>;

}  // namespace detail

/// A loss whose type is known at run time only: from `make_pair_loss` or `make_list_loss`, or made of any loss of the
/// family. A value; copies share it. It runs the kernels of the instruction set for which it was made.
template <class Family>
class any_loss {
 public:
  // Hidden: what it finds at run time are the kernels of its own program or shared library.
  template <detail::loss_of_family<Family> L>
  PREFOPT_HIDDEN any_loss(L const& loss) : any_loss{std::in_place_type<default_instruction_set>, loss} {}

  /// With the kernels for Arch, which may be `at_run_time`.
  template <class Arch, detail::loss_of_family<Family> L>
  any_loss(std::in_place_type_t<Arch>, L const& loss) {
    auto const made = std::make_shared<of_type<L>>(loss);
    made->facts = detail::facts_of<L>(made->given_resolved);
    made->resolved = &made->given_resolved;
    made->with_observed = detail::observed_loss_of<detail::resolved<L>>();
    made->of_float = detail::kernels_for<Arch>::template of_loss<L, detail::resolved<L>, float>();
    made->of_double = detail::kernels_for<Arch>::template of_loss<L, detail::resolved<L>, double>();
    made->check = [](held const& all) { detail::check_parameters(static_cast<of_type<L> const&>(all).given); };
    made->values = [](held const& all) { return detail::values_of(static_cast<of_type<L> const&>(all).given); };
    held_ = made;
  }

  // Moved from, it would be no loss.
  any_loss(any_loss const&) = default;
  any_loss& operator=(any_loss const&) = default;

  [[nodiscard]] std::string name() const { return std::string{facts().name}; }
  [[nodiscard]] bool needs(columns which) const noexcept { return contains(facts().needs, which); }
  [[nodiscard]] bool reads(columns which) const noexcept { return facts().reads(which); }
  /// Columns of which exactly one must be given.
  [[nodiscard]] columns one_of() const noexcept { return facts().one_of; }
  /// Whether it writes an output that only some losses have, as `pair_family::posterior`.
  [[nodiscard]] bool writes(typename Family::output which) const noexcept { return (facts().writes >> which & 1U) != 0; }
  [[nodiscard]] bool has_posterior() const noexcept requires(requires { Family::posterior; }) {
    return writes(Family::posterior);
  }
  /// Equal rewards in a group are an error.
  [[nodiscard]] bool refuses_ties() const noexcept { return facts().refuses_ties; }
  /// Rewards above it are an error.
  [[nodiscard]] double highest_reward() const noexcept { return facts().highest_reward; }
  /// A group is an n x n matrix, row by row.
  [[nodiscard]] bool is_square() const noexcept { return facts().is_square; }
  /// Its parameters and then those of its base, in order.
  [[nodiscard]] parameter_values parameters() const { return held_->values(*held_); }
  /// Throws std::invalid_argument for a parameter out of its range.
  void check() const { held_->check(*held_); }

  // For the engine.
  [[nodiscard]] detail::loss_facts const& facts() const noexcept { return held_->facts; }
  template <class T>
  [[nodiscard]] detail::loss_ref<Family, T> ref() const noexcept {
    if constexpr (std::same_as<T, float>) {
      return {facts(), held_->of_float, held_->resolved, held_->with_observed};
    } else {
      return {facts(), held_->of_double, held_->resolved, held_->with_observed};
    }
  }

 private:
  struct held {
    detail::loss_facts facts;
    detail::kernels_of_family<Family, float> of_float;
    detail::kernels_of_family<Family, double> of_double;
    void const* resolved = nullptr;
    detail::observed_loss with_observed = nullptr;
    void (*check)(held const&) = nullptr;
    parameter_values (*values)(held const&) = nullptr;
  };

  template <class L>
  struct of_type : held {
    L given;
    detail::resolved<L> given_resolved;

    explicit of_type(L const& loss) : given(loss), given_resolved(detail::resolve(loss)) {}
  };

  std::shared_ptr<held const> held_;
};

using any_pair_loss = any_loss<pair_family>;
using any_list_loss = any_loss<list_family>;

}  // namespace prefopt::inline PREFOPT_ABI
