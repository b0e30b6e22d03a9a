#include "written_ranking.hpp"

#include <cmath>
#include <cstddef>
#include <string_view>

#include "blanks.hpp"
#include "number_text.hpp"

namespace {

double parse_count(text_line const& line, std::string_view text) {
  auto const [count, problem] = parse_number<double>(text);
  if (!problem.empty()) throw line.error("count", "got " + problem);
  if (!std::isfinite(count) || count < 0) {
    throw line.error("count", "got " + in_quotes(text) + ", expected a finite number >= 0");
  }
  return count;
}

/// Takes names and what separates them off the front of a line.
class scanner {
 public:
  scanner(text_line const& line, std::string_view text) : line_{line}, rest_{without_blanks_around(text)} {}

  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    remove(1);
    return true;
  }

  std::string_view take_until(std::string_view ends) {
    std::string_view const taken = rest_.substr(0, rest_.find_first_of(ends));
    remove(taken.size());
    return without_blanks_around(taken);
  }

  std::string take_name(std::string_view ends) {
    std::string name{take_until(std::string{ends} + '"')};
    if (name.empty() && rest_.starts_with('"')) name = take_quoted();
    if (!at_end() && ends.find(rest_.front()) == std::string_view::npos) {
      throw line_.error({}, "misplaced \" (quote a name whole, and write \"\" for a quote inside it)");
    }
    return name;
  }

 private:
  void remove(std::size_t count) {
    rest_.remove_prefix(count);
    rest_ = without_blanks_around(rest_);
  }

  std::string take_quoted() {
    std::string name;
    std::size_t begin = 1;
    while (true) {
      std::size_t const end = rest_.find('"', begin);
      if (end == std::string_view::npos) throw line_.error({}, "the line ends inside a name in quotes");
      name += rest_.substr(begin, end - begin);
      begin = end + 1;
      if (!rest_.substr(begin).starts_with('"')) break;
      name += '"';
      ++begin;
    }
    remove(begin);
    return name;
  }

  text_line const& line_;
  std::string_view rest_;
};

std::string place_text(written_ranking const& ranking) { return "place " + std::to_string(ranking.places.size()); }

}  // namespace

written_ranking parse_ranking(text_line const& line) {
  written_ranking ranking;
  std::string_view text = line.text;
  if (std::size_t const colon = text.find(':'); colon != std::string_view::npos) {
    std::string_view const before = without_blanks_around(text.substr(0, colon));
    constexpr std::string_view begin = "+-.0123456789", all = "+-.0123456789eE";
    if (!before.empty() && begin.find(before.front()) != std::string_view::npos &&
        before.find_first_not_of(all) == std::string_view::npos) {
      ranking.count = parse_count(line, before);
      text.remove_prefix(colon + 1);
    }
  }
  scanner rest{line, text};
  do {
    auto& place = ranking.places.emplace_back();
    do {
      place.push_back(rest.take_name(">="));
      if (place.back().empty()) throw line.error(place_text(ranking), "got empty, expected the name of an item");
    } while (rest.take('='));
  } while (rest.take('>'));
  return ranking;
}

written_ranking parse_preflib_order(text_line const& line, order_notation notation) {
  written_ranking ranking;
  bool const has_colon = notation == order_notation::count_colon;
  std::size_t const separator = line.text.find(has_colon ? ':' : ',');
  if (separator == std::string_view::npos) {
    throw line.error({}, "got " + in_quotes(line.text) + ", expected a count and alternatives, as " +
                             (has_colon ? "12: 3,1,{2,4}" : "12,3,1,{2,4}"));
  }
  ranking.count = parse_count(line, without_blanks_around(line.text.substr(0, separator)));
  scanner rest{line, line.text.substr(separator + 1)};
  do {
    auto& place = ranking.places.emplace_back();
    if (rest.take('{')) {
      do place.emplace_back(rest.take_until(",}"));
      while (rest.take(','));
      if (!rest.take('}')) throw line.error(place_text(ranking), "'{' without '}'");
    } else {
      place.emplace_back(rest.take_until(","));
    }
    if (!rest.at_end() && !rest.rest().starts_with(',')) {
      throw line.error(place_text(ranking), "got " + in_quotes(rest.rest()) + " after '}', expected ','");
    }
  } while (rest.take(','));
  return ranking;
}
