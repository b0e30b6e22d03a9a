#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "prior.hpp"
#include "rankings.hpp"
#include "tie_model.hpp"

/// Rankings as choices: the terms of a likelihood. How often each outcome of a term was seen stands in a list of counts,
/// of which a term knows its place; so data that are drawn anew have other counts and the same terms.
struct choices {
  /// Two items: the counts of first wins, second wins, tie from `count` on.
  struct pair {
    std::size_t first, second, count;
  };
  /// Single items chosen one after the other, each from those that are left: the first so many of the items.
  struct ordered {
    std::vector<std::size_t> items;
    std::size_t chosen, count;
  };
  /// Items from a set, one or several that are tied.
  struct tied {
    struct outcome {
      std::vector<std::size_t> chosen;  ///< their places in the set
      std::size_t count;
    };
    std::vector<std::size_t> items;
    std::vector<outcome> outcomes;
  };

  tie_model ties = tie_model::none;
  std::size_t vertices = 0;  ///< the items and, if there is a prior, its ghost or where its worths are 0
  std::vector<pair> pairs;   ///< those with the ghost at the end
  std::size_t observed_pairs = 0;
  std::vector<ordered> orders;
  std::vector<tied> sets;
  std::vector<std::size_t>
      tie_sizes;  ///< of the ties that were seen, ascending; of Rao and Kupper's model 2 or nothing

  /// The counts of the outcomes, for counts of the rankings.
  std::vector<double> counts(std::span<double const> of_rankings) const;

  struct contribution {
    std::size_t ranking, count;
    double share;
  };
  std::vector<contribution> contributions;
  std::vector<double> prior_counts;  ///< what the counts begin with: the games against the ghost
};

/// Throws an input_error for ties that the model has no place for.
choices choices_of(rankings const& data, tie_model ties, prior const& before);
