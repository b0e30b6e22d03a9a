#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/options.hpp>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/batch/report.hpp>
#include <prefopt/batch/tokens.hpp>
#include <prefopt/batch/unpaired.hpp>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/contract/token_surrogate.hpp>
#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/engine/finish_block.hpp>
#include <prefopt/engine/inspect.hpp>
#include <prefopt/engine/list_kernel.hpp>
#include <prefopt/engine/list_runner.hpp>
#include <prefopt/engine/list_ties.hpp>
#include <prefopt/engine/modified_apart.hpp>
#include <prefopt/engine/pair_lanes.hpp>
#include <prefopt/engine/unpaired_lanes.hpp>
#include <prefopt/simd/instruction_set.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

template <class Family>
class any_loss;

namespace detail {

template <class>
struct family_of_any;
template <class Family>
struct family_of_any<any_loss<Family>> {
  using type = Family;
};

template <class L>
concept is_any_loss = requires {
  typename family_of_any<L>::type;
};

/// Of what is no loss: so that a compiler goes on to say why it is none.
struct no_family {
  template <class>
  using batch = void*;
  template <class>
  using outputs = void*;
};

template <class L>
struct family_of_loss {
  using type = no_family;
};
template <is_any_loss L>
struct family_of_loss<L> {
  using type = typename family_of_any<L>::type;
};
template <class L>
  requires(!is_any_loss<L> && pair_loss<L>)
struct family_of_loss<L> {
  using type = pair_family;
};
template <class L>
  requires(!is_any_loss<L> && !pair_loss<L> && list_loss<L>)
struct family_of_loss<L> {
  using type = list_family;
};
template <class L>
  requires(!is_any_loss<L> && !pair_loss<L> && !list_loss<L> && unpaired_loss<L>)
struct family_of_loss<L> {
  using type = unpaired_family;
};

template <class L>
  requires(!is_any_loss<L> && !pair_loss<L> && !list_loss<L> && !unpaired_loss<L> && token_surrogate<L>)
struct family_of_loss<L> {
  using type = token_family;
};

/// The family of batch that a loss is of.
template <class L>
using family_of = typename family_of_loss<L>::type;

template <class T>
concept computed_in = std::same_as<T, float> || std::same_as<T, double>;

/// What all losses of a family are called with.
template <class Family, class T>
struct kernels_called {
  using type = block_kernels<T>;
};
template <class T>
struct kernels_called<list_family, T> {
  using type = list_kernels<T>;
};
template <class T>
struct kernels_called<token_family, T> {
  using type = token_kernels<T>;
};
template <class Family, class T>
using kernels_of_family = typename kernels_called<Family, T>::type;

/// See token_kernel.hpp, which only those include who evaluate tokens.
template <class L, class T, class Arch>
constexpr token_kernels<T> token_kernels_of() noexcept;

/// Of one loss.
template <class Family>
struct kernels_of_types {
  kernels_of_family<Family, float> of_float;
  kernels_of_family<Family, double> of_double;
};

/// Where the kernels for an instruction set are: here, they are compiled by whoever asks for them.
template <class Arch>
struct kernels_for {
  /// Of the loss L, which stands for the composition R.
  template <class L, class R, class T>
  static constexpr kernels_of_family<family_of<L>, T> of_loss() noexcept {
    using family = family_of<L>;
    if constexpr (std::same_as<family, list_family>) {
      return {&run_list_kernel<R, T, Arch>, &run_groups<T, Arch>, &inspect<T, Arch>, &first_tie<T, Arch>};
    } else if constexpr (std::same_as<family, token_family>) {
      return token_kernels_of<R, T, Arch>();
    } else {
      block_kernels<T> kernels{nullptr, &finish_block<family, T, Arch>, nullptr, &inspect<T, Arch>, false};
      if constexpr (goes_apart<R>()) {
        kernels.run = &run_apart<R, T, Arch>;
      } else {
        kernels.run = &run_block_kernel<family, R, T, Arch>;
        kernels.runs_several = true;
      }
      if constexpr (observed_by<R> != 0) kernels.observe = &observe_block<family, R, T, Arch>;
      return kernels;
    }
  }
  template <class L, class R>
  static constexpr kernels_of_types<family_of<L>> of_types() noexcept {
    return {of_loss<L, R, float>(), of_loss<L, R, double>()};
  }
};

/// Which of the outputs that only some losses have this one writes.
template <class L>
constexpr unsigned written_by() noexcept {
  unsigned outputs = 0;
  if constexpr (pair_loss<L>) {
    using result =
        decltype(apply(std::declval<resolved<L> const&>(), std::declval<pair_row<float> const&>(), 0.0F, 0.0F));
    if constexpr (requires(result r) { r.posterior; }) outputs |= 1U << pair_family::posterior;
#define PREFOPT_WRITES(name, type) \
  if constexpr (requires(result r) { r.d_##name; }) outputs |= 1U << pair_family::d_##name;
    PREFOPT_PAIR_GRADIENTS(PREFOPT_WRITES, )
#undef PREFOPT_WRITES
  }
  return outputs;
}

template <class L>
surrogate_facts facts_of_surrogate(L const& surrogate) noexcept {
  surrogate_facts facts{.selection = static_cast<unsigned char>(selection_of<L>()),
                        .takes_mean = takes_mean<L>(),
                        .takes_exp = takes_exp<L>(),
                        .takes_correction = takes_correction<L>()};
  if constexpr (requires { surrogate.decay(); }) facts.decay = surrogate.decay();
  if constexpr (selection_of<L>() != token_selection::none) {
    facts.share = surrogate.selected_share();
    facts.may_select = [](void const* address, double covariance, double advantage, double log_ratio) noexcept {
      return static_cast<L const*>(address)->may_select(covariance, advantage, log_ratio);
    };
  }
  return facts;
}

/// Of a loss of examples: what it names is read by its score, or by what it does with a row; lengths alone also for
/// options.empty.
template <class R>
constexpr void check_named_columns() noexcept {
  if constexpr (pair_loss<R>) {
    constexpr auto by_others = R::score::needs | columns::length;
    constexpr bool reads_row = has_link<R> || has_rest<R> || observes<R> || calls_with_row<R, double, double> ||
                               calls_with_row<R, double, double, double>;
    static_assert(
        reads_row || ((needs_of<R>() | takes_of<R>()) | by_others) == by_others,
        "prefopt: a loss that needs or takes columns beside its score's reads them of the pair_row, which its "
        "call operator then takes first");
  }
}

/// Of the loss L with the parameters that its resolved form has.
template <class L>
constexpr loss_facts facts_of(resolved<L> const& loss) noexcept {
  using R = resolved<L>;
  if constexpr (std::same_as<family_of<L>, token_family>) {
    return {
        .name = name_of<L>(), .needs = needs_of<R>(), .takes = takes_of<R>(), .surrogate = facts_of_surrogate(loss)};
  } else if constexpr (!std::same_as<family_of<L>, list_family>) {
    check_named_columns<R>();
    return {.name = name_of<L>(),
            .needs = needs_of<R>(),
            .takes = takes_of<R>(),
            .writes = written_by<L>(),
            .rule = rule_of<R>(),
            .refuses_empty = refuses_empty<R>(),
            .matches = matches_of<R>(),
            .reward_scale = reward_scale(loss),
            .observed = observed_now(loss),
            .observed_from = observed_from<R>()};
  } else {
    return {.name = name_of<L>(),
            .needs = list_needs_of(loss),
            .takes = list_takes_of<R>(),
            .one_of = one_of<R>(),
            .is_ranked = is_ranked<R>(),
            .is_square = is_square<R>(),
            .refuses_ties = refuses_ties(loss),
            .highest_reward = highest_reward<R>(),
            .reward_scale = reward_scale(loss)};
  }
}

/// What goes on with a loss whose statistics are known, wherever that lies.
class with_loss {
 public:
  template <class F>
  explicit with_loss(F const& f) noexcept
      : function_{&f}, call_{[](void const* function, void const* loss) {
          (*static_cast<F const*>(function))(loss);
        }} {}
  void operator()(void const* loss) const { call_(function_, loss); }

 private:
  void const* function_;
  void (*call_)(void const*, void const*);
};

/// Calls go(the loss with these sums).
using observed_loss = void (*)(void const* loss, double const* sums, double count, with_loss const& go);

template <class R>
void call_with_observed(void const* loss, double const* sums, double count, with_loss const& go) {
  R const observed = with_observed(*static_cast<R const*>(loss), sums, count);
  go(&observed);
}

template <class R>
constexpr observed_loss observed_loss_of() noexcept {
  if constexpr (observed_by<R> != 0) return &call_with_observed<R>;
  return nullptr;
}

template <class Family, class T>
struct loss_ref;

/// Evaluates a batch in the order of ranks; of losses that sort.
template <class T>
using rank_matched_evaluation = report (*)(loss_ref<pair_family, T> const&, pair_batch<T> const&,
                                           pair_outputs<T> const&, options const&, bool lengths_mark_empty);
template <class T>
report evaluate_rank_matched(loss_ref<pair_family, T> const&, pair_batch<T> const&, pair_outputs<T> const&,
                             options const&, bool lengths_mark_empty);

template <class R, class T>
constexpr rank_matched_evaluation<T> rank_matched_of() noexcept {
  if constexpr (matches_of<R>() != rank_matching::none) return &evaluate_rank_matched<T>;
  return nullptr;
}

/// A loss without its type: everything between the front door and the kernel takes it. Refers to the loss.
template <class Family, class T>
struct loss_ref {
  loss_facts facts;
  kernels_of_family<Family, T> kernels;
  void const* loss;
  observed_loss with_observed;
  rank_matched_evaluation<T> by_rank = nullptr;
};

/// Calls f(loss_ref) for any loss, with its parameters checked.
template <class Arch, class T, class L, class F>
auto with_loss_ref(L const& loss, F const& f) {
  if constexpr (is_any_loss<L>) {
    loss.check();
    return f(loss.template ref<T>());
  } else {
    check_parameters(loss);
    auto const given = resolve(loss);
    using R = std::remove_const_t<decltype(given)>;
    return f(loss_ref<family_of<L>, T>{facts_of<L>(given), kernels_for<Arch>::template of_loss<L, R, T>(), &given,
                                       observed_loss_of<R>(), rank_matched_of<R, T>()});
  }
}

/// What there is to know of any loss.
template <class L>
loss_facts facts_of_any(L const& loss) noexcept {
  if constexpr (is_any_loss<L>) {
    return loss.facts();
  } else {
    return facts_of<L>(resolve(loss));
  }
}

}  // namespace detail

/// What `evaluate` takes for pairs: a pair loss of any contract, or one chosen at run time.
template <class L>
concept evaluable_pair_loss = std::same_as<detail::family_of<L>, pair_family>;

/// What `evaluate` takes for groups.
template <class L>
concept evaluable_list_loss = std::same_as<detail::family_of<L>, list_family>;

/// What `evaluate` takes for single completions.
template <class L>
concept evaluable_unpaired_loss = std::same_as<detail::family_of<L>, unpaired_family>;

/// A loss of any family, or one chosen at run time.
template <class L>
concept evaluable_loss = detail::is_any_loss<L> || pair_loss<L> || list_loss<L> || unpaired_loss<L>;

/// A batch of the loss's family.
template <class Batch, class L, class T>
concept batch_of_loss = std::same_as<Batch, typename detail::family_of<L>::template batch<T>>;

}  // namespace prefopt::inline PREFOPT_ABI

#if defined(PREFOPT_AT_RUN_TIME)
#include <prefopt/engine/at_run_time.hpp>
#endif
