#include "list_table.hpp"

#include <cmath>
#include <optional>
#include <unordered_map>

#include "number_text.hpp"
#include "score_columns.hpp"

namespace {

constexpr score_column group_column{"group"};

/// Takes the columns away that the file has because of its form only.
std::vector<std::string_view> take_unread_columns(csv_table& file, prefopt::any_list_loss const& loss) {
  constexpr auto of_form = prefopt::columns::reference | prefopt::columns::length | prefopt::columns::reward;
  std::vector<std::string_view> unread;
  for (auto const& column : number_columns<prefopt::list_family>()) {
    if (!contains(of_form, column.kind) || is_read(column, loss) || !file.find(column.name)) continue;
    unread.push_back(column.name);
    file.ignore(column.name);
  }
  return unread;
}

void check_alternatives(csv_table const& file, std::vector<score_column> const& columns,
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

/// Puts the rows that it is shown into groups, and judges what a group as a whole has to be.
template <class T>
class grouping {
 public:
  grouping(csv_table const& file, prefopt::any_list_loss const& loss)
      : file_{file},
        loss_{loss},
        group_{*file.find(group_column.name)},
        reward_{file.find("reward")},
        weight_{file.find("weight")} {}

  /// Of the row that the table got last.
  void add_row(list_table<T>& table) {
    std::string_view const name = file_.text(group_);
    if (name.empty()) throw file_.error(group_, "got empty, expected the name of the row's group");
    if (table.group.empty() || name != table.group.back()) begin(std::string{name}, table);
    table.offsets.back() = static_cast<std::int64_t>(table.candidates());
    last_line_ = file_.line();
    if (weight_) check_weight(table.numbers[prefopt::list_family::weight].back());
    if (reward_) check_reward(table.numbers[prefopt::list_family::reward].back());
  }

  void end(list_table<T> const& table) const {
    if (!loss_.is_square()) return;
    std::size_t const size = static_cast<std::size_t>(table.offsets.back() - table.offsets[table.groups() - 1]);
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
    if (side * side == size) return;
    throw error_at(file_.file(), first_line_, file_.header()[group_],
                   in_quotes(table.group.back()) + " has " + std::to_string(size) + " candidates, " + loss_.name() +
                       " expects a square number");
  }

 private:
  void begin(std::string name, list_table<T>& table) {
    if (!table.group.empty()) {
      end(table);
      ended_.emplace(table.group.back(), last_line_);
    }
    if (auto const ended = ended_.find(name); ended != ended_.end()) {
      throw file_.error(group_, "got " + in_quotes(name) + ", a group whose rows ended in line " +
                                    std::to_string(ended->second) +
                                    "; expected the rows of a group one after the other");
    }
    table.group.push_back(std::move(name));
    table.offsets.push_back(0);
    first_line_ = file_.line();
    if (weight_) first_weight_ = table.numbers[prefopt::list_family::weight].back();
    lines_of_rewards_.clear();
  }

  void check_weight(T weight) const {
    bool const both_nan = std::isnan(weight) && std::isnan(first_weight_);
    if (weight == first_weight_ || both_nan) return;
    throw file_.error(*weight_, "got " + in_quotes(file_.text(*weight_)) + ", expected " + number_text(first_weight_) +
                                    " as in line " + std::to_string(first_line_) + ", where the group begins");
  }

  void check_reward(T reward) {
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

  csv_table const& file_;
  prefopt::any_list_loss const& loss_;
  std::size_t group_;
  std::optional<std::size_t> reward_, weight_;

  std::size_t first_line_ = 0, last_line_ = 0;  // of the current group
  T first_weight_{};
  std::unordered_map<T, std::size_t> lines_of_rewards_;
  std::unordered_map<std::string, std::size_t> ended_;  // the groups before it, with their last lines
};

}  // namespace

template <class T>
list_table<T> read_lists(csv_table& file, prefopt::any_list_loss const& loss, score_command const& command) {
  for (std::string const& name : command.ignored_columns) file.ignore(name);
  list_table<T> lists;
  lists.not_read = take_unread_columns(file, loss);
  std::vector<score_column> columns{group_column};
  for (auto const& column : number_columns<prefopt::list_family>()) columns.push_back(column);
  check_header(file, columns, loss);
  check_alternatives(file, columns, loss);
  number_reader<prefopt::list_family, T> const numbers{file, loss, command};
  grouping<T> groups{file, loss};
  while (file.next_row()) {
    numbers.append_row(file, lists.numbers);
    groups.add_row(lists);
  }
  if (lists.groups() == 0) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  groups.end(lists);
  return lists;
}

template list_table<float> read_lists(csv_table&, prefopt::any_list_loss const&, score_command const&);
template list_table<double> read_lists(csv_table&, prefopt::any_list_loss const&, score_command const&);
