#include "data_fields.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>

#include "input_error.hpp"
#include "number_text.hpp"

namespace {

void append(std::string& list, std::string_view name) { list.append(list.empty() ? "" : ", ").append(name); }

bool has_order(std::vector<double> const& values) {
  return std::ranges::adjacent_find(values, std::ranges::not_equal_to{}) != values.end();
}

void check_rewards(preference const& record, std::string const& path, prefopt::any_list_loss const& loss) {
  std::vector<double> sorted = record.rewards;
  std::ranges::sort(sorted);
  if (sorted.back() > loss.highest_reward()) {
    throw error_at(path, record.line, "rewards",
                   "got " + number_text(sorted.back()) + ", expected at most " + number_text(loss.highest_reward()) +
                       " with " + loss.name());
  }
  auto const equal = std::ranges::adjacent_find(sorted);
  if (loss.refuses_ties() && equal != sorted.end()) {
    throw error_at(path, record.line, "rewards",
                   "has " + number_text(*equal) + " more than once, and " + loss.name() +
                       " expects different rewards; with --break_ties 1 equal ones keep their order");
  }
}

void check_targets(preference_set const& data, std::string const& path, std::string const& loss) {
  auto const has_target = [](preference const& record) { return !record.target.empty(); };
  auto const with = std::ranges::find_if(data.records, has_target);
  auto const without = std::ranges::find_if_not(data.records, has_target);
  if (with == data.records.end() || without == data.records.end()) return;
  throw error_at(path, without->line, "target",
                 "is missing, and line " + std::to_string(with->line) + " has one: " + loss +
                     " expects it in all records or in none");
}

/// The number that the loss gets for a record in a column of pairs, or in the label of completions; none if it gets
/// several, or what cannot be refused.
std::optional<double> value_of(preference const& record, preference_set const& data, any_loss const& loss,
                               prefopt::columns kind) {
  if (std::holds_alternative<prefopt::any_unpaired_loss>(loss)) {
    return record.is_completion && kind == prefopt::columns::label ? std::optional{record.rewards[0]} : std::nullopt;
  }
  if (kind == prefopt::columns::label) return record.label;
  for (std::size_t c = 0; c < further_columns; ++c) {
    if (prefopt::pair_family::inputs<double>[first_further + c].kind == kind && data.has_further[c]) {
      return record.further[c];
    }
  }
  return {};
}

void check_values(preference_set const& data, std::string const& path, any_loss const& loss) {
  if (std::holds_alternative<prefopt::any_list_loss>(loss)) return;
  auto const rule = std::visit([](auto const& any) { return any.rule(); }, loss);
  if (rule.kind == prefopt::columns::none) return;
  auto const& inputs = prefopt::pair_family::inputs<double>;
  std::string const name = std::ranges::find(inputs, rule.kind, [](auto const& column) { return column.kind; })->name;
  for (auto const& record : data.records) {
    auto const value = value_of(record, data, loss, rule.kind);
    if (!value || prefopt::is_allowed(*value, rule.values)) continue;
    bool const may_be_missing = !record.is_completion && *value == (name == "label" ? 1 : 0);
    throw error_at(path, record.line, name,
                   "got " + number_text(*value) + (may_be_missing ? ", as where it is missing" : "") + ", expected " +
                       prefopt::expectation_of(rule.values) + " with " + name_of(loss));
  }
}

}  // namespace

bool takes_target(preference_set const& data, any_loss const& loss) {
  return data.has_target && std::holds_alternative<prefopt::any_list_loss>(loss) &&
         reads(loss, prefopt::columns::target);
}

bool gives_further(preference_set const& data, any_loss const& loss, std::size_t c) {
  auto const kind = prefopt::pair_family::inputs<double>[first_further + c].kind;
  return std::holds_alternative<prefopt::any_pair_loss>(loss) && reads(loss, kind) &&
         (data.has_further[c] || kind == prefopt::columns::target);
}

