#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <prefopt/core/errors.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A part of a mixture.
template <class Family>
struct weighted_loss {
  double weight;  ///< any finite number
  any_loss<Family> loss;
};

namespace detail {

/// A sum of losses, as its kernel sees it.
template <class T>
struct mixture_part {
  T weight;
  block_kernels<T> kernels;
  void const* loss;
  loss_facts facts;
  observed_loss with_observed;
};

template <class T>
using mixture_parts = std::vector<mixture_part<T>>;

/// One after the other; the sums beside the loss are the first part's.
template <class Family, class T>
void run_mixture(void const* address, settings<T> const& given, block<T>& all, sums& totals) noexcept {
  auto const& parts = *static_cast<mixture_parts<T> const*>(address);
  auto const& rows = Family::template results<T>;
  T own[most_outputs][block_examples], sum[most_outputs][block_examples];
  unsigned written = 0;
  double loss = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    auto const& part = parts[p];
    auto settings = given;
    settings.gradient_scale = given.gradient_scale * part.weight;
    // What one part does not read, another does.
    block<T> block = all;
    for (std::size_t c = 0; c < Family::output_count; ++c) {
      bool const has = !rows[c].is_of_some || (part.facts.writes >> c & 1U) != 0;
      bool const is_sum = c == Family::loss || rows[c].gradient_of >= 0;
      bool const is_wanted = all.out[c] != nullptr && has && (is_sum || (written >> c & 1U) == 0);
      block.out[c] = is_wanted ? own[c] : nullptr;
    }
    auto const out = block.out;
    sums seen{};
    part.kernels.run(part.loss, settings, block, seen);
    // A part that is not asked for must not turn an infinite loss, or slope, into 0 * inf.
    bool const counts = part.weight != 0;
    if (counts) loss += static_cast<double>(part.weight) * seen[loss_sum];
    for (std::size_t c = 0; c < Family::output_count; ++c) {
      if (out[c] == nullptr) continue;
      bool const is_first = (written >> c & 1U) == 0;
      bool const is_nothing = !counts && (c == Family::loss || rows[c].gradient_of >= 0);
      T const weight = c == Family::loss ? part.weight : T(1);
      for (std::size_t i = 0; i < all.count; ++i) {
        T const term = is_nothing ? T(0) : weight * own[c][i];
        sum[c][i] = is_first ? term : sum[c][i] + term;
      }
      written |= 1U << c;
    }
    if (p != 0) continue;
    seen[loss_sum] = seen[non_finite_sum] = 0;
    for (std::size_t s = 0; s < sum_count; ++s) totals[s] += seen[s];
  }
  totals[loss_sum] += loss;
  for (std::size_t i = 0; i < all.count; ++i) {
    bool bad = false;
    for (std::size_t c = 0; c < Family::input_count; ++c) bad = bad || (all.in[c] && !std::isfinite(all.in[c][i]));
    totals[non_finite_sum] += bad ? 1 : 0;
  }
  for (std::size_t c = 0; c < Family::output_count; ++c) {
    if (all.out[c] != nullptr) std::copy_n(sum[c], all.count, all.out[c]);
  }
}

/// The sums of the parts one behind the other, then the number of counted examples.
template <class Family, class T>
void observe_mixture(void const* address, settings<T> const& given, block<T>& all, double* observed) noexcept {
  auto const& parts = *static_cast<mixture_parts<T> const*>(address);
  double count = 0;
  for (auto const& part : parts) {
    if (part.facts.observed == 0) continue;
    block<T> block = all;
    std::array<double, most_observed + 1> seen{};
    part.kernels.observe(part.loss, given, block, seen.data());
    for (std::size_t i = 0; i < part.facts.observed; ++i) *observed++ += seen[i];
    count = seen[part.facts.observed];
  }
  *observed += count;
}

template <class T>
void fill_in_observed(mixture_parts<T>& parts, std::size_t next, double const* sums, double count,
                      with_loss const& go) {
  while (next < parts.size() && parts[next].facts.observed == 0) ++next;
  if (next == parts.size()) return go(&parts);
  auto const& part = parts[next];
  part.with_observed(part.loss, sums, count, with_loss{[&](void const* observed) {
                       std::size_t const used = parts[next].facts.observed;
                       parts[next].loss = observed;
                       fill_in_observed(parts, next + 1, sums + used, count, go);
                     }});
}

