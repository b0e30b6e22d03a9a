#include "text_lines.hpp"

#include <cstdint>
#include <utility>

#include "blanks.hpp"
#include "memory_limit.hpp"

namespace {

std::string all_of(text_stream& text) {
  std::uint64_t const most = memory_limit() / 8;  // with what is kept beside each line
  std::string content;
  for (std::string_view next = text.ahead(); !next.empty(); next = text.ahead()) {
    content.append(next);
    if (content.size() > most) {
      throw error_at(text.file(), 0, {},
                     "memory would run out after " + std::to_string(content.size() >> 20) +
                         " MiB, expected a file of rankings that fits, such as its first part");
    }
    text.take(next.size());
  }
  return content;
}

}  // namespace

text_lines::text_lines(text_stream& text) : text_lines{text.file(), all_of(text)} {}

text_lines::text_lines(std::string file, std::string content) : file_{std::move(file)}, content_{std::move(content)} {
  std::string_view rest{content_};
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view const text = rest.substr(0, rest.find_first_of("\r\n"));
    rest.remove_prefix(text.size());
    rest.remove_prefix(rest.starts_with("\r\n") ? 2 : rest.empty() ? 0 : 1);
    if (auto const line = without_blanks_around(text); !line.empty()) lines_.push_back({file_, number, line});
  }
}
