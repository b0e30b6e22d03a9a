#pragma once

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>

#include "input_error.hpp"
#include "standard_output.hpp"

/// Reads the command line into what the options are bound to; false where --help has been printed. What no option takes
/// is left for refuse_extras. Throws an input_error.
inline bool parse_command_line(CLI::App& app, int argc, char const* const* argv) {
  app.allow_extras();
  try {
    app.parse(argc, argv);
  } catch (CLI::Success const& answered) {
    std::ostringstream text;
    app.exit(answered, text, text);
    write_standard_output(text.str());
    return false;
  } catch (CLI::ParseError const& error) {
    throw input_error{error.what()};
  }
  return true;
}

/// Throws an input_error for the first argument that no option takes; the hint ends the message on an unknown option.
inline void refuse_extras(CLI::App const& app, std::string const& hint = "") {
  for (std::string const& extra : app.remaining()) {
    throw input_error{extra.starts_with('-') ? extra + ": unknown option, see --help" + hint
                                             : in_quotes(extra) + ": unexpected argument"};
  }
}

/// Throws an input_error for a folder without a name, which no message on the folder itself could show.
inline void refuse_empty_folder(std::string const& option, std::string const& folder) {
  if (folder.empty()) throw input_error{option + ": is empty, expected a folder"};
}
