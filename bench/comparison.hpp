#pragma once

#include <optional>
#include <string>
#include <vector>

/// A case that both programs measure, in medians over the repetitions.
struct comparison {
  std::string name;               ///< as prefopt_bench names it
  std::string item;               ///< what is counted: "logits" or "pairs"
  double prefopt = 0, torch = 0;  ///< items per second
  double ratio = 0;               ///< prefopt / torch, each repetition's two runs taken together
  double lowest_ratio = 0, highest_ratio = 0;
  double of_limit = 0;                           ///< prefopt's part of what memory allows
  std::optional<double> prefopt_ulp, torch_ulp;  ///< the largest error of a log-prob
};

/// What was measured, by whom and where.
struct comparison_report {
  std::vector<std::string> facts;  ///< lines on CPU, compilers, versions, date
  std::vector<comparison> cases;
};
