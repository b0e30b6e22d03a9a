#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "ranking_file.hpp"
#include "written_ranking.hpp"

/// Joins the names or numbers of a line with the items: item_of(name, error) is the item's number, or throws
/// error(message).
template <class ItemOf>
ranking joined_ranking(text_line const& line, written_ranking const& written, ranking_reading const& reading,
                       ItemOf item_of) {
  ranking result{{}, {}, written.count.value_or(1)};
  std::unordered_set<std::size_t> seen;
  for (std::size_t place = 0; place < written.places.size(); ++place) {
    auto const& names = written.places[place];
    auto const error = [&](std::string_view message) {
      return line.error("place " + std::to_string(place + 1), message);
    };
    bool const is_last = place + 1 == written.places.size();
    if (names.size() > 1 && !is_last && !reading.has_ties) {
      throw error("got " + std::to_string(names.size()) +
                  " items in no order, which only the last place may have (--ties davidson takes them as ties)");
    }
    for (std::string const& name : names) {
      std::size_t const item = item_of(name, error);
      if (!seen.insert(item).second) throw error(in_quotes(name) + " is in this ranking twice");
      result.items.push_back(item);
    }
    if (names.size() == 1 || reading.has_ties) result.ends.push_back(result.items.size());
  }
  return result;
}
