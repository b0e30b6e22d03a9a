#include "order_terms.hpp"

std::vector<double> order_log_probabilities(choices::ordered const& order, std::span<worth const> worths) {
  auto const& items = order.items;
  std::vector<double> result(order.chosen);
  double left = -INFINITY;  // log of the sum over those that are left, relative to the item at hand
  for (std::size_t place = items.size(); place-- > 0;) {
    if (place + 1 < items.size()) left += worths[items[place + 1]] - worths[items[place]];
    left = log_sum(left, 0);
    if (place < order.chosen) result[place] = -left;
  }
  return result;
}
