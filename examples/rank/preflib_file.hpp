#pragma once

#include "ranking_file.hpp"

/// Whether this is a file of PrefLib: comments name alternatives, or, as files were written before 2022, the first line is
/// their number, and the next ones begin with a number and a comma.
bool is_preflib(text_lines const& file);

/// The items come in the order in which the file names them. Throws an input_error.
rankings read_preflib(text_lines const& file, ranking_reading const& reading);
