#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <prefopt/train/reference_file.hpp>
#include <span>
#include <string>
#include <vector>

#include "mapped_file.hpp"
#include "tokenizer.hpp"

/// The hidden states that predict the answers of sequences, computed once and kept in a file, tied by a checksum to the
/// sequences and the model. The file: a line that says all that, the rows as they lie in memory, a CRC-32 of both.
class hidden_state_file {
 public:
  /// Calls compute(first, rows) for a sequence and what it likes of those behind it, and so on, unless the file is there;
  /// it returns how many it took. Throws input_error for a file that is of other data or damaged, and if it cannot be
  /// written.
  using computation = std::function<std::size_t(std::size_t first, std::vector<float>& rows)>;
  hidden_state_file(std::string const& path, std::span<tokenized_pair const> sequences, std::size_t width,
                    prefopt::data_checksum const& data, computation const& compute);

  /// [tokens of the answer, width]
  std::span<float const> rows(std::size_t sequence) const;
  /// Whether it was there.
  bool was_there() const { return was_there_; }

 private:
  void write(std::string const& path, std::string const& line, computation const& compute) const;
  void open(std::string const& path, std::string const& line);

  std::vector<std::size_t> begin_;  ///< of each sequence's numbers, and the end of the last
  std::optional<mapped_file> file_;
  float const* first_ = nullptr;
  bool was_there_;
};
