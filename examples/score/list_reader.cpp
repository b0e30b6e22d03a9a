#include "list_reader.hpp"

#include <cmath>
#include <utility>

#include "number_text.hpp"
#include "score_columns.hpp"

namespace {

constexpr score_column group_column{"group"};

void check_alternatives(column_table const& file, std::vector<score_column> const& columns,
                        prefopt::any_list_loss const& loss) {
  if (loss.one_of() == prefopt::columns::none) return;
  bool const reward = file.find("reward").has_value(), target = file.find("target").has_value();
  if (reward && target) {
    throw error_at(file.file(), file.line(), "target",
                   loss.name() + " reads either reward or target, got both (--ignore reward leaves reward out)");
  }
  if (!reward && !target) {
    throw error_at(file.file(), file.line(), "reward",
                   "missing column; " + loss.name() + " reads " + names_read(columns, loss));
  }
}

/// Leaves out what the command ignores, and what is there and not read; checks the header.
void prepare(column_table& file, prefopt::any_list_loss const& loss, score_command const& command, std::string& note,
             std::vector<std::string_view>& not_read) {
  note = ignore_columns(file, command);
  constexpr auto of_form = prefopt::columns::reference | prefopt::columns::length | prefopt::columns::reward;
  not_read = take_unread_columns(file, number_columns<prefopt::list_family>(), loss, of_form);
  std::vector<score_column> columns{group_column};
  for (auto const& column : number_columns<prefopt::list_family>()) columns.push_back(column);
  check_header(file, columns, loss);
  check_alternatives(file, columns, loss);
}

}  // namespace

template <class T>
list_grouping<T>::list_grouping(column_table const& file, prefopt::any_list_loss const& loss)
    : file_{file},
      loss_{loss},
      group_{*file.find(group_column.name)},
      reward_{file.find("reward")},
      weight_{file.find("weight")},
      has_target_{file.find("target").has_value()},
      names_{file, group_, group_column.name} {}

template <class T>
void list_grouping<T>::add_row(list_table<T>& table) {
  if (size_ != 0 && !is_of_the_same()) end();
  if (names_.add_row()) begin(table);
  ++size_;
  table.offsets.back() = static_cast<std::int64_t>(table.candidates());
  if (weight_) check_weight(table.numbers[prefopt::list_family::weight].back());
  if (reward_) check_reward(table.numbers[prefopt::list_family::reward].back());
  if (has_target_) target_ += static_cast<double>(table.numbers[prefopt::list_family::target].back());
}

template <class T>
void list_grouping<T>::end() const {
  // Probabilities may have two decimals.
  if (has_target_ && std::isfinite(target_) && std::abs(target_ - 1) > 0.005 * static_cast<double>(size_) + 1e-6) {
    throw error_at(file_.file(), names_.first_line(), "target",
                   "sums to " + number_text(target_) + " over the group " + in_quotes(names_.name()) +
                       ", expected probabilities, which sum to 1");
  }
  if (!loss_.is_square()) return;
  auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size_))));
  if (side * side == size_) return;
  throw error_at(file_.file(), names_.first_line(), file_.header()[group_],
                 in_quotes(names_.name()) + " has " + std::to_string(size_) + " candidates, " + loss_.name() +
                     " expects a square number");
}

template <class T>
void list_grouping<T>::begin(list_table<T>& table) {
  table.group.push_back(names_.name());
  table.offsets.push_back(0);
  size_ = 0;
  target_ = 0;
  if (weight_) first_weight_ = table.numbers[prefopt::list_family::weight].back();
  lines_of_rewards_.clear();
}

template <class T>
void list_grouping<T>::check_weight(T weight) const {
  bool const both_nan = std::isnan(weight) && std::isnan(first_weight_);
  if (weight == first_weight_ || both_nan) return;
  throw file_.error(*weight_, "got " + in_quotes(file_.text_of_number(*weight_)) + ", expected " +
                                  number_text(first_weight_) + " as in line " + std::to_string(names_.first_line()) +
                                  ", where the group begins");
}

template <class T>
void list_grouping<T>::check_reward(T reward) {
  if (reward > static_cast<T>(loss_.highest_reward())) {
    throw file_.error(*reward_, "got " + in_quotes(file_.text_of_number(*reward_)) + ", expected at most " +
                                    number_text(loss_.highest_reward()) + " with " + loss_.name());
  }
  if (!loss_.refuses_ties() || std::isnan(reward)) return;
  auto const [seen, is_new] = lines_of_rewards_.emplace(reward, file_.line());
  if (is_new) return;
  throw file_.error(*reward_,
                    "got " + in_quotes(file_.text_of_number(*reward_)) + " as in line " + std::to_string(seen->second) +
                        ", " + loss_.name() +
                        " expects different rewards in a group (--break_ties 1 takes ties in the file's order)");
}

template <class T>
list_reader<T>::list_reader(column_table& file, prefopt::any_list_loss const& loss, score_command const& command)
    : file_{file} {
  prepare(file, loss, command, note_on_index_, not_read_);
  numbers_.emplace(file, loss, command);
  groups_.emplace(file, loss);
}

template <class T>
bool list_reader<T>::read(list_table<T>& lists, std::size_t most) {
  lists = {};
  while (is_ahead_ || file_.next_row()) {
    is_ahead_ = lists.candidates() >= most && !groups_->is_of_the_same();
    if (is_ahead_) return true;
    if (lists.candidates() == 0) lists.first_line = file_.line();
    numbers_->append_row(file_, lists.numbers);
    groups_->add_row(lists);
  }
  if (lists.groups() != 0) groups_->end();
  return lists.groups() != 0;
}

template class list_grouping<float>;
template class list_grouping<double>;
template class list_reader<float>;
template class list_reader<double>;
