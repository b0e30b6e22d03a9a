#pragma once

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

/// What the user gave cannot be used: the text is one line that says where, what was got and what was expected.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// FILE:LINE: COLUMN: MESSAGE, without the parts that are not known (line 0, empty column).
inline input_error at(std::string_view file, std::size_t line, std::string_view column, std::string_view message) {
  std::string text{file};
  if (line != 0) text += ':' + std::to_string(line);
  text += ": ";
  if (!column.empty()) text.append(column).append(": ");
  return input_error{text.append(message)};
}

/// Runs a program's body: 2 and one line on standard error for what the user can mend, 1 for everything else.
template <class Body>
int run_program(char const* name, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (input_error const& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  } catch (std::invalid_argument const& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "%s: internal error: %s\n", name, error.what());
    return 1;
  }
}
