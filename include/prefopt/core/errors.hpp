#pragma once

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <prefopt/core/abi.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace PREFOPT_KERNELS {

inline void (*error_handler)(char const* message) = nullptr;

}  // namespace PREFOPT_KERNELS

namespace prefopt::inline PREFOPT_ABI {

/// Called with the message of an error where exceptions are off; must not return.
using error_handler = void (*)(char const* message);

namespace detail {

PREFOPT_COLD inline std::string text(double value) {
  char buffer[32];
  auto const end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

PREFOPT_COLD inline std::string text(std::size_t value) { return std::to_string(value); }

PREFOPT_COLD inline std::string elements(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " element" : " elements");
}

/// Throws std::invalid_argument{"prefopt::" + where + ": " + what}, or hands that text to the error handler.
[[noreturn]] PREFOPT_COLD inline void fail(std::string_view where, std::string_view what) {
  std::string message = "prefopt::";
  message.append(where).append(": ").append(what);
#if defined(__cpp_exceptions)
  throw std::invalid_argument(message);
#else
  if (PREFOPT_KERNELS::error_handler != nullptr) PREFOPT_KERNELS::error_handler(message.c_str());
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
#endif
}

/// The same with a text of several pieces.
[[noreturn]] PREFOPT_COLD inline void fail(std::string_view where, std::initializer_list<std::string_view> pieces) {
  std::string what;
  for (auto const piece : pieces) what.append(piece);
  fail(where, std::string_view{what});
}

}  // namespace detail

/// Replaces what is done with an error where exceptions are off (-fno-exceptions); by default the message goes to
/// standard error and the program aborts. One for the whole program, whatever its files are compiled for. Returns the
/// handler that was set before.
inline error_handler set_error_handler(error_handler handler) noexcept {
  return std::exchange(PREFOPT_KERNELS::error_handler, handler);
}

}  // namespace prefopt::inline PREFOPT_ABI
