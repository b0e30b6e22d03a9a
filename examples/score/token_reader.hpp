#pragma once

#include <cstdint>
#include <prefopt/batch/tokens.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "column_table.hpp"
#include "number_table.hpp"
#include "token_command.hpp"

/// The columns of a token_batch, owned.
template <class T>
struct token_table {
  number_table<prefopt::token_family, T> numbers;
  std::vector<std::int64_t> offsets{0}, group_offsets;  ///< group_offsets: empty without that column

  std::size_t tokens() const { return numbers[prefopt::token_family::log_prob].size(); }
  prefopt::token_batch<T> batch() const {
    auto batch = numbers.batch();
    batch.offsets = offsets;
    if (!group_offsets.empty()) batch.group_offsets = group_offsets;
    return batch;
  }
};

/// What a file of tokens held.
template <class T>
struct read_tokens {
  token_table<T> table;
  bool has_sequences = false;              ///< else each token is one
  std::vector<std::string_view> not_read;  ///< columns that the loss has no use for
  std::vector<std::string> notes;          ///< lines for the user
};

/// Reads all rows. Throws input_error for a column that is missing or unknown, a value that cannot be taken, and rows of
/// a sequence or a group that do not stand one after the other.
template <class T>
read_tokens<T> read_token_file(column_table& file, token_command const& command);
