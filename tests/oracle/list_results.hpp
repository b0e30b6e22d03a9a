#pragma once

#include <string>
#include <utility>
#include <vector>

#include "oracle/lists.hpp"

// Any list loss over any groups, through the library's front door.

namespace oracle {

/// Each group's own loss and gradient.
template <class T>
struct list_results {
  std::vector<T> loss;
  std::vector<std::vector<T>> d_logp;
};

/// The loss's results over the groups, their numbers rounded to T.
template <class T>
list_results<T> list_results_of(named_loss const& loss, std::vector<candidate_list> const& groups,
                                list_given const& given);

/// What the library says of a list loss.
struct list_facts {
  std::string name;
  list_given needs, reads;
  bool is_square, refuses_ties;
  std::vector<std::pair<std::string, double>> parameters;
};

list_facts facts_of_list_loss(named_loss const& loss);

}  // namespace oracle
