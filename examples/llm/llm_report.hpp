#pragma once

#include <string>

#include "llm_training.hpp"

/// How long the model's own answers to held-out prompts are, in tokens: their mean, of `answers`; none: 0.
struct own_answers {
  std::size_t answers = 0;
  double before = 0, after = 0;
};

/// The table of a run, and its last line.
std::string llm_table(llm_result const& result, own_answers const& own, std::string const& noun);
