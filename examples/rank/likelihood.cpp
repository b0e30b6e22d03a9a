#include "likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "order_terms.hpp"
#include "pair_terms.hpp"
#include "set_terms.hpp"

void fit_position::add(information::direction const& step, double length) {
  for (std::size_t vertex = 0; vertex < worths.size(); ++vertex) worths[vertex].add(length * step.worth[vertex]);
  for (std::size_t i = 0; i < ties.size(); ++i) ties[i] += length * step.tie[i];
}

likelihood::likelihood(choices const& terms, std::span<double const> counts, prior const& before)
    : terms_{terms}, counts_{counts}, before_{before} {
  if (!has_parameters(terms.ties)) return;
  std::vector<double> seen(terms.vertices + 1);
  for (auto const& pair : terms.pairs) seen[2] += counts[pair.count + 2];
  for (auto const& set : terms.sets) {
    for (auto const& outcome : set.outcomes) seen[outcome.chosen.size()] += counts[outcome.count];
  }
  for (std::size_t const size : terms.tie_sizes) {
    if (seen[size] > 0) tie_sizes_.push_back(size);
  }
}

namespace {

pair_counts counts_of(choices::pair const& pair, std::span<double const> counts) {
  return {counts[pair.count], counts[pair.count + 1], counts[pair.count + 2]};
}

/// A model without ties where none were seen.
pair_model model_at(tie_model ties, std::vector<std::size_t> const& tie_sizes, fit_position const& at) {
  bool const has_ties = has_parameters(ties) && !tie_sizes.empty() && tie_sizes.front() == 2;
  return {has_ties ? ties : tie_model::none, has_ties ? at.ties.front() : 0};
}

double count_of(choices::tied const& set, std::span<double const> counts) {
  return std::accumulate(set.outcomes.begin(), set.outcomes.end(), 0.0,
                         [&](double sum, auto const& outcome) { return sum + counts[outcome.count]; });
}

}  // namespace

information::direction likelihood::derivatives(fit_position const& at, information& curvature) const {
  curvature.clear();
  information::direction gradient{std::vector<double>(at.worths.size()), std::vector<double>(at.ties.size())};
  auto const gain = [&](std::size_t winner, std::size_t loser, double x) {
    gradient.worth[winner] += x;
    gradient.worth[loser] -= x;
  };
  auto const edge = [&](std::size_t item, std::size_t other, double x) { curvature.add_edge(item, other, x); };

  pair_model const model = model_at(terms_.ties, tie_sizes_, at);
  for (auto const& pair : terms_.pairs) {
    pair_counts const counts = counts_of(pair, counts_);
    if (counts.all() == 0) continue;
    auto const by = model.derivatives(at.worths[pair.first] - at.worths[pair.second], counts);
    gain(pair.first, pair.second, by.worth);
    edge(pair.first, pair.second, by.worth_worth);
    if (model.ties == tie_model::none) continue;
    gradient.tie[0] += by.tie;
    curvature.add_corner(0, 0, by.tie_tie);
    curvature.add_border(pair.first, 0, by.worth_tie);
    curvature.add_border(pair.second, 0, -by.worth_tie);
  }
  for (auto const& order : terms_.orders) {
    if (double const count = counts_[order.count]; count > 0) {
      for_each_order_derivative(order, count, at.worths, gain, edge);
    }
  }
  for (auto const& set : terms_.sets) {
    double const count = count_of(set, counts_);
    if (count == 0) continue;
    auto const expected = set_probabilities{set, at.worths, tie_sizes_, at.ties}.expectations();
    auto const sizes = static_cast<std::size_t>(expected.size.size());
    auto const by = gradient_of(set, counts_, expected, tie_sizes_);
    for (std::size_t i = 0; i < set.items.size(); ++i) {
      auto const row = static_cast<Eigen::Index>(i);
      gradient.worth[set.items[i]] += by.worth[row];
      for (std::size_t j = 0; j < i; ++j) {
        edge(set.items[i], set.items[j], count * expected.share_share(row, static_cast<Eigen::Index>(j)));
      }
      for (std::size_t k = 0; k < sizes; ++k) {
        curvature.add_border(set.items[i], k, count * expected.share_size(row, static_cast<Eigen::Index>(k)));
      }
    }
    for (std::size_t k = 0; k < sizes; ++k) {
      double const chance = expected.size[static_cast<Eigen::Index>(k)];
      gradient.tie[k] += by.tie[static_cast<Eigen::Index>(k)];
      curvature.add_corner(k, k, count * chance);
      for (std::size_t l = 0; l < sizes; ++l) {
        curvature.add_corner(k, l, -count * chance * expected.size[static_cast<Eigen::Index>(l)]);
      }
    }
  }
  if (before_.kind == prior::form::normal) {
    double const precision = 1 / (before_.size * before_.size);
    std::size_t const origin = at.worths.size() - 1;
    for (std::size_t item = 0; item < origin; ++item) {
      gain(item, origin, (at.worths[origin] - at.worths[item]) * precision);
      edge(item, origin, precision);
    }
  }
  return gradient;
}

