#include "plain_dialogue.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "blanks.hpp"

namespace {

struct turn_mark {
  std::size_t begin = std::string_view::npos, end = 0;  ///< of the text; npos: there is none
  std::string_view role;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> speakers{
    {{"Human:", "user"}, {"Assistant:", "assistant"}, {"System:", "system"}}};

/// At the beginning of the text, blanks aside, a mark needs no empty line before it.
turn_mark next_mark(std::string_view text, std::size_t from) {
  constexpr std::string_view empty_line = "\n\n";
  auto const at = [&](std::size_t begin, std::size_t name) -> turn_mark {
    for (auto const& [speaker, role] : speakers) {
      if (text.substr(name).starts_with(speaker)) return {begin, name + speaker.size(), role};
    }
    return {};
  };
  if (from == 0) {
    std::size_t const first =
        text.size() - without_blanks_around(text).size() == 0 ? 0 : text.find_first_not_of(" \t\n\v\f\r");
    if (first != text.npos) {
      if (turn_mark const mark = at(0, first); mark.begin != text.npos) return mark;
    }
  }
  for (std::size_t begin = text.find(empty_line, from); begin != text.npos; begin = text.find(empty_line, begin + 1)) {
    if (turn_mark const mark = at(begin, begin + empty_line.size()); mark.begin != text.npos) return mark;
  }
  return {};
}

}  // namespace

std::vector<message> plain_dialogue(std::string_view text) {
  std::vector<message> turns;
  auto const add = [&](std::string_view role, std::string_view said) {
    turns.push_back({std::string{role}, std::string{without_blanks_around(said)}});
  };
  turn_mark mark = next_mark(text, 0);
  if (mark.begin == text.npos) {
    add("user", text);
    return turns;
  }
  if (!without_blanks_around(text.substr(0, mark.begin)).empty()) add("system", text.substr(0, mark.begin));
  while (mark.begin != text.npos) {
    turn_mark const next = next_mark(text, mark.end);
    add(mark.role, text.substr(mark.end, next.begin == text.npos ? text.npos : next.begin - mark.end));
    mark = next;
  }
  if (turns.back().text.empty()) turns.pop_back();
  return turns;
}
