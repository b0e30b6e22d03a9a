#pragma once

#include <string>
#include <string_view>

/// Makes `content` the file's content in one step: whoever looks, and whenever the program is killed, finds the old
/// file or the new one, whole. Throws input_error if the file cannot be written, and leaves nothing behind then.
void replace_file(std::string const& path, std::string_view content);