std::vector<double> likelihood::factors(fit_position const& at, bool with_prior) const {
  std::vector<double> result;
  pair_model const model = model_at(terms_.ties, tie_sizes_, at);
  auto const add = [&](double count, double log_probability) {
    if (count > 0) result.push_back(count * log_probability);
  };
  for (auto const& pair : std::span{terms_.pairs}.first(with_prior ? terms_.pairs.size() : terms_.observed_pairs)) {
    pair_counts const counts = counts_of(pair, counts_);
    auto const log = model.log_probabilities(at.worths[pair.first] - at.worths[pair.second]);
    add(counts.first, log.first);
    add(counts.second, log.second);
    add(counts.tie, log.tie);
  }
  for (auto const& order : terms_.orders) {
    double const count = counts_[order.count];
    if (count == 0) continue;
    for (double const log : order_log_probabilities(order, at.worths)) add(count, log);
  }
  for (auto const& set : terms_.sets) {
    if (count_of(set, counts_) == 0) continue;
    set_probabilities const probabilities{set, at.worths, tie_sizes_, at.ties};
    for (auto const& outcome : set.outcomes) {
      double const count = counts_[outcome.count];
      if (count > 0) add(count, probabilities.log_probability(outcome.chosen));
    }
  }
  if (with_prior && before_.kind == prior::form::normal) {
    for (std::size_t item = 0; item + 1 < at.worths.size(); ++item) {
      double const deviation = (at.worths[item] - at.worths.back()) / before_.size;
      result.push_back(-deviation * deviation / 2);
    }
  }
  return result;
}

double likelihood::range(information::direction const& step) const {
  double most = 0, tie_low = 0, tie_high = 0;
  for (double const tie : step.tie) {
    tie_low = std::min(tie_low, tie);
    tie_high = std::max(tie_high, tie);
  }
  double const of_ties = tie_high - tie_low;
  // Of Rao and Kupper's model the factors are of other differences, whose own curvature is part of theirs.
  double const of_worths = terms_.ties == tie_model::rao_kupper && !step.tie.empty() ? 3 : 1;
  auto const add = [&](double low, double high) { most = std::max(most, of_worths * ((high - low) + of_ties)); };
  auto const add_all = [&](std::vector<std::size_t> const& items) {
    double low = INFINITY, high = -INFINITY;
    for (std::size_t const item : items) {
      low = std::min(low, step.worth[item]);
      high = std::max(high, step.worth[item]);
    }
    add(low, high);
  };
  for (auto const& pair : terms_.pairs) {
    if (counts_of(pair, counts_).all() > 0) add(0, std::abs(step.worth[pair.first] - step.worth[pair.second]));
  }
  for (auto const& order : terms_.orders) {
    if (counts_[order.count] > 0) add_all(order.items);
  }
  for (auto const& set : terms_.sets) {
    if (count_of(set, counts_) > 0) add_all(set.items);
  }
  return most;
}
