#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "preference.hpp"

/// Which records are trained on and which are held out. Those that have the same prompt go together: what was trained on
/// one of them would tell of the others. So do those without a prompt that have the same texts, in any order, which count
/// as a prompt; and so they do where all have the one prompt. What is all the same goes alone.
class holdout_split {
 public:
  /// Of these records of the data. Where some go together, at least one prompt is on either side; otherwise throws
  /// input_error if there are no records for one of the two.
  holdout_split(preference_set const& data, std::vector<std::size_t> const& records, double holdout,
                std::uint64_t seed);
  /// Of all records: a fifth of the prompts, rounded down, but one at least, of which the first that come up are held out.
  holdout_split(preference_set const& data, std::mt19937_64& random);

  std::vector<std::size_t> const& training() const { return training_; }
  std::vector<std::size_t> const& held_out() const { return held_out_; }

  /// Of all records: those that share their prompt with another, and the prompts, where a record without one counts
  /// as one.
  std::size_t sharing() const { return sharing_; }
  std::size_t prompts() const { return prompts_; }
  /// For the user, on records that share their prompt.
  std::vector<std::string> notes(preference_set const& data) const;

  /// How many prompts these records are of.
  std::size_t prompts_of(std::span<std::size_t const> records) const;
  /// As many independent records would tell as much, if those of one prompt always went together:
  /// (sum of n)^2 / sum of n^2 for prompts with n records. The number of prompts where all have as many.
  double independent_records(std::span<std::size_t const> records) const;

 private:
  /// Finds the prompts; each one's records in the order of the data.
  std::vector<std::vector<std::size_t>> group(preference_set const& data, std::vector<std::size_t> const& records);
  /// Holds so many prompts out, in the order that comes up.
  void split(std::vector<std::vector<std::size_t>> const& records_of, std::mt19937_64& random, std::size_t held_out);
  /// How many of these records each of their prompts has.
  std::vector<double> sizes(std::span<std::size_t const> records) const;

  std::vector<std::size_t> training_, held_out_;
  std::vector<std::size_t> prompt_of_;  ///< of each record of the data
  std::size_t sharing_ = 0, prompts_ = 0;
  bool has_one_prompt_ = false;  ///< all records have it: there is no other to hold out
};
