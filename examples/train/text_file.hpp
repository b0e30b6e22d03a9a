#pragma once

#include <string>

/// A whole file, plain or gzip. Throws input_error if it cannot be read, is empty, or is a gzip stream that is broken.
std::string read_text_file(std::string const& path);
