#pragma once

#include "chat_template.hpp"
#include "text_stream.hpp"

/// What becomes of the scores of chosen and rejected: nothing, the margin (their difference), or the label (how probable
/// it is that chosen is the better one if they are rewards: the sigmoid of the difference).
enum class score_use { none, margin, label };

/// How the records of a file become preferences.
struct reading_options {
  chat_template format = chat_template::plain;
  score_use scores = score_use::none;
  bool keep_messages = false;  ///< beside the text that is made of them
  text_limits limits = {};
};
