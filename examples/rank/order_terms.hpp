#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "choices.hpp"
#include "pair_terms.hpp"
#include "worth.hpp"

/// Items chosen one after the other: the logarithm of each choice's probability, which is e^worth of the chosen one over
/// the sum over those that are left.
std::vector<double> order_log_probabilities(choices::ordered const& order, std::span<worth const> worths);

/// Calls gain(winner, other, x) for each item that was left when another one was chosen: the log-likelihood gains x by the
/// winner's worth and loses it by the other's. And edge(item, other, x) for the information.
template <class Gain, class Edge>
void for_each_order_derivative(choices::ordered const& order, double count, std::span<worth const> worths, Gain gain,
                               Edge edge) {
  auto const log_chosen = order_log_probabilities(order, worths);
  auto const& items = order.items;
  // Relative to the item at hand: log of the sum over the choices so far of (its worth over the sum of those left)^2.
  double passed = -INFINITY;
  for (std::size_t place = 0; place + 1 < items.size(); ++place) {
    worth const& own = worths[items[place]];
    if (place != 0) passed += 2 * (own - worths[items[place - 1]]);
    bool const is_chosen = place < order.chosen;
    if (is_chosen) passed = log_sum(passed, 2 * log_chosen[place]);
    for (std::size_t other = place + 1; other < items.size(); ++other) {
      double const odds = worths[items[other]] - own;
      if (is_chosen) gain(items[place], items[other], times_exp(count, odds + log_chosen[place]));
      edge(items[place], items[other], times_exp(count, odds + passed));
    }
  }
}
