#include "choices.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "input_error.hpp"

namespace {

/// With more tied items the orders that share a count are too many.
constexpr std::size_t most_shared = 6;

class choice_builder {
 public:
  choice_builder(std::size_t items, tie_model ties) : ghost_{items} {
    result_.ties = ties;
    result_.vertices = items;
  }

  void add(std::size_t number, ranking const& r) {
    ranking_ = number;
    if (r.items.size() == 2) {
      add_comparison(r);
    } else if (result_.ties == tie_model::half) {
      add_shared(r);
    } else if (has_parameters(result_.ties)) {
      add_places(r);
    } else {
      add_order(r.items, r.ends.size(), 1);
    }
  }

  void add_ghost(double games) {
    ++result_.vertices;
    for (std::size_t item = 0; item < ghost_; ++item) {
      std::size_t const count = pair_count(item, ghost_);
      result_.prior_counts.resize(counts_);
      result_.prior_counts[count] = result_.prior_counts[count + 1] = games;
    }
  }

  void add_origin() { ++result_.vertices; }

  choices finish() && {
    result_.prior_counts.resize(counts_);
    result_.tie_sizes.assign(tie_sizes_.begin(), tie_sizes_.end());
    for (auto const& set : result_.sets) {
      for (std::size_t const size : tie_sizes_) check_subsets(set.items.size(), size);
    }
    return std::move(result_);
  }
  void end_of_data() { result_.observed_pairs = result_.pairs.size(); }

 private:
  /// The probabilities of ties are sums over all subsets of their size.
  static void check_subsets(std::size_t items, std::size_t size) {
    auto const log_factorial = [](std::size_t n) { return std::lgamma(static_cast<double>(n) + 1); };
    constexpr double most = 700;  // e^709 is the largest number
    if (size > items || log_factorial(items) - log_factorial(size) - log_factorial(items - size) <= most) return;
    throw input_error{"a tie of " + std::to_string(size) + ", where one of " + std::to_string(items) +
                      " items is chosen: --ties davidson adds up their subsets of that size, which are more than a "
                      "number can hold"};
  }

  void contribute(std::size_t count, double share) { result_.contributions.push_back({ranking_, count, share}); }

  std::size_t pair_count(std::size_t first, std::size_t second) {
    auto const [found, is_new] = pairs_.try_emplace(first * (ghost_ + 1) + second, counts_);
    if (is_new) {
      result_.pairs.push_back({first, second, counts_});
      counts_ += 3;
    }
    return found->second;
  }

  void add_comparison(ranking const& r) {
    auto const [first, second] = std::minmax(r.items[0], r.items[1]);
    std::size_t const count = pair_count(first, second);
    bool const is_tie = r.ends.front() == 2;
    if (!is_tie) {
      contribute(count + (r.items[0] == first ? 0 : 1), 1);
    } else if (result_.ties == tie_model::half) {
      contribute(count, 0.5);
      contribute(count + 1, 0.5);
    } else {
      contribute(count + 2, 1);
      tie_sizes_.insert(2);
    }
  }

  void add_order(std::vector<std::size_t> const& items, std::size_t chosen, double share) {
    result_.orders.push_back({items, chosen, counts_});
    contribute(counts_++, share);
  }

  /// The likelihood of each place's orders does not depend on the order of the places before it: so they are shared one
  /// place after the other, and what has one order only stays together.
  void add_shared(ranking const& r) {
    std::vector<std::size_t> items = r.items;
    std::size_t singles = 0, begin = 0;
    auto const from = [&](std::size_t place) {
      return std::vector(items.begin() + static_cast<std::ptrdiff_t>(place), items.end());
    };
    auto const flush = [&] {
      if (singles != 0) add_order(from(begin - singles), singles, 1);
      singles = 0;
    };
    for (std::size_t const end : r.ends) {
      std::size_t const size = end - begin;
      if (size == 1) {
        ++singles;
      } else {
        flush();
        if (size > most_shared) {
          throw input_error{"a tie of " + std::to_string(size) + " items: --ties half takes at most " +
                            std::to_string(most_shared) + ", expected --ties davidson"};
        }
        auto const first = items.begin() + static_cast<std::ptrdiff_t>(begin),
                   last = first + static_cast<std::ptrdiff_t>(size);
        double orders = 1;
        for (std::size_t i = 2; i <= size; ++i) orders *= static_cast<double>(i);
        std::size_t const chosen = end == items.size() ? size - 1 : size;
        do add_order(from(begin), chosen, 1 / orders);
        while (std::next_permutation(first, last));
      }
      begin = end;
    }
    flush();
  }

  void add_places(ranking const& r) {
    if (result_.ties == tie_model::rao_kupper) {
      throw input_error{"a ranking of " + std::to_string(r.items.size()) +
                        " items: --ties rao-kupper is a model of comparisons of two, expected --ties davidson"};
    }
    std::size_t begin = 0;
    for (std::size_t const end : r.ends) {
      std::vector<std::size_t> chosen(r.items.begin() + static_cast<std::ptrdiff_t>(begin),
                                      r.items.begin() + static_cast<std::ptrdiff_t>(end));
      std::vector<std::size_t> left(r.items.begin() + static_cast<std::ptrdiff_t>(begin), r.items.end());
      if (left.size() == 2) {
        ranking const two{std::move(left), {end - begin}, r.count};
        add_comparison(two);
      } else {
        if (chosen.size() > 1) tie_sizes_.insert(chosen.size());
        std::ranges::sort(left);
        add_choice(std::move(left), chosen);
      }
      begin = end;
    }
  }

  void add_choice(std::vector<std::size_t> set, std::vector<std::size_t> const& chosen) {
    std::vector<std::size_t> places;
    for (std::size_t const item : chosen) {
      places.push_back(static_cast<std::size_t>(std::ranges::lower_bound(set, item) - set.begin()));
    }
    auto const [found, is_new] = sets_.try_emplace(std::move(set), result_.sets.size());
    if (is_new) result_.sets.push_back({found->first, {}});
    auto& outcomes = result_.sets[found->second].outcomes;
    auto outcome = std::ranges::find(outcomes, places, &choices::tied::outcome::chosen);
    if (outcome == outcomes.end()) outcome = outcomes.insert(outcomes.end(), {std::move(places), counts_++});
    contribute(outcome->count, 1);
  }

  choices result_;
  std::size_t ghost_;  // its number, if there is one
  std::size_t ranking_ = 0, counts_ = 0;
  std::unordered_map<std::size_t, std::size_t> pairs_;
  std::map<std::vector<std::size_t>, std::size_t> sets_;
  std::set<std::size_t> tie_sizes_;
};

}  // namespace

std::vector<double> choices::counts(std::span<double const> of_rankings) const {
  std::vector<double> result = prior_counts;
  for (auto const& [number, count, share] : contributions) result[count] += share * of_rankings[number];
  return result;
}

choices choices_of(rankings const& data, tie_model ties, prior const& before) {
  choice_builder builder{data.items.size(), ties};
  for (std::size_t number = 0; number < data.ranked.size(); ++number) builder.add(number, data.ranked[number]);
  builder.end_of_data();
  if (before.kind == prior::form::ghost) builder.add_ghost(before.size);
  if (before.kind == prior::form::normal) builder.add_origin();
  return std::move(builder).finish();
}
