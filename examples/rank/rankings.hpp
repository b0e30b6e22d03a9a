#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Some of the items: the places, best first, each of one item or of several that are tied, and then those that were left.
/// A comparison of two is one with one place.
struct ranking {
  std::vector<std::size_t> items;  ///< those of the places one after the other, and then the rest in no order
  std::vector<std::size_t> ends;   ///< of each place, where its items end
  double count;                    ///< how often it was given

  bool operator==(ranking const& other) const { return ends == other.ends && items == other.items; }
};

/// What the worths of items are fitted to.
struct rankings {
  std::vector<std::string> items;  ///< in the file's order
  std::vector<ranking> ranked;     ///< each once, by places and then by items; counts > 0
  double total = 0;                ///< sum of their counts
  /// Sum of the counts of those that put no item above another; they say nothing about the worths.
  double total_without_choice = 0;
};

bool are_comparisons(rankings const& data);

/// What became of items that a ranking does not name: they were not there to be chosen, or they were left.
enum class unnamed { absent, last };

/// Numbers the items and adds up equal rankings.
class ranking_collector {
 public:
  explicit ranking_collector(unnamed others = unnamed::absent) : others_{others} {}

  /// The number of the item of this name; new names get the next one.
  std::size_t item(std::string_view name);
  /// A count of 0 counts for nothing; of a ranking without a choice only the count is kept.
  void add(ranking added);
  rankings collected() &&;

 private:
  struct hash {
    std::size_t operator()(ranking const& r) const;
  };
  void count(ranking added);

  unnamed others_;
  std::vector<ranking> incomplete_;  // until all items are known
  std::vector<std::string> items_;
  std::unordered_map<std::string, std::size_t> numbers_;
  std::unordered_map<ranking, double, hash> counts_;  // the keys' own counts are not used
  double total_ = 0, total_without_choice_ = 0;
};
