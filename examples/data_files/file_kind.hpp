#pragma once

#include <string>
#include <string_view>

/// What a file seems to be, and what can be done about it where that is known.
struct file_kind {
  std::string what, remedy;
};

/// Of a file that is none of ours, by what it begins with.
file_kind kind_of_file(std::string_view begin);
