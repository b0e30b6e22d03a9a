#include "token_reader.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "input_error.hpp"
#include "named_rows.hpp"
#include "number_text.hpp"
#include "score_columns.hpp"

namespace {

using prefopt::columns;
using prefopt::presence;
using prefopt::token_family;

/// The names in files, in the order of the family's columns.
constexpr std::string_view number_names[] = {"logp",      "old_logp", "ref_logp", "rollout_logp",
                                             "advantage", "mask",     "entropy"};
static_assert(std::size(number_names) == token_family::input_count);

/// Columns that place a token; no loss names them, so they have bits that no column has.
constexpr auto of_sequence = static_cast<columns>(1U << 30), of_group = static_cast<columns>(1U << 29),
               every_kind = static_cast<columns>(~0U);

/// What a policy-gradient loss reads, asked as any loss is.
class columns_of_loss {
 public:
  explicit columns_of_loss(token_command const& command) : name_{command.name} {
    auto const& loss = command.loss;
    auto const& facts = loss.surrogate.facts();
    auto const mode = loss.aggregation.mode;
    auto const correction = loss.correction.mode;
    bool const masks_sequences = loss.correction.off_policy_limit < std::numeric_limits<double>::infinity();
    needs_ = facts.needs;
    takes_ = facts.takes | columns::old_policy | columns::entropy;
    if (loss.kl.estimator != prefopt::kl_estimator::none) needs_ = needs_ | columns::reference;
    if (prefopt::detail::uses_ratio(loss.kl.estimator)) needs_ = needs_ | columns::old_policy;
    if (correction != prefopt::correction_mode::none) needs_ = needs_ | columns::rollout | columns::old_policy;
    if (masks_sequences) takes_ = takes_ | columns::rollout;
    if (loss.entropy_coefficient != 0) needs_ = needs_ | columns::entropy;
    is_by_sequence_ = facts.surrogate.decay != 0;
    bool const of_tokens = mode == prefopt::aggregation_mode::token_mean ||
                           mode == prefopt::aggregation_mode::token_sum ||
                           mode == prefopt::aggregation_mode::prompt_mean;
    takes_ = takes_ | of_sequence | of_group;
    if (!of_tokens || masks_sequences || correction >= prefopt::correction_mode::sequence_truncate ||
        loss.surrogate.template ref<double>().kernels.statistic != nullptr) {
      needs_ = needs_ | of_sequence;
    }
    if (mode == prefopt::aggregation_mode::prompt_mean) needs_ = needs_ | of_group;
  }

  std::string const& name() const { return name_; }
  bool needs(columns kind) const { return contains(needs_, kind); }
  bool reads(columns kind) const { return contains(needs_ | takes_, kind); }
  /// Whether the distance between tokens counts.
  bool counts_places() const { return is_by_sequence_; }

 private:
  std::string name_;
  columns needs_ = columns::none, takes_ = columns::none;
  bool is_by_sequence_ = false;
};

std::vector<score_column> columns_of_tokens() {
  std::vector<score_column> all{{"group", presence::as_read, of_group},
                                {"sequence", presence::as_read, of_sequence},
                                {"token", presence::optional, of_sequence}};
  for (std::size_t c = 0; c < token_family::input_count; ++c) {
    auto const& row = token_family::inputs<double>[c];
    all.push_back({number_names[c], row.when, row.kind, row.range});
  }
  return all;
}

/// Puts rows into sequences and groups.
template <class T>
class sequence_rows {
 public:
  sequence_rows(column_table const& file, bool counts_places) : file_{file}, counts_places_{counts_places} {
    if (auto const place = file.find("group")) {
      group_place_ = *place;
      groups_.emplace(file, *place, "group");
    }
    if (auto const place = file.find("sequence")) sequences_.emplace(file, *place, "sequence");
    if (sequences_) place_ = file.find("token");
  }

  /// The current row, before its numbers are in the table.
  void add(token_table<T>& table) {
    bool const is_same_sequence = sequences_ && sequences_->is_of_the_same();
    if (is_same_sequence && groups_ && !groups_->is_of_the_same()) {
      throw file_.error(group_place_, "got " + in_quotes(file_.text(group_place_)) + ", expected " +
                                          in_quotes(groups_->name()) + " as in line " +
                                          std::to_string(sequences_->first_line()) + ", where the sequence begins");
    }
    bool const begins = !sequences_ || sequences_->add_row();
    if (begins && table.tokens() != 0) table.offsets.push_back(static_cast<std::int64_t>(table.tokens()));
    if (groups_ && groups_->add_row()) {
      table.group_offsets.push_back(static_cast<std::int64_t>(table.offsets.size()) - 1);
    }
    if (place_) check_place(begins);
  }

