#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Responses to one prompt and how good each is: ranked by rewards, or a pair of which the first was liked better.
struct preference {
  std::string prompt;
  std::vector<std::string> responses;  ///< two or more; of a pair chosen and rejected
  std::vector<double> rewards;         ///< one a response; of a pair 1 and 0
  std::vector<double> target;          ///< one a response, the probability that it should have; or none
  bool is_pair = false;
  double weight = 1;
  double margin = 0;          ///< of a pair
  double label = 1;           ///< of a pair: probability that chosen is the better one
  std::size_t annotator = 0;  ///< index into the annotators of the set
  std::size_t line = 0;       ///< of the file
};

struct preference_set {
  std::vector<preference> records;
  std::vector<std::string> annotators;  ///< at least one: the one who stands for all records without a name

  /// Which kinds of records there are, and which of the optional fields at least one record has.
  bool has_pairs = false, has_ranked = false;
  bool has_weight = false, has_margin = false, has_label = false, has_annotator = false, has_target = false;
  std::vector<std::string> unknown_fields;

  std::uint32_t checksum = 0;  ///< CRC-32 of the text

  /// What its records are called; a pair among groups is a group of two.
  std::string noun() const { return has_ranked ? "groups" : "pairs"; }
};
