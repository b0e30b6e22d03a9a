#pragma once

#include <string>
#include <unordered_set>

#include "preference_shape.hpp"

/// Finds the fields that nothing reads, names each once, and says of which kind of record it is no field where it is
/// one of another. What belongs to a shape and is not needed is left out.
class unknown_fields {
 public:
  void note(record_fields const& record, preference_shape const& shape, preference const& read,
            preference_reading& reading);

  /// In the order of appearance, with commas.
  std::string const& text() const { return text_; }

 private:
  void add(std::string const& name);

  std::unordered_set<std::string> seen_;
  std::string text_;
};
