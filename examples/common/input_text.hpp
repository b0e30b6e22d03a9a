#pragma once

#include <string>

/// A file of input, read whole.
struct input_text {
  std::string file;  ///< as messages name it
  std::string content;
};

/// "-" is standard input. Throws an input_error for a file that cannot be opened or read.
input_text read_input(std::string const& path);
