#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// So many bytes of a file tell its kind.
inline constexpr std::size_t kind_begins = 4096;

/// Whether a file that begins so is surely none of lines of text, or is a page or a document.
bool is_of_another_kind(std::string_view begin);

/// "a Parquet file, expected CSV; this makes CSV of it: ...": what a file that begins so seems to be, and what can be done
/// about it where that is known.
std::string kind_text(std::string_view begin, std::string_view expected);
