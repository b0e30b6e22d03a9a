#pragma once

#include <string>
#include <string_view>

#include "input_error.hpp"

/// A name out of the user's file as a message shows it: on one line, in quotes if there is nothing of it.
inline std::string name_text(std::string_view name) { return name.empty() ? in_quotes(name) : on_one_line(name); }
