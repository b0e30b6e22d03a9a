#pragma once

#include <llama.h>

#include <filesystem>
#include <string>

#include "input_error.hpp"
#include "quiet_ggml.hpp"

/// What llama.cpp loads from a file, with nothing on standard error, and its complaint in ours.
template <class Load>
auto loaded_by_llama(std::filesystem::path const& file, char const* expected, Load load) {
  quiet_ggml const quiet{llama_log_set};
  auto* const made = load();
  if (made == nullptr) {
    auto const said = quiet.last_error();
    throw error_at(
        file.string(), 0, "",
        std::string{"llama.cpp cannot load it as "} + expected + (said.empty() ? "" : ": " + on_one_line(said)));
  }
  return made;
}
