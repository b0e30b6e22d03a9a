#pragma once

#include <string>

#include "input_error.hpp"
#include "ranks.hpp"

/// Every rank calls. Ranks with other numbers would wait for each other in vain, or add up what does not belong together.
inline void check_same_on_every_rank(double own, std::string const& what, ranks const& all) {
  double first = all.is_first() ? own : 0;
  all.sum({&first, 1});
  all.together([&] {
    if (own != first) throw input_error{"the first rank has " + what};
  });
}
