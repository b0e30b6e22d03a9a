#pragma once

#include <cstddef>
#include <vector>

#include "oracle/bits.hpp"

namespace oracle {

struct pair {
  real chosen = 0, rejected = 0, ref_chosen = 0, ref_rejected = 0, chosen_length = 1, rejected_length = 1, margin = 0,
       label = 1, reliability = 1;
};

/// Columns of pairs beyond log-probs.
struct pair_columns {
  bool reference = false, length = false, margin = false, label = false, reliability = false;

  friend bool operator==(pair_columns const&, pair_columns const&) = default;
};

/// The pair with chosen and rejected exchanged. What belongs to the pair as a whole stays.
pair swapped(pair const& p);

/// As a loss that reads these columns will see it: what it does not read, at its default; the rest rounded to T.
template <class T>
pair as_read(pair const& p, pair_columns const& read);

/// Pairs as training meets them and beyond: margins from 1e-4 to 1e3 of either sign, on log-probs of up to 1e3.
std::vector<pair> random_pairs(std::size_t count, random_numbers& random);

/// Margins of 0, subnormal ones, +-50, +-1e4, under every kind of label.
template <class T>
std::vector<pair> extreme_pairs();

}  // namespace oracle
