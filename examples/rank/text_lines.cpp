#include "text_lines.hpp"

#include <utility>

text_lines::text_lines(input_text input) : file_{std::move(input.file)}, content_{std::move(input.content)} {
  std::string_view rest{content_};
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view const text = rest.substr(0, rest.find_first_of("\r\n"));
    rest.remove_prefix(text.size());
    rest.remove_prefix(rest.starts_with("\r\n") ? 2 : rest.empty() ? 0 : 1);
    if (auto const line = without_blanks_around(text); !line.empty()) lines_.push_back({file_, number, line});
  }
}
