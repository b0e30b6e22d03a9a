#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "oracle/bits.hpp"

namespace oracle {

struct pair {
  real chosen = 0, rejected = 0, ref_chosen = 0, ref_rejected = 0, chosen_length = 1, rejected_length = 1, margin = 0,
       label = 1, reliability = 1, target = 0, scale = 1, chosen_kl = 0, rejected_kl = 0, chosen_deviation = 0,
       rejected_deviation = 0, chosen_sign = 1, rejected_sign = -1, rationale = 0, gold = 0;
};

/// Columns of pairs beyond log-probs.
struct pair_columns {
  bool reference = false, length = false, margin = false, label = false, reliability = false, target = false,
       scale = false, kl = false, deviation = false, sign = false, rationale = false, gold = false;

  friend bool operator==(pair_columns const&, pair_columns const&) = default;
};

/// A column of pairs by name, and what has to be read for it; null: always.
struct pair_column {
  std::string_view name;
  real pair::*value;
  bool pair_columns::*kind;
};
inline constexpr pair_column pair_column_table[]{
    {"chosen", &pair::chosen, nullptr},
    {"rejected", &pair::rejected, nullptr},
    {"ref_chosen", &pair::ref_chosen, &pair_columns::reference},
    {"ref_rejected", &pair::ref_rejected, &pair_columns::reference},
    {"chosen_length", &pair::chosen_length, &pair_columns::length},
    {"rejected_length", &pair::rejected_length, &pair_columns::length},
    {"margin", &pair::margin, &pair_columns::margin},
    {"label", &pair::label, &pair_columns::label},
    {"reliability", &pair::reliability, &pair_columns::reliability},
    {"target", &pair::target, &pair_columns::target},
    {"scale", &pair::scale, &pair_columns::scale},
    {"chosen_kl", &pair::chosen_kl, &pair_columns::kl},
    {"rejected_kl", &pair::rejected_kl, &pair_columns::kl},
    {"chosen_deviation", &pair::chosen_deviation, &pair_columns::deviation},
    {"rejected_deviation", &pair::rejected_deviation, &pair_columns::deviation},
    {"chosen_sign", &pair::chosen_sign, &pair_columns::sign},
    {"rejected_sign", &pair::rejected_sign, &pair_columns::sign},
    {"rationale", &pair::rationale, &pair_columns::rationale},
    {"gold", &pair::gold, &pair_columns::gold}};

/// The columns beyond the two log-probs that a loss may have a gradient by.
inline constexpr real pair::*gradient_columns[]{&pair::margin,           &pair::scale,
                                                &pair::chosen_kl,        &pair::rejected_kl,
                                                &pair::chosen_deviation, &pair::rejected_deviation,
                                                &pair::rationale,        &pair::gold};
inline constexpr std::size_t gradient_column_count = 8;

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
