#pragma once

// The functions under test: the library's own, or the ones that pick an instruction set at run time.

#if defined(PREFOPT_TEST_KERNELS)
#include <prefopt/kernels.hpp>
namespace front = prefopt::kernels;
#else
#include <prefopt/evaluate.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/loss/any.hpp>
#include <prefopt/loss/any_list.hpp>
namespace front = prefopt;
#endif

namespace oracle {

/// Whether the functions under test take a loss of this type: kernels are compiled for those of the list.
template <class L>
constexpr bool is_in_front =
#if defined(PREFOPT_TEST_KERNELS)
    prefopt::detail::place_in<L, prefopt::detail::kernel_pair_losses>::found ||
    prefopt::detail::place_in<L, prefopt::detail::kernel_list_losses>::found;
#else
    true;
#endif

/// The loss as one whose type is known at run time only.
template <class L>
auto erased(L const& loss) {
#if defined(PREFOPT_TEST_KERNELS)
  if constexpr (is_in_front<L>) return front::for_this_cpu(loss);
#endif
  if constexpr (prefopt::evaluable_pair_loss<L>) {
    return prefopt::any_pair_loss{loss};
  } else {
    return prefopt::any_list_loss{loss};
  }
}

/// By the functions under test where they take the loss.
template <class L, class Batch, class Outputs>
prefopt::report evaluate_typed(L const& loss, Batch const& batch, Outputs const& outputs) {
  if constexpr (is_in_front<L>) {
    return front::evaluate(loss, batch, outputs);
  } else {
    return prefopt::evaluate(loss, batch, outputs);
  }
}

}  // namespace oracle
