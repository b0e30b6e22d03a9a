#pragma once

#include <string>
#include <string_view>

/// What a file that is none of ours seems to be, by what it begins with, and what can be done about it where that is
/// known.
std::string file_kind(std::string_view begin);
