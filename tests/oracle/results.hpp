#pragma once

#include <vector>

#include "oracle/every_loss.hpp"
#include "oracle/front.hpp"

namespace oracle {

/// The columns that L reads, from pairs; a pair's numbers are rounded to T.
template <class T>
struct pair_table {
  std::vector<T> chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, margin, label, reliability;

  explicit pair_table(std::vector<pair> const& pairs) {
    for (pair const& p : pairs) {
      chosen.push_back(static_cast<T>(p.chosen));
      rejected.push_back(static_cast<T>(p.rejected));
      ref_chosen.push_back(static_cast<T>(p.ref_chosen));
      ref_rejected.push_back(static_cast<T>(p.ref_rejected));
      chosen_length.push_back(static_cast<T>(p.chosen_length));
      rejected_length.push_back(static_cast<T>(p.rejected_length));
      margin.push_back(static_cast<T>(p.margin));
      label.push_back(static_cast<T>(p.label));
      reliability.push_back(static_cast<T>(p.reliability));
    }
  }

  template <class L>
  [[nodiscard]] prefopt::pair_batch<T> batch() const {
    prefopt::pair_batch<T> batch{.chosen = chosen, .rejected = rejected};
    if (reads<L>(prefopt::columns::reference)) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
    if (reads<L>(prefopt::columns::length))
      batch.chosen_length = chosen_length, batch.rejected_length = rejected_length;
    if (reads<L>(prefopt::columns::margin)) batch.margin = margin;
    if (reads<L>(prefopt::columns::label)) batch.label = label;
    if (reads<L>(prefopt::columns::reliability)) batch.reliability = reliability;
    return batch;
  }
};

template <class T, class L>
results<T> results_of(L const& loss, std::vector<pair> const& pairs) {
  pair_table<T> const table{pairs};
  results<T> r;
  for (auto* column : {&r.loss, &r.d_chosen, &r.d_rejected}) column->resize(pairs.size());
  prefopt::pair_outputs<T> outputs{.loss = r.loss, .d_chosen = r.d_chosen, .d_rejected = r.d_rejected};
  if (prefopt::detail::traits_of<L>.has_posterior) {
    r.posterior.resize(pairs.size());
    outputs.posterior = r.posterior;
  }
  front::evaluate(loss, table.template batch<L>(), outputs, {.reduction = prefopt::reduction::none});
  return r;
}

/// Makes results_of<T, L> for every loss of the list, for a program's other files to link to.
template <class T>
void instantiate_results_of_every_loss() {
  for_every_loss([]<class L> {
    results<T> (*volatile function)(L const&, std::vector<pair> const&) = &results_of<T, L>;
    (void)function;
  });
}

}  // namespace oracle
