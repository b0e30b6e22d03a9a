#pragma once

#include "rankings.hpp"
#include "text_lines.hpp"

/// Whether this is a file of rankings: the first line that is not a comment has a '>', or comments name alternatives.
bool holds_rankings(text_lines const& file);

/// Rankings, one a line in one of the two notations of written_ranking.hpp. Blank lines are skipped, and those that
/// begin with '#'; but where these name alternatives, the file is one of PrefLib's (soc, soi, toc, toi), and the items
/// come in the order in which they are named there, else as they appear. Items that a ranking does not name were not
/// there to be chosen. Throws an input_error.
rankings read_rankings(text_lines const& file);