double further_of(preference_set const& data, preference const& pair, std::size_t c) {
  bool const is_difference = !data.has_further[c] && first_further + c == prefopt::pair_family::target;
  return is_difference ? pair.rewards[0] - pair.rewards[1] : pair.further[c];
}

void check_fields(preference_set const& data, std::string const& path, any_loss const& loss) {
  bool const is_unpaired = std::holds_alternative<prefopt::any_unpaired_loss>(loss);
  if (data.has_completions && !is_unpaired) {
    auto const alone = std::ranges::find(data.records, true, &preference::is_completion);
    throw error_at(path, alone->line, "completion",
                   "stands alone, and " + name_of(loss) + " compares responses; losses of single completions are " +
                       names_of_losses(loss_kind::unpaired));
  }
  if (is_unpaired) return check_values(data, path, loss);
  if (needs(loss, prefopt::columns::label) && !data.has_label) {
    throw error_at(path, 0, "label", "is in no record, and " + name_of(loss) + " needs it");
  }
  for (std::size_t c = 0; c < further_columns; ++c) {
    auto const& column = prefopt::pair_family::inputs<double>[first_further + c];
    bool const is_pair_loss = std::holds_alternative<prefopt::any_pair_loss>(loss);
    // A target can be had of the rewards.
    if (!is_pair_loss || !needs(loss, column.kind) || column.kind == prefopt::columns::target) continue;
    if (!data.has_further[c]) {
      throw error_at(path, 0, column.name, "is in no record, and " + name_of(loss) + " needs it");
    }
  }
  check_values(data, path, loss);
  if (takes_target(data, loss)) {
    check_targets(data, path, name_of(loss));
  } else if (auto const* const list_loss = std::get_if<prefopt::any_list_loss>(&loss)) {
    for (auto const& record : data.records) check_rewards(record, path, *list_loss);
  }
  auto const order = takes_target(data, loss) ? &preference::target : &preference::rewards;
  if (std::ranges::none_of(data.records, has_order, order)) {
    throw error_at(path, 0, order == &preference::target ? "target" : "rewards",
                   "has equal numbers only in every record, expected some response that is better than another");
  }
}

std::vector<std::string> notes_on_fields(preference_set const& data, any_loss const& loss) {
  std::vector<std::string> notes;
  std::string unread;
  bool const is_unpaired = std::holds_alternative<prefopt::any_unpaired_loss>(loss);
  if (data.has_weight && !reads_weight(loss)) append(unread, "weight (but sft)");
  if (data.has_margin && !reads(loss, prefopt::columns::margin)) append(unread, "margin");
  if (data.has_label && !reads(loss, prefopt::columns::label)) append(unread, "label");
  if (data.has_annotator && !reads(loss, prefopt::columns::reliability)) append(unread, "annotator");
  if (data.has_target && !reads(loss, prefopt::columns::target)) append(unread, "target");
  if (data.has_label && is_unpaired && reads(loss, prefopt::columns::label)) append(unread, "label of a pair");
  for (std::size_t c = 0; c < further_columns; ++c) {
    auto const& column = prefopt::pair_family::inputs<double>[first_further + c];
    bool const is_pair_loss = std::holds_alternative<prefopt::any_pair_loss>(loss);
    if (data.has_further[c] && !(is_pair_loss && reads(loss, column.kind))) append(unread, column.name);
  }

  auto const order = takes_target(data, loss) ? &preference::target : &preference::rewards;
  if (takes_target(data, loss)) {
    notes.push_back(name_of(loss) + " takes the field target in the place of the rewards");
  }
  if (auto const equal = is_unpaired ? 0 : std::ranges::count_if(data.records, std::not_fn(has_order), order);
      equal != 0) {
    notes.push_back("note: in " + std::to_string(equal) + " of " + std::to_string(data.records.size()) +
                    " records no response is better than another");
  }
  if (!unread.empty()) notes.push_back("note: " + name_of(loss) + " does not read these fields: " + unread);
  return notes;
}
