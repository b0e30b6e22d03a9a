#pragma once

#include <string>

#include "preference.hpp"

/// Reads preferences from a file of one JSON object a line, plain or gzip. A record is a pair,
///     chosen, rejected   text
///     margin             a number, 0 if it is missing
///     label              a number from 0 to 1, 1 if it is missing
///     target, scale, ... a number: a further column of a pair_batch, for losses that read it
/// or ranked,
///     responses          two or more texts
///     rewards            a number for each of them, larger is better
///     target             optional, a probability for each of them
/// or a completion alone,
///     completion         text
///     label              true or false, or a number from 0 to 1: whether, or how probably, it is good
/// and all kinds have
///     prompt             text, optional. The others are completions if it is there, otherwise whole dialogues: what
///                        all begin with is the prompt then, up to the last mark of the assistant's turn
///                        ("\n\nAssistant:") if it has one, otherwise up to a whole word
///     weight             a number >= 0, 1 if it is missing
///     annotator          text or a whole number; records without one share an annotator of their own
/// Throws input_error with file, line and field for everything else.
preference_set read_preferences(std::string const& path);
