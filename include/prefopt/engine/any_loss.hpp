#pragma once

#include <concepts>
#include <memory>
#include <prefopt/contract/parameter_values.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/engine/rank_matched.hpp>
#include <prefopt/surrogate/reinforce.hpp>
#include <string>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {

template <class Family>
class mixture_of;

namespace detail {

template <class Family, class T>
void run_mixture(void const*, settings<T> const&, block<T>&, sums&) noexcept;
template <class Family, class T>
void observe_mixture(void const*, settings<T> const&, block<T>&, double*) noexcept;
template <class T>
void mixture_with_observed(void const*, double const*, double, with_loss const&);

/// The first condition before the second: whether a copy of a run-time loss is a loss would be asked again.
template <class L, class Family>
concept loss_of_family = !is_any_loss<L> && std::same_as<family_of<L>, Family>;

}  // namespace detail

/// A loss whose type is known at run time only: from `make_pair_loss` or `make_list_loss`, or made of any loss of the
/// family. A value; copies share it. It runs the kernels of the instruction set for which it was made.
template <class Family>
class any_loss {
  struct held;

 public:
  /// Of tokens, the plainest: surrogate::reinforce.
  PREFOPT_HIDDEN any_loss() requires std::same_as<Family, token_family> : any_loss{surrogate::reinforce{}} {}

  // Hidden: what it finds at run time are the kernels of its own program or shared library.
  template <detail::loss_of_family<Family> L>
  PREFOPT_HIDDEN any_loss(L const& loss) : any_loss{std::in_place_type<default_instruction_set>, loss} {}

  /// With the kernels for Arch, which may be `at_run_time`.
  template <class Arch, detail::loss_of_family<Family> L>
  any_loss(std::in_place_type_t<Arch>, L const& loss) {
    auto const kernels = detail::kernels_for<Arch>::template of_types<L, detail::resolved<L>>();
    auto* const made = new of_type<L>(loss);
    made->of_float = kernels.of_float;
    made->of_double = kernels.of_double;
    held_ = std::shared_ptr<held const>{static_cast<held const*>(made)};
  }

  /// A sum of losses, see mixture.hpp.
  explicit any_loss(std::shared_ptr<mixture_of<Family> const> const& mixture) {
    struct of_mixture : held {
      std::shared_ptr<mixture_of<Family> const> of;
      void check() const override { of->check(); }
      [[nodiscard]] parameter_values values() const override { return of->parameters(); }
    };
    auto const made = std::make_shared<of_mixture>();
    made->of = mixture;
    made->facts = mixture->facts();
    made->float_loss = &mixture->template parts<float>();
    made->double_loss = &mixture->template parts<double>();
    made->float_observed = &detail::mixture_with_observed<float>;
    made->double_observed = &detail::mixture_with_observed<double>;
    // What has nothing to do with the loss is any part's.
    made->of_float = mixture->template parts<float>()[0].kernels;
    made->of_float.run = &detail::run_mixture<Family, float>;
    made->of_float.runs_several = false;
    made->of_float.observe = &detail::observe_mixture<Family, float>;
    made->of_double = mixture->template parts<double>()[0].kernels;
    made->of_double.run = &detail::run_mixture<Family, double>;
    made->of_double.runs_several = false;
    made->of_double.observe = &detail::observe_mixture<Family, double>;
    held_ = made;
  }

  // Moved from, it would be no loss.
  any_loss(any_loss const&) = default;
  any_loss& operator=(any_loss const&) = default;

  [[nodiscard]] std::string name() const { return std::string{facts().name}; }
  [[nodiscard]] bool needs(columns which) const noexcept { return contains(facts().needs, which); }
  [[nodiscard]] bool reads(columns which) const noexcept { return facts().reads(which); }
  /// What it takes of one of its columns.
  [[nodiscard]] column_rule rule() const noexcept { return facts().rule; }
  /// Columns of which exactly one must be given.
  [[nodiscard]] columns one_of() const noexcept { return facts().one_of; }
  /// Whether it writes an output that only some losses have, as `pair_family::posterior`.
  [[nodiscard]] bool writes(typename Family::output which) const noexcept {
    return (facts().writes >> which & 1U) != 0;
  }
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
  [[nodiscard]] parameter_values parameters() const { return held_->values(); }
  /// Throws std::invalid_argument for a parameter out of its range.
  void check() const { held_->check(); }

  // For the engine.
  [[nodiscard]] detail::loss_facts const& facts() const noexcept { return held_->facts; }
  template <class T>
  [[nodiscard]] detail::loss_ref<Family, T> ref() const noexcept {
    if constexpr (std::same_as<T, float>) {
      return {facts(), held_->of_float, held_->float_loss, held_->float_observed, held_->float_by_rank};
    } else {
      return {facts(), held_->of_double, held_->double_loss, held_->double_observed, held_->double_by_rank};
    }
  }

 private:
  struct held {
    detail::loss_facts facts;
    detail::kernels_of_family<Family, float> of_float;
    detail::kernels_of_family<Family, double> of_double;
    void const *float_loss = nullptr, *double_loss = nullptr;
    detail::observed_loss float_observed = nullptr, double_observed = nullptr;
    detail::rank_matched_evaluation<float> float_by_rank = nullptr;
    detail::rank_matched_evaluation<double> double_by_rank = nullptr;
    // Of one type: what its parameters are. A mixture overrides what is done with them.
    detail::loss_parameters const* parameters = nullptr;
    void const* given = nullptr;

    held() = default;
    held(held const&) = delete;
    held& operator=(held const&) = delete;
    virtual ~held() = default;
    virtual void check() const { detail::check_parameters(*parameters, given); }
    [[nodiscard]] virtual parameter_values values() const { return detail::values_of(*parameters, given); }
  };

  template <class L>
  struct of_type final : held {
    L loss;
    detail::resolved<L> resolved_loss;

    explicit of_type(L const& given_loss) : loss(given_loss), resolved_loss(detail::resolve(given_loss)) {
      using R = detail::resolved<L>;
      this->facts = detail::facts_of<L>(resolved_loss);
      this->float_loss = this->double_loss = &resolved_loss;
      if constexpr (detail::observed_by<R> != 0)
        this->float_observed = this->double_observed = &detail::call_with_observed<R>;
      if constexpr (detail::matches_of<R>() != rank_matching::none) {
        this->float_by_rank = &detail::evaluate_rank_matched<float>;
        this->double_by_rank = &detail::evaluate_rank_matched<double>;
      }
      this->parameters = &detail::parameters_of<L>;
      this->given = &this->loss;
    }
  };

  std::shared_ptr<held const> held_;
};

using any_pair_loss = any_loss<pair_family>;
using any_list_loss = any_loss<list_family>;
using any_unpaired_loss = any_loss<unpaired_family>;

}  // namespace prefopt::inline PREFOPT_ABI
