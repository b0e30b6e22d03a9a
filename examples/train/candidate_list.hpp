#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "preference.hpp"

/// A response to a prompt: what a policy gives a log-prob.
struct candidate {
  std::string_view prompt, completion;
};

/// The responses of all records, one record's behind the other's. Views of the texts of the set.
class candidate_list {
 public:
  explicit candidate_list(preference_set const& data);

  std::span<candidate const> all() const { return candidates_; }
  /// Where each record's candidates begin, and the end of the last.
  std::span<std::int64_t const> offsets() const { return offsets_; }
  /// Of each record, the candidate with the highest reward.
  std::span<std::int64_t const> best() const { return best_; }

  /// The indices of the candidates of these records.
  void of(std::span<std::size_t const> records, std::vector<std::size_t>& indices) const;

 private:
  std::vector<candidate> candidates_;
  std::vector<std::int64_t> offsets_{0}, best_;
};
