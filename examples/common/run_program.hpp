#pragma once

#include <cerrno>
#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "input_error.hpp"
#include "standard_output.hpp"

/// The library's messages begin with its own name and that of the function, which a program's user never called. A
/// loss's name stays: "dpo: beta is -1".
inline std::string_view without_library_name(std::string_view message) {
  for (std::string_view const name :
       {"prefopt::make_pair_loss: ", "prefopt::make_list_loss: ", "prefopt::make_token_loss: ", "prefopt::"}) {
    if (message.starts_with(name)) return message.substr(name.size());
  }
  return message;
}

/// Runs a program's body: 2 and one line on standard error for what the user can mend, 1 for everything else. Output that
/// did not get to where it was sent is a failure, too.
template <class Body>
int run_program(char const* name, Body&& body) {
  auto const tell = [name](char const* kind, std::string_view message) {
    std::fprintf(stderr, "%s: %s%.*s\n", name, kind, static_cast<int>(message.size()), message.data());
  };
  try {
    hold_places_of_closed_streams();
    errno = 0;
    int const status = std::forward<Body>(body)();
    if (status == 0) flush_standard_output();
    return status;
  } catch (input_error const& error) {
    tell("", error.what());
    return 2;
  } catch (std::invalid_argument const& error) {
    tell("", without_library_name(error.what()));
    return 2;
  } catch (std::bad_alloc const&) {
    tell("", "memory ran out, expected less to do at a time");
    return 1;
  } catch (std::exception const& error) {
    tell("internal error: ", error.what());
    return 1;
  }
}
