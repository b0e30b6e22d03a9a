#pragma once

#include <stdexcept>
#include <string>

/// The text of the std::invalid_argument that the call throws, or what else happened.
template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (std::invalid_argument const& error) {
    return error.what();
  } catch (...) {
    return "another exception";
  }
  return "no error";
}
