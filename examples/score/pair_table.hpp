#pragma once

#include <cstddef>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <vector>

#include "csv_table.hpp"
#include "number_table.hpp"
#include "score_command.hpp"

/// The columns of a pair_batch, owned, and the annotators.
template <class T>
struct pair_table {
  number_table<prefopt::pair_family, T> numbers;
  std::vector<std::string> annotator;  ///< empty without that column

  std::size_t size() const { return numbers[prefopt::pair_family::chosen].size(); }
  prefopt::pair_batch<T> batch() const { return numbers.batch(); }
};

/// Reads all rows of the file, T being float or double. Every column has to be one that the loss reads (or one that the
/// command ignores), and every value one that it can take; what is not throws an input_error.
template <class T>
pair_table<T> read_pairs(csv_table& file, prefopt::any_pair_loss const& loss, score_command const& command);
