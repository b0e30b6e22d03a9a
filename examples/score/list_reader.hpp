#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "column_table.hpp"
#include "named_rows.hpp"
#include "number_table.hpp"
#include "score_columns.hpp"
#include "score_command.hpp"

/// The columns of a list_batch, owned, and the names of the groups.
template <class T>
struct list_table {
  number_table<prefopt::list_family, T> numbers;
  std::vector<std::int64_t> offsets{0};
  std::vector<std::string> group;  ///< one a group
  std::size_t first_line = 0;

  std::size_t groups() const { return group.size(); }
  std::size_t candidates() const { return numbers[prefopt::list_family::logp].size(); }
  prefopt::list_batch<T> batch() const {
    auto batch = numbers.batch();
    batch.offsets = offsets;
    return batch;
  }
};

/// Puts the rows that it is shown into groups, and judges what a group as a whole has to be.
template <class T>
class list_grouping {
 public:
  list_grouping(column_table const& file, prefopt::any_list_loss const& loss);

  /// Whether the file's current row, which is not added yet, belongs to the group of the last one.
  bool is_of_the_same() const { return names_.is_of_the_same(); }
  /// Of the row that the table got last.
  void add_row(list_table<T>& table);
  /// At the end of a group.
  void end() const;

 private:
  void begin(list_table<T>& table);
  void check_weight(T weight) const;
  void check_reward(T reward);

  column_table const& file_;
  prefopt::any_list_loss const& loss_;
  std::size_t group_;
  std::optional<std::size_t> reward_, weight_;
  bool has_target_;

  named_rows names_;
  std::size_t size_ = 0;  // of the current group
  T first_weight_{};
  double target_ = 0;  ///< the sum so far
  std::unordered_map<T, std::size_t> lines_of_rewards_;
};

/// Reads groups, T being float or double. The standard form has ref_logp, length and reward for every loss, so these may
/// be given and not read. Every other column has to be one that the loss reads (or one that the command ignores), and
/// every value and group one that it can take; what is not throws an input_error.
template <class T>
class list_reader {
 public:
  list_reader(column_table& file, prefopt::any_list_loss const& loss, score_command const& command);

  /// The next groups, until they have at least so many candidates; false behind the last one.
  bool read(list_table<T>& lists, std::size_t most);

  /// Columns of the file that this loss has no use for.
  std::vector<std::string_view> const& not_read() const { return not_read_; }
  /// Lines for the user.
  std::vector<std::string> notes() const { return {note_on_index_, file_.note(), numbers_->note_on_signs()}; }

 private:
  column_table& file_;
  std::string note_on_index_;
  std::vector<std::string_view> not_read_;
  std::optional<number_reader<prefopt::list_family, T>> numbers_;
  std::optional<list_grouping<T>> groups_;
  bool is_ahead_ = false;  ///< the file's current row is of the next groups
};
