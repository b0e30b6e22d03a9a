#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pairs.hpp"

// Any loss of the list over any pairs, through the library's front door.

namespace oracle {

/// Each pair's own loss and gradient.
template <class T>
struct results {
  std::vector<T> loss, d_chosen, d_rejected, posterior;
  std::array<std::vector<T>, gradient_column_count> further;  ///< gradients by gradient_columns, of losses with these
  std::size_t count, non_finite, skipped;                     ///< as they are reported
};

/// The loss's results over the pairs, each pair's numbers rounded to T; weights may be given.
template <class T>
results<T> results_of(named_loss const& loss, std::vector<pair> const& pairs, std::vector<T> const& weight = {});

/// What the library says of a loss.
struct pair_facts {
  std::string name;
  pair_columns reads;
  bool has_posterior;
  std::vector<real pair::*> gradients_by;
  std::vector<std::pair<std::string, double>> parameters;
  bool depends_on_batch;  ///< a pair's results depend on other pairs, too
};

pair_facts facts_of_pair_loss(named_loss const& loss);

/// The pairs with what the loss's rule for a column refuses changed to the nearest that it takes, or so; log-probs that
/// have to be below 0 get the other sign.
std::vector<pair> obeying(named_loss const& loss, std::vector<pair> pairs);

}  // namespace oracle