template <class T>
void mixture_with_observed(void const* address, double const* sums, double count, with_loss const& go) {
  auto parts = *static_cast<mixture_parts<T> const*>(address);
  fill_in_observed(parts, 0, sums, count, go);
}

}  // namespace detail

/// A weighted sum of losses of pairs, or of single completions, chosen at run time: MPO is
///     mixture<pair_family>({{0.8, dpo{}}, {0.2, bco_pair{}}, {1, sft{}}})
/// Of weights that add up to 1 and the same loss it is that loss; {{1, dpo{}}} is dpo, bit for bit. Rewards, accuracy and
/// the posterior are those of the first part that has them; an example that one part has to skip, all skip.
///     throws    std::invalid_argument: no part, a weight that is not finite in float, parts that ask different things of
///               a column
template <class Family>
class mixture_of {
 public:
  using parts_type = std::vector<weighted_loss<Family>>;

  explicit mixture_of(parts_type parts) : parts_{std::move(parts)} {
    if (parts_.empty()) detail::fail("mixture", "there is no loss in it, expected at least one");
    facts_.reward_scale = parts_[0].loss.facts().reward_scale;
    for (auto const& [weight, loss] : parts_) {
      if (!(std::fabs(weight) <= static_cast<double>(std::numeric_limits<float>::max()))) {
        detail::fail("mixture", "the weight of " + loss.name() + " is " + detail::text(weight) +
                                    ", expected a number that is finite in float");
      }
      add(loss.facts());
      std::string const name = loss.name();
      bool const is_sum = name.find(' ') != name.npos;
      name_ += (name_.empty() ? "" : " + ") + detail::text(weight) + " " + (is_sum ? "(" + name + ")" : name);
      add_part(weight, loss, of_float_);
      add_part(weight, loss, of_double_);
    }
    facts_.name = name_;
  }
  mixture_of(mixture_of const&) = delete;
  mixture_of& operator=(mixture_of const&) = delete;

  [[nodiscard]] detail::loss_facts const& facts() const noexcept { return facts_; }
  template <class T>
  [[nodiscard]] detail::mixture_parts<T> const& parts() const noexcept {
    if constexpr (std::same_as<T, float>) {
      return of_float_;
    } else {
      return of_double_;
    }
  }
  void check() const {
    for (auto const& part : parts_) part.loss.check();
  }
  /// The weights as weight_0, weight_1, …, each followed by its loss's own.
  [[nodiscard]] parameter_values parameters() const {
    parameter_values all;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      all.emplace_back("weight_" + detail::text(i), parts_[i].weight);
      for (auto& value : parts_[i].loss.parameters()) all.push_back(std::move(value));
    }
    return all;
  }

 private:
  void add(detail::loss_facts const& part) {
    facts_.needs = facts_.needs | part.needs;
    facts_.takes = facts_.takes | part.takes;
    facts_.writes |= part.writes;
    facts_.refuses_empty = facts_.refuses_empty || part.refuses_empty;
    facts_.observed += part.observed;
    if (part.matches != rank_matching::none) {
      detail::fail("mixture", std::string{part.name} + " sorts the batch, which other losses do not: it goes alone");
    }
    if (facts_.observed > detail::most_observed) {
      detail::fail("mixture", "its losses observe " + detail::text(facts_.observed) +
                                  " sums of the batch, expected at most " + detail::text(detail::most_observed));
    }
    if (part.rule.values == allowed_values::all) return;
    bool const is_other = part.rule.kind != facts_.rule.kind || part.rule.values != facts_.rule.values;
    if (facts_.rule.values != allowed_values::all && is_other) {
      detail::fail("mixture", std::string{part.name} + " and a loss before it ask different things of a column");
    }
    facts_.rule = part.rule;
  }

  template <class T>
  static void add_part(double weight, any_loss<Family> const& loss, detail::mixture_parts<T>& parts) {
    auto const ref = loss.template ref<T>();
    parts.push_back({static_cast<T>(weight), ref.kernels, ref.loss, ref.facts, ref.with_observed});
  }

  parts_type parts_;
  std::string name_;
  detail::loss_facts facts_;
  detail::mixture_parts<float> of_float_;
  detail::mixture_parts<double> of_double_;
};

template <class Family>
any_loss<Family> mixture(std::vector<weighted_loss<Family>> parts) {
  return any_loss<Family>{std::make_shared<mixture_of<Family> const>(std::move(parts))};
}

}  // namespace prefopt::inline PREFOPT_ABI
