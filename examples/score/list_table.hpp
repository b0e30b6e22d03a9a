#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "csv_table.hpp"
#include "number_table.hpp"
#include "score_command.hpp"

/// The columns of a list_batch, owned, and the names of the groups.
template <class T>
struct list_table {
  number_table<prefopt::list_family, T> numbers;
  std::vector<std::int64_t> offsets{0};
  std::vector<std::string> group;          ///< one a group
  std::vector<std::string_view> not_read;  ///< columns of the file that this loss has no use for

  bool has(prefopt::list_family::input column) const { return !numbers[column].empty(); }
  std::size_t groups() const { return group.size(); }
  std::size_t candidates() const { return numbers[prefopt::list_family::logp].size(); }
  prefopt::list_batch<T> batch() const {
    auto batch = numbers.batch();
    batch.offsets = offsets;
    return batch;
  }
};

/// Reads all rows of the file, T being float or double. The standard form has ref_logp, length and reward for every
/// loss, so these may be given and not read. Every other column has to be one that the loss reads (or one that the
/// command ignores), and every value and group one that it can take; what is not throws an input_error.
template <class T>
list_table<T> read_lists(csv_table& file, prefopt::any_list_loss const& loss, score_command const& command);
