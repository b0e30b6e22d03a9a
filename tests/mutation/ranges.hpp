#pragma once

#include <catch.hpp>
#include <cmath>
#include <limits>

#include "oracle/named_loss.hpp"
#include "refusal.hpp"

/// Each parameter's nearest numbers outside its range, the ones in the tables of the losses, are refused by its name.
template <class Call>
void check_ranges(oracle::named_loss const& standard, Call const& call) {
  double const infinity = std::numeric_limits<double>::infinity();
  for (auto const& p : oracle::parameters_of(standard.name)) {
    if (p.is_whole && p.high == 1) continue;  // a bool
    // Of whole numbers no half is one.
    for (double const outside :
         {p.low_is_in ? std::nextafter(p.low, -infinity) : p.low,
          p.high_is_in ? std::nextafter(p.high, infinity) : p.high, p.is_whole ? p.low + 0.5 : infinity}) {
      auto loss = standard;
      loss.given.emplace_back(p.name, outside);
      auto const said = refusal([&] { call(loss); });
      INFO(oracle::describe(loss) << ": " << said);
      CHECK(said.find(p.name + " is ") != std::string::npos);
    }
  }
}