  /// Behind the last row.
  void end(token_table<T>& table) const {
    table.offsets.push_back(static_cast<std::int64_t>(table.tokens()));
    if (groups_) table.group_offsets.push_back(static_cast<std::int64_t>(table.offsets.size()) - 1);
  }

 private:
  void check_place(bool begins) {
    auto const at = file_.number<std::uint64_t>(*place_);
    if (!begins && (at <= last_ || (counts_places_ && at - last_ != 1))) {
      throw file_.error(*place_, "got " + in_quotes(file_.text_of_number(*place_)) + " behind " +
                                     std::to_string(last_) + ", expected " +
                                     (counts_places_ ? std::to_string(last_ + 1) + ", as distances count with this loss"
                                                     : "the tokens of a sequence in their order"));
    }
    last_ = at;
  }

  column_table const& file_;
  bool counts_places_;
  std::size_t group_place_ = 0;
  std::optional<named_rows> groups_, sequences_;
  std::optional<std::size_t> place_;
  std::uint64_t last_ = 0;
};

/// Reads the numbers of rows.
template <class T>
class token_numbers {
 public:
  token_numbers(column_table const& file, token_command const& command) : command_{command} {
    for (std::size_t c = 0; c < token_family::input_count; ++c) {
      auto const place = file.find(number_names[c]);
      if (!place) continue;
      if (c == token_family::mask) {
        mask_ = place;
      } else {
        sources_.emplace_back(*place, c);
      }
    }
  }

  void append_row(column_table const& file, number_table<token_family, T>& table) {
    bool const counts = !mask_ || append_mask(file, table);
    bool has_positive = false;
    for (auto const& [place, column] : sources_) {
      // What stands at a token that does not count may be missing, too.
      bool const is_missing = !counts && file.text_of_number(place).empty();
      T const value = is_missing ? std::numeric_limits<T>::quiet_NaN() : file.number<T>(place);
      if (counts && command_.non_finite == prefopt::on_invalid::error && !std::isfinite(value)) {
        throw file.error(place, "got " + in_quotes(file.text_of_number(place)) +
                                    ", expected a finite number (--non-finite skip or propagate allows others)");
      }
      has_positive |= counts && value > 0 && column != token_family::advantage && column != token_family::entropy;
      table.columns[column].push_back(value);
    }
    ++rows_;
    positive_rows_ += has_positive ? 1 : 0;
  }

  std::string note_on_signs() const { return ::note_on_signs(positive_rows_, rows_); }

 private:
  bool append_mask(column_table const& file, number_table<token_family, T>& table) {
    T const value = file.truth<T>(*mask_);
    if (value != 0 && value != 1) {
      throw file.error(*mask_, "got " + in_quotes(file.text_of_number(*mask_)) + ", expected 0 or 1");
    }
    table.columns[token_family::mask].push_back(value);
    return value != 0;
  }

  token_command const& command_;
  std::optional<std::size_t> mask_;                           ///< its place in the file
  std::vector<std::pair<std::size_t, std::size_t>> sources_;  ///< place, column of the others
  std::size_t rows_ = 0, positive_rows_ = 0;
};

}  // namespace

template <class T>
read_tokens<T> read_token_file(column_table& file, token_command const& command) {
  read_tokens<T> read;
  std::string const note_on_index = ignore_columns(file, command);
  columns_of_loss const loss{command};
  auto const all = columns_of_tokens();
  read.not_read = take_unread_columns(file, all, loss, every_kind);
  check_header(file, all, loss);
  if (!file.find("sequence") && file.find("token")) {
    read.not_read.emplace_back("token");
    file.ignore("token");
  }
  sequence_rows<T> sequences{file, loss.counts_places()};
  token_numbers<T> numbers{file, command};
  while (file.next_row()) {
    sequences.add(read.table);
    numbers.append_row(file, read.table.numbers);
  }
  if (read.table.tokens() == 0) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  sequences.end(read.table);
  read.has_sequences = file.find("sequence").has_value();
  read.notes = {note_on_index, file.note(), numbers.note_on_signs()};
  return read;
}

template read_tokens<float> read_token_file(column_table&, token_command const&);
template read_tokens<double> read_token_file(column_table&, token_command const&);
