#pragma once

#include <string>

#include "rankings.hpp"

/// Reads a file of rankings ("-" is standard input), one a line in one of the two notations of written_ranking.hpp.
/// Blank lines are skipped, and those that begin with '#'; but where these name alternatives, the file is one of
/// PrefLib's (soc, soi, toc, toi), and the items come in the order in which they are named there, else as they appear.
/// Items that a ranking does not name were not there to be chosen. Throws an input_error.
rankings read_ranking_file(std::string const& path);
