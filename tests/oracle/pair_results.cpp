#include "oracle/pair_results.hpp"

#include "oracle/made_loss.hpp"

namespace oracle {
namespace {

pair_columns columns_read_by(prefopt::any_pair_loss const& loss) {
  using prefopt::columns;
  return {.reference = loss.reads(columns::reference),
          .length = loss.reads(columns::length),
          .margin = loss.reads(columns::margin),
          .label = loss.reads(columns::label),
          .reliability = loss.reads(columns::reliability)};
}

/// The columns, from pairs; a pair's numbers are rounded to T.
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

  [[nodiscard]] prefopt::pair_batch<T> batch(pair_columns const& read) const {
    prefopt::pair_batch<T> batch{.chosen = chosen, .rejected = rejected};
    if (read.reference) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
    if (read.length) batch.chosen_length = chosen_length, batch.rejected_length = rejected_length;
    if (read.margin) batch.margin = margin;
    if (read.label) batch.label = label;
    if (read.reliability) batch.reliability = reliability;
    return batch;
  }
};

}  // namespace

template <class T>
results<T> results_of(named_loss const& loss, std::vector<pair> const& pairs, std::vector<T> const& weight) {
  auto const made_loss = made(loss);
  pair_table<T> const table{pairs};
  auto batch = table.batch(columns_read_by(made_loss));
  if (!weight.empty()) batch.weight = weight;
  results<T> r;
  for (auto* column : {&r.loss, &r.d_chosen, &r.d_rejected}) column->resize(pairs.size());
  prefopt::pair_outputs<T> outputs{.loss = r.loss, .d_chosen = r.d_chosen, .d_rejected = r.d_rejected};
  if (made_loss.has_posterior()) {
    r.posterior.resize(pairs.size());
    outputs.posterior = r.posterior;
  }
  front::evaluate(made_loss, batch, outputs, {.reduction = prefopt::reduction::none});
  return r;
}

template results<float> results_of<float>(named_loss const&, std::vector<pair> const&, std::vector<float> const&);
template results<double> results_of<double>(named_loss const&, std::vector<pair> const&, std::vector<double> const&);

pair_facts facts_of_pair_loss(named_loss const& loss) {
  auto const made_loss = made(loss);
  return {made_loss.name(), columns_read_by(made_loss), made_loss.has_posterior(), made_loss.parameters()};
}

}  // namespace oracle
