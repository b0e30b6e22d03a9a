#pragma once

#include <string>

#include "preference.hpp"

/// Reads preferences from a file of one JSON object a line, plain or gzip.
///     chosen, rejected   text: the completions if there is a `prompt`, otherwise whole dialogues. What both begin with
///                        is the prompt then, up to the last mark of the assistant's turn ("\n\nAssistant:") if it has
///                        one, otherwise up to a whole word
///     prompt             text, optional
///     weight             a number >= 0, 1 if it is missing
///     margin             a number, 0 if it is missing
///     label              a number from 0 to 1, 1 if it is missing
///     annotator          text or a whole number; records without one share an annotator of their own
/// Throws input_error with file, line and field for everything else.
preference_set read_preferences(std::string const& path);
