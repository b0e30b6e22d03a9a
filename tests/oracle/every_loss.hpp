#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/engine/pair_engine.hpp>
#include <prefopt/loss/list.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "oracle/bits.hpp"
#include "oracle/pair_oracle.hpp"

// Any loss of the list over any pairs, through the library's front door.

namespace oracle {

/// Calls f.operator()<L>() for every loss of the list and every modifier over each.
template <class F>
void for_every_loss(F const& f) {
  prefopt::pair_losses::for_each([&]<class L> {
    f.template operator()<L>();
    prefopt::modifiers_of<L>::type::for_each([&]<class M> { f.template operator()<M>(); });
  });
}

template <class L>
bool reads(prefopt::columns which) {
  auto const& traits = prefopt::detail::traits_of<L>;
  return contains(traits.needs | traits.takes, which);
}

/// Each pair's own loss and gradient.
template <class T>
struct results {
  std::vector<T> loss, d_chosen, d_rejected, posterior;
};

/// L's results over the pairs, each pair's numbers rounded to T. Defined in results.hpp, which a program's other files
/// leave out: the kernels of all losses take a while to compile.
template <class T, class L>
results<T> results_of(L const& loss, std::vector<pair> const& pairs);

/// As the loss L will see it: what it does not read, at its default; the rest rounded to T.
template <class T, class L>
pair as_read(pair const& p) {
  auto const rounded = [](real x) { return static_cast<real>(static_cast<T>(x)); };
  pair seen{.chosen = rounded(p.chosen), .rejected = rounded(p.rejected)};
  if (reads<L>(prefopt::columns::reference)) {
    seen.ref_chosen = rounded(p.ref_chosen), seen.ref_rejected = rounded(p.ref_rejected);
  }
  if (reads<L>(prefopt::columns::length)) {
    seen.chosen_length = rounded(p.chosen_length), seen.rejected_length = rounded(p.rejected_length);
  }
  if (reads<L>(prefopt::columns::margin)) seen.margin = rounded(p.margin);
  if (reads<L>(prefopt::columns::label)) seen.label = rounded(p.label);
  if (reads<L>(prefopt::columns::reliability)) seen.reliability = rounded(p.reliability);
  return seen;
}

/// The pair with chosen and rejected exchanged.
inline pair swapped(pair const& p) {
  pair other = p;
  std::swap(other.chosen, other.rejected);
  std::swap(other.ref_chosen, other.ref_rejected);
  std::swap(other.chosen_length, other.rejected_length);
  return other;
}

template <class L>
void set_random_parameters(L& loss, random_numbers& random) {
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) {
          auto const set = [&](auto const& q) {
            if (q.valid.high < std::numeric_limits<double>::max()) {
              double const high = q.valid.high_is_in ? q.valid.high : q.valid.low + 0.9 * (q.valid.high - q.valid.low);
              loss.*q.member = random.chance(0.2)   ? q.valid.low
                               : random.chance(0.2) ? high
                                                    : random.uniform(q.valid.low, high);
            } else {
              loss.*q.member = q.valid.low_is_in && random.chance(0.25) ? q.valid.low : random.spread(0.03, 8);
            }
          };
          (set(p), ...);
        },
        L::parameters());
  }
  if constexpr (is_modified<L>) set_random_parameters(loss.base, random);
}

/// The loss with its standard parameters, and with `count` random ones, the ends of finite ranges among them.
template <class L>
std::vector<L> variants_of(std::size_t count, random_numbers& random) {
  std::vector<L> variants(1);
  while (variants.size() <= count) set_random_parameters(variants.emplace_back(), random);
  return variants;
}

template <class L>
std::string describe(L const& loss) {
  std::string text = std::string{L::card.name} + "{";
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) { ((text += std::string{p.name} + "=" + std::to_string(loss.*p.member) + " "), ...); },
        L::parameters());
  }
  if constexpr (is_modified<L>) text += describe(loss.base);
  return text + "}";
}

/// Pairs as training meets them and beyond: margins from 1e-4 to 1e3 of either sign, on log-probs of up to 1e3.
inline std::vector<pair> random_pairs(std::size_t count, random_numbers& random) {
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    pair p;
    p.chosen_length = 1 + std::floor(random.spread(1, 400));
    p.rejected_length = 1 + std::floor(random.spread(1, 400));
    if (random.chance(0.3)) p.chosen_length = p.rejected_length = 1;
    real const scale = random.spread(1e-4, 1e3);
    p.ref_chosen = -random.spread(1e-2, 1e3);
    p.ref_rejected = -random.spread(1e-2, 1e3);
    p.chosen = p.ref_chosen + scale * random.uniform(-1, 1);
    p.rejected = p.ref_rejected + scale * random.uniform(-1, 1);
    // For losses without a reference the two log-probs themselves have to be close at times.
    if (random.chance(0.5)) p.rejected = p.chosen + scale * random.uniform(-1, 1);
    p.margin = random.chance(0.3) ? 0 : random.uniform(-1, 3);
    real const ends[] = {0, 0.5, 1};
    p.label = random.chance(0.3) ? ends[random.bits() % 3] : random.uniform();
    p.reliability = random.chance(0.3) ? ends[random.bits() % 3] : random.uniform();
    if (random.chance(0.1)) p.reliability = random.chance(0.5) ? 1e-6 : 1 - 1e-6;
    pairs.push_back(p);
  }
  return pairs;
}

}  // namespace oracle
