#include "oracle/pair_results.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "oracle/made_loss.hpp"

namespace oracle {
namespace {

pair_columns columns_read_by(prefopt::any_pair_loss const& loss) {
  using prefopt::columns;
  return {.reference = loss.reads(columns::reference),
          .length = loss.reads(columns::length),
          .margin = loss.reads(columns::margin),
          .label = loss.reads(columns::label),
          .reliability = loss.reads(columns::reliability),
          .target = loss.reads(columns::target),
          .scale = loss.reads(columns::scale),
          .kl = loss.reads(columns::kl),
          .deviation = loss.reads(columns::deviation),
          .sign = loss.reads(columns::sign),
          .rationale = loss.reads(columns::rationale),
          .gold = loss.reads(columns::gold)};
}

/// The output of a gradient by each of gradient_columns.
constexpr prefopt::pair_family::output gradient_outputs[]{
    prefopt::pair_family::d_margin,           prefopt::pair_family::d_scale,
    prefopt::pair_family::d_chosen_kl,        prefopt::pair_family::d_rejected_kl,
    prefopt::pair_family::d_chosen_deviation, prefopt::pair_family::d_rejected_deviation,
    prefopt::pair_family::d_rationale,        prefopt::pair_family::d_gold};

/// The columns, from pairs; a pair's numbers are rounded to T.
template <class T>
struct pair_table {
  std::map<std::string_view, std::vector<T>> columns;

  explicit pair_table(std::vector<pair> const& pairs) {
    for (auto const& column : pair_column_table) {
      auto& values = columns[column.name];
      for (pair const& p : pairs) values.push_back(static_cast<T>(p.*column.value));
    }
  }

  [[nodiscard]] prefopt::pair_batch<T> batch(pair_columns const& read) const {
    prefopt::pair_batch<T> batch;
    for (auto const& row : prefopt::pair_family::inputs<T>) {
      for (auto const& column : pair_column_table) {
        if (row.name != column.name || !(column.kind == nullptr || read.*column.kind)) continue;
        batch.*row.values = columns.at(column.name);
      }
    }
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
  for (std::size_t c = 0; c < gradient_column_count; ++c) {
    if (!made_loss.writes(gradient_outputs[c])) continue;
    r.further[c].resize(pairs.size());
    outputs.*prefopt::pair_family::results<T>[gradient_outputs[c]].values = r.further[c];
  }
  auto const seen = front::evaluate(made_loss, batch, outputs, {.reduction = prefopt::reduction::none});
  r.count = seen.count, r.non_finite = seen.non_finite, r.skipped = seen.skipped;
  return r;
}

template results<float> results_of<float>(named_loss const&, std::vector<pair> const&, std::vector<float> const&);
template results<double> results_of<double>(named_loss const&, std::vector<pair> const&, std::vector<double> const&);

pair_facts facts_of_pair_loss(named_loss const& loss) {
  auto const made_loss = made(loss);
  std::vector<real pair::*> by;
  for (std::size_t c = 0; c < gradient_column_count; ++c) {
    if (made_loss.writes(gradient_outputs[c])) by.push_back(gradient_columns[c]);
  }
  return {made_loss.name(),
          columns_read_by(made_loss),
          made_loss.has_posterior(),
          by,
          made_loss.parameters(),
          made_loss.facts().observed != 0 || made_loss.facts().matches != prefopt::rank_matching::none};
}

std::vector<pair> obeying(named_loss const& loss, std::vector<pair> pairs) {
  using prefopt::allowed_values;
  auto const rule = made(loss).rule();
  for (pair& p : pairs) {
    real& x = rule.kind == prefopt::columns::target ? p.target : p.label;
    if (rule.values == allowed_values::positive && !(x > 0)) x = 1;
    if (rule.values == allowed_values::inside) x = std::clamp(x, real(0.0625), real(0.9375));
    if (rule.values == allowed_values::outcome) x = std::round(2 * x) / 2;
    if (rule.values == allowed_values::binary) x = std::round(x);
    if (rule.values != allowed_values::log_prob) continue;
    p.chosen = -std::fabs(p.chosen);
    p.rejected = -std::fabs(p.rejected);
  }
  return pairs;
}

}  // namespace oracle
