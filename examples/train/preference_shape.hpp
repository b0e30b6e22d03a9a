#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "dialogue.hpp"
#include "left_out.hpp"
#include "preference.hpp"
#include "reading_options.hpp"
#include "record_fields.hpp"
#include "record_texts.hpp"

/// What the shapes read into.
struct preference_reading {
  reading_options const& options;
  preference_set& set;
  left_out& out;
  std::size_t worse_scored = 0;  ///< pairs whose chosen response has the lower score
  /// Of the record that is being read.
  bool has_scores = false, has_equal_scores = false;
};

/// A way in which others write preferences down.
struct preference_shape {
  bool (*fits)(record_fields const& record);
  /// Reads all but the fields of every shape, weight and annotator; returns what such records are called.
  std::string_view (*read)(record_fields const& record, preference_reading& reading, preference& result);
  std::span<std::string_view const> fields;   ///< that it reads
  std::span<std::string_view const> spare{};  ///< that it has, and nothing here needs
};

extern preference_shape const pair_shape, ultrafeedback_shape, openai_shape;
extern preference_shape const ranked_shape, nectar_shape, nemo_shape;
extern preference_shape const completion_shape, alpaca_shape, sharegpt_shape;

/// Whether the field is that of a score of chosen or rejected.
bool is_score(std::string_view field);

/// Of the three kinds of preferences, to be called once the record is known to be one.
void begin_pair(record_fields const& record, preference_reading& reading, preference& pair);
void begin_ranked(preference_reading& reading, preference& ranked, std::vector<double> rewards);
void begin_completion(preference_reading& reading, preference& alone, double label);

constexpr double largest_number = std::numeric_limits<double>::max();
