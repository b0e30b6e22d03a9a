#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Some of the items: one is chosen from all, the next from those that are left, and so on. A comparison of two is one
/// with one choice.
struct ranking {
  std::vector<std::size_t> items;  ///< the chosen ones, best first, and then those that were left, in no order
  std::size_t choices;             ///< > 0, less than the items: the last item left is not chosen from anything
  double count;                    ///< > 0: how often it was given

  bool operator==(ranking const& other) const { return choices == other.choices && items == other.items; }
};

/// What the worths of items are fitted to.
struct rankings {
  std::vector<std::string> items;  ///< in the file's order
  std::vector<ranking> ranked;     ///< each once, by choices and then by items
  double total = 0;                ///< sum of their counts
  /// Sum of the counts of those that put no item above another; they say nothing about the worths.
  double total_without_choice = 0;
};

inline bool are_comparisons(rankings const& data) {
  return std::ranges::all_of(data.ranked, [](ranking const& r) { return r.items.size() == 2; });
}

/// f(item, other) for so many preferences of a ranking that all others follow: each item over the next.
template <class F>
void for_each_preference(rankings const& data, F f) {
  for (ranking const& r : data.ranked) {
    for (std::size_t place = 1; place < r.choices; ++place) f(r.items[place - 1], r.items[place]);
    for (std::size_t left = r.choices; left < r.items.size(); ++left) f(r.items[r.choices - 1], r.items[left]);
  }
}

/// Numbers the items and adds up equal rankings.
class ranking_collector {
 public:
  /// The number of the item of this name; new names get the next one.
  std::size_t item(std::string_view name);
  /// A count of 0 counts for nothing; of a ranking without a choice only the count is kept.
  void add(ranking added);
  rankings collected() &&;

 private:
  rankings data_;
  std::unordered_map<std::string, std::size_t> numbers_;
};
