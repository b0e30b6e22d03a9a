// Tables of every form, JSON lines, an array, CSV, packed or not: every field read as a number and as text.
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "column_table.hpp"
#include "in_memory_file.hpp"
#include "input_error.hpp"

namespace {

/// A table, to its end or to what is wrong with it.
void read_all(column_table& table) {
  static_cast<void>(table.ignore_index());
  std::size_t line = 0, rows = 0;
  while (table.next_row()) {
    promise(table.line() >= line && ++rows < 1000000, "lines of a table go up, and it ends");
    line = table.line();
    for (std::size_t c = 0; c < table.header().size(); ++c) {
      if (table.header()[c].empty()) continue;
      for (auto const read : {0, 1, 2, 3, 4, 5}) {
        try {
          if (read == 0) static_cast<void>(table.number<double>(c, true));
          if (read == 1) static_cast<void>(table.number<float>(c));
          if (read == 2) static_cast<void>(table.text(c).size() + (table.is_absent(c) ? 1 : 0));
          if (read == 3) static_cast<void>(table.text_of_number(c).size());
          if (read == 4) static_cast<void>(table.number<std::uint64_t>(c));
          if (read == 5) static_cast<void>(table.truth<double>(c));
        } catch (input_error const&) {
        }
      }
    }
  }
  static_cast<void>(table.note());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  if (size == 0) return 0;
  std::string_view const text{reinterpret_cast<char const*>(data) + 1, size - 1};
  // A small file that unpacks to much is refused by the limits.
  text_limits const limits{.line = std::size_t{1} << 20, .text = std::uint64_t{1} << 22};
  try {
    auto const names = (data[0] & 1) != 0 ? object_names::any : object_names::same;
    auto const ends = (data[0] & 2) != 0 ? line_ends::any : line_ends::feed;
    read_all(*open_table(std::make_unique<text_stream>(file.with(text), limits, ends), names));
  } catch (input_error const&) {
  }
  return 0;
}
