#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Two answers to one prompt, the first of which was liked better.
struct preference {
  std::string prompt, chosen, rejected;
  double weight = 1;
  double margin = 0;
  double label = 1;           ///< probability that chosen is the better one
  std::size_t annotator = 0;  ///< index into the annotators of the set
};

struct preference_set {
  std::vector<preference> pairs;
  std::vector<std::string> annotators;  ///< at least one: the one who stands for all records without a name

  /// Which of the optional fields at least one record has.
  bool has_weight = false, has_margin = false, has_label = false, has_annotator = false;
  std::vector<std::string> unknown_fields;

  std::uint32_t checksum = 0;  ///< CRC-32 of the text
};
