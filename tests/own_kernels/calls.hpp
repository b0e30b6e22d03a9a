#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/prefopt.hpp>
#include <vector>

#include "my_loss.hpp"

/// All that calls of `evaluate` on the losses write, one number behind the other. The data are whole numbers.
template <class T, class Evaluate>
void call_on(Evaluate const& evaluate, std::vector<double>& all) {
  constexpr std::size_t n = 1003;
  std::uint32_t state = 7;
  auto const column = [&] {
    std::vector<T> values(n);
    for (T& x : values) {
      state = state * 1664525U + 1013904223U;
      x = static_cast<T>(state >> 8U) / T(1 << 20) - T(8);
    }
    return values;
  };
  std::vector<T> const chosen = column(), rejected = column(), ref_chosen = column(), ref_rejected = column(),
                       reliability(n, T(0.75));
  std::vector<T> loss(n), d_chosen(n), d_rejected(n), posterior(n);
  auto const keep = [&](prefopt::report const& seen, auto const&... columns) {
    all.insert(all.end(), {seen.loss, seen.accuracy, seen.margin, seen.weight, static_cast<double>(seen.count)});
    (all.insert(all.end(), columns.begin(), columns.end()), ...);
  };
  prefopt::pair_batch<T> pairs{.chosen = chosen, .rejected = rejected};
  prefopt::pair_outputs<T> outputs{.loss = loss, .d_chosen = d_chosen, .d_rejected = d_rejected};
  keep(evaluate(my_statistic{}, pairs, outputs), loss, d_chosen, d_rejected);
  pairs.ref_chosen = ref_chosen;
  pairs.ref_rejected = ref_rejected;
  keep(evaluate(my_loss{.margin = 2.5}, pairs, outputs), loss, d_chosen, d_rejected);
  keep(evaluate(prefopt::dpo{.beta = 0.3}, pairs, outputs), loss, d_chosen, d_rejected);
  pairs.reliability = reliability;
  outputs.posterior = posterior;
  keep(evaluate(prefopt::lcpo<my_loss>{.base = {.margin = 0.5}}, pairs, outputs), loss, d_chosen, d_rejected,
       posterior);
  std::vector<std::int64_t> const offsets{0, 1, 4, 80, 500, static_cast<std::int64_t>(n)};
  std::vector<T> of_group(offsets.size() - 1);
  prefopt::list_batch<T> const groups{.logp = chosen, .reward = rejected, .offsets = offsets};
  prefopt::list_outputs<T> const list_outputs{.loss = of_group, .d_logp = d_chosen};
  keep(evaluate(my_list_loss{}, groups, list_outputs), of_group, d_chosen);
  // Of a preset the kernels of its surrogate are there.
  prefopt::token_batch<T> const tokens{
      .log_prob = chosen, .old_log_prob = rejected, .advantage = ref_chosen, .offsets = offsets};
  auto const seen = evaluate(prefopt::dapo{}, tokens, prefopt::token_outputs<T>{.loss = loss, .d_log_prob = d_chosen});
  all.push_back(seen.loss);
  all.insert(all.end(), loss.begin(), loss.end());
  all.insert(all.end(), d_chosen.begin(), d_chosen.end());
}

template <class Evaluate>
std::vector<double> call_everything(Evaluate const& evaluate) {
  std::vector<double> all;
  call_on<float>(evaluate, all);
  call_on<double>(evaluate, all);
  return all;
}
