#pragma once

#include <vector>

#include "oracle/lists.hpp"

// What the list losses are, written once more from the papers: in long double, as sums of choices, hinges and
// likelihoods, and differentiated by Eigen. Nothing of the library is in it but the names and the standards of the
// parameters.

namespace oracle {

/// Exact numbers and how far a careful computation in T may be from them.
struct list_expectation {
  real loss = 0, loss_bound = 0;
  std::vector<real> d_logp, d_logp_bound;
};

/// By name, from the table.
template <class T>
list_expectation list_expected(named_loss const& loss, candidate_list const& group, list_given const& given);

}  // namespace oracle
