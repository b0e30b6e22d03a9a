#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/core/ranks.hpp>
#include <prefopt/token/check_mask.hpp>
#include <prefopt/token/moments.hpp>
#include <prefopt/view/column.hpp>
#include <string_view>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// How values are brought to mean 0 and deviation 1: (x - mean) / sqrt(max(variance, floor) + epsilon).
struct whitening {
  bool is_population = false;  ///< the variance divides by n, not by n - 1
  double epsilon = 1e-8;       ///< >= 0
  double floor = 0;            ///< >= 0
  bool keeps_mean = false;     ///< the mean is added again
  prefopt::all_reduce all_reduce{};
};

namespace detail {

template <class T>
void whiten(column<T> const& value, column<T> const& mask, output<T> const& whitened, whitening const& how,
            column<T> const& times) {
  constexpr std::string_view where = "whiten";
  std::size_t const n = value.size();
  if (!mask.empty() && mask.size() != n) fail(where, {"mask has ", elements(mask.size()), ", value has ", text(n)});
  if (whitened.size() != n) fail(where, {"output whitened has ", elements(whitened.size()), ", value has ", text(n)});
  if (!(how.epsilon >= 0) || !(how.floor >= 0)) {
    fail(where, {"epsilon is ", text(how.epsilon), " and floor ", text(how.floor), ", expected numbers >= 0"});
  }
  check_mask(where, mask);
  if (times.is_given() && times.size() != n)
    fail(where, {"times has ", elements(times.size()), ", value has ", text(n)});
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] >= 0 && std::isfinite(times[i])) continue;
    fail(where, {"times[", text(i), "] is ", text(static_cast<double>(times[i])), ", expected a finite number >= 0"});
  }
  auto const counts = [&](std::size_t i) { return (mask.empty() || mask[i] != 0) && (times.empty() || times[i] != 0); };
  moments all;
  for (std::size_t i = 0; i < n; ++i) {
    if (counts(i)) all.add(static_cast<double>(value[i]), times.empty() ? 1 : static_cast<double>(times[i]));
  }
  all = over_ranks(all, how.all_reduce, where);
  double const deviation = all.deviation(how.is_population ? 0 : 1);
  double const scale = std::sqrt(std::max(deviation * deviation, how.floor) + how.epsilon);
  for (std::size_t i = 0; i < n; ++i) {
    double const apart = counts(i) ? static_cast<double>(value[i]) - all.mean : 0;
    put(whitened, i, quotient_or_zero(apart, scale) + (how.keeps_mean && counts(i) ? all.mean : 0));
  }
}

}  // namespace detail

/// Whitens the values that the mask counts, of all ranks; the others become 0. In place, too. With `times` each counts as
/// often as it says, as a sample's advantage does that stands at each of its tokens: >= 0; 0 is not counted. REINFORCE++ is
/// `kl_rewards` with k1, `discounted_advantages` of them without values, and then this: as verl has it, or, with
/// is_population, epsilon 0 and floor 1e-8, as OpenRLHF. A rank that refuses its values makes the call on every rank throw.
template <class T>
void whiten(column<T> const& value, std::type_identity_t<column<T>> const& mask,
            std::type_identity_t<output<T>> const& whitened, whitening const& how = {},
            std::type_identity_t<column<T>> const& times = {}) {
  detail::with_ranks(how, [&](whitening const& given) { detail::whiten<T>(value, mask, whitened, given, times); });
}

}  // namespace prefopt::inline PREFOPT_ABI
