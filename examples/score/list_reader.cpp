#include "list_reader.hpp"

#include <cmath>
#include <utility>

#include "number_text.hpp"
#include "score_columns.hpp"

namespace {

constexpr score_column group_column{"group"};

/// Takes the columns away that the file has because of its form only.
std::vector<std::string_view> take_unread_columns(column_table& file, prefopt::any_list_loss const& loss) {
  constexpr auto of_form = prefopt::columns::reference | prefopt::columns::length | prefopt::columns::reward;
  std::vector<std::string_view> unread;
  for (auto const& column : number_columns<prefopt::list_family>()) {
    if (!contains(of_form, column.kind) || is_read(column, loss) || !file.find(column.name)) continue;
    unread.push_back(column.name);
    file.ignore(column.name);
  }
  return unread;
}

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
  not_read = take_unread_columns(file, loss);
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
      weight_{file.find("weight")} {}

template <class T>
void list_grouping<T>::add_row(list_table<T>& table) {
  std::string_view const name = file_.text(group_);
  if (name.empty()) throw file_.error(group_, "got empty, expected the name of the row's group");
  if (size_ == 0 || name != name_) begin(table);
  ++size_;
  table.offsets.back() = static_cast<std::int64_t>(table.candidates());
  last_line_ = file_.line();
  if (weight_) check_weight(table.numbers[prefopt::list_family::weight].back());
  if (reward_) check_reward(table.numbers[prefopt::list_family::reward].back());
}

template <class T>
void list_grouping<T>::end() const {
  if (!loss_.is_square()) return;
  auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size_))));
  if (side * side == size_) return;
  throw error_at(
      file_.file(), first_line_, file_.header()[group_],
      in_quotes(name_) + " has " + std::to_string(size_) + " candidates, " + loss_.name() + " expects a square number");
}

template <class T>
void list_grouping<T>::begin(list_table<T>& table) {
  if (size_ != 0) {
    end();
    ended_.add(name_, last_line_);
  }
  name_ = file_.text(group_);
  if (auto const ended = ended_.find(name_)) {
    throw file_.error(group_, "got " + in_quotes(name_) + ", a group whose rows ended in line " +
                                  std::to_string(*ended) + "; expected the rows of a group one after the other");
  }
  table.group.push_back(name_);
  table.offsets.push_back(0);
  size_ = 0;
  first_line_ = file_.line();
  if (weight_) first_weight_ = table.numbers[prefopt::list_family::weight].back();
  lines_of_rewards_.clear();
}

template <class T>
void list_grouping<T>::check_weight(T weight) const {
  bool const both_nan = std::isnan(weight) && std::isnan(first_weight_);
  if (weight == first_weight_ || both_nan) return;
  throw file_.error(*weight_, "got " + in_quotes(file_.text(*weight_)) + ", expected " + number_text(first_weight_) +
                                  " as in line " + std::to_string(first_line_) + ", where the group begins");
}

template <class T>
void list_grouping<T>::check_reward(T reward) {
  if (reward > static_cast<T>(loss_.highest_reward())) {
    throw file_.error(*reward_, "got " + in_quotes(file_.text(*reward_)) + ", expected at most " +
                                    number_text(loss_.highest_reward()) + " with " + loss_.name());
  }
  if (!loss_.refuses_ties() || std::isnan(reward)) return;
  auto const [seen, is_new] = lines_of_rewards_.emplace(reward, file_.line());
  if (is_new) return;
  throw file_.error(*reward_,
                    "got " + in_quotes(file_.text(*reward_)) + " as in line " + std::to_string(seen->second) + ", " +
                        loss_.name() +
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
