#pragma once

#include "rankings.hpp"
#include "text_lines.hpp"

/// What a file of rankings leaves open.
struct ranking_reading {
  bool has_ties =
      false;  ///< several items in one place are tied; otherwise only the last place may have them, in no order
  unnamed others = unnamed::absent;
};

/// Whether this is a file of rankings: the first line that is not a comment has a '>', or a '=' and
/// no comma, or is the number of alternatives of one of PrefLib's older files; or comments name alternatives.
bool holds_rankings(text_lines const& file);

/// Rankings, one a line in one of the notations of written_ranking.hpp. Blank lines are skipped, and those that begin with
/// '#'; but the files of PrefLib (soc, soi, toc, toi) are known by these, or, the older ones, by their first lines, and the
/// items come in the order in which they are named there, else as they appear. Throws an input_error.
rankings read_rankings(text_lines const& file, ranking_reading const& reading);
