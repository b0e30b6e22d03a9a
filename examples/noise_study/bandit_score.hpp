#pragma once

/// How good a policy is on held-out contexts with their true rewards.
struct bandit_score {
  double win_mass;      ///< mean probability of the best candidate
  double first_choice;  ///< share of the contexts in which the best candidate is the most probable one
};
