#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>

#include "preference.hpp"

/// The further columns in a struct that has a pair_batch's by the same names: pointers to its members.
template <class Pairs>
inline constexpr auto further_members_of = [] {
#define PREFOPT_MEMBER_OF_PAIRS(name, ...) &Pairs::name,
  constexpr std::array all{PREFOPT_PAIR_COLUMNS(PREFOPT_MEMBER_OF_PAIRS, )};
#undef PREFOPT_MEMBER_OF_PAIRS
  std::array<decltype(&Pairs::target), further_columns> further{};
  for (std::size_t c = 0; c < further_columns; ++c) further[c] = all[all.size() - further_columns + c];
  return further;
}();
