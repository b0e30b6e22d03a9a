#pragma once

#include <string>

#include "preference.hpp"
#include "reading_options.hpp"

/// Reads preferences from a file, "-" being standard input: JSON lines, a JSON array or CSV, plain, gzip or zstd. Records
/// may have any of the shapes of README.md, in turn if need be. Our own are a pair,
///     chosen, rejected   text or messages
///     margin             a number, 0 if it is missing
///     label              a number from 0 to 1, 1 if it is missing
///     target, scale, ... a number: a further column of a pair_batch, for losses that read it
/// or ranked,
///     responses          two or more texts
///     rewards            a number for each of them, larger is better
///     target             optional, a probability for each of them
/// or a completion alone,
///     completion         text or messages
///     label              true or false, or a number from 0 to 1: whether, or how probably, it is good
/// and all shapes have
///     prompt             text or messages, optional. The others are completions if it is there, otherwise whole
///                        dialogues: what all begin with is the prompt then, of texts up to the last mark of the
///                        assistant's turn ("\n\nAssistant:") if it has one, otherwise up to a whole word; of a
///                        completion alone up to that mark, otherwise nothing
///     weight             a number >= 0, 1 if it is missing
///     annotator          text or a whole number; records without one share an annotator of their own
/// Throws input_error with file, line and field for everything else, and where memory runs out.
preference_set read_preferences(std::string const& path, reading_options const& options = {});
