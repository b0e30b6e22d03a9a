#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

/// Standard output that is held back until it is known that all of it can be made. What does not fit into some memory is
/// in a file without a name, in the folder TMPDIR or /tmp.
class held_output {
 public:
  /// Throws input_error if the file cannot be written.
  void append(std::string_view text);

  /// Writes all of it. Throws input_error if standard output cannot be written.
  void release();

 private:
  struct closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void spill();
  [[noreturn]] static void fail(char const* what);

  std::string text_;  ///< behind what the file has
  std::unique_ptr<std::FILE, closer> file_;
};
