#include "score_tokens.hpp"

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "column_table.hpp"
#include "held_output.hpp"
#include "number_text.hpp"
#include "score_columns.hpp"
#include "summary.hpp"
#include "token_losses.hpp"
#include "token_reader.hpp"

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// ", name value", if the value says something.
std::string with(std::string_view name, double value, double nothing) {
  return value == nothing ? std::string{} : ", " + std::string{name} + " " + number_text(value);
}

void print_loss(token_command const& command) {
  auto const& loss = command.loss;
  std::string text = command.name;
  for (auto const& [name, value] : command.parameters) text += ", " + name + " " + number_text(value);
  print_line("loss", text + with("entropy_coefficient", loss.entropy_coefficient, 0) +
                         with("log_ratio_limit", loss.log_ratio_limit, infinity));
  bool const is_scaled = loss.aggregation.mode == prefopt::aggregation_mode::sequence_mean_of_sums_scaled;
  print_line("aggregation", std::string{name_of(loss.aggregation.mode)} +
                                (is_scaled ? ", horizon " + number_text(loss.aggregation.horizon) : ""));
  if (loss.kl.estimator != prefopt::kl_estimator::none) {
    print_line("kl", std::string{name_of(loss.kl.estimator)} + ", coefficient " + number_text(loss.kl.coefficient) +
                         with("log_ratio_limit", loss.kl.log_ratio_limit, infinity) +
                         with("value_limit", loss.kl.value_limit, infinity) +
                         (loss.kl.is_corrected ? ", corrected" : ""));
  }
  auto const& correction = loss.correction;
  bool const corrects = correction.mode != prefopt::correction_mode::none;
  std::string shown = corrects ? std::string{name_of(correction.mode)} + ", low " + number_text(correction.low) +
                                     ", high " + number_text(correction.high)
                               : std::string{"none"};
  if (corrects || correction.off_policy_limit < infinity) {
    print_line("correction", shown += with("off_policy_limit", correction.off_policy_limit, infinity));
  }
}

template <class T>
void print_report(token_command const& command, read_tokens<T> const& read, prefopt::token_report const& report) {
  auto const& numbers = read.table.numbers;
  print_count("tokens", report.count);
  if (read.has_sequences) {
    print_count("sequences", report.sequences);
    print_count("without a token", report.empty);
  }
  print_line("total", number_text(report.loss));
  print_line("denominator", number_text(report.denominator));
  if (!numbers[prefopt::token_family::old_log_prob].empty()) {
    print_mean("mean ratio", report.mean_ratio);
    print_mean("largest ratio", report.largest_ratio);
    print_mean("clipped low", report.clipped_low);
    print_mean("clipped high", report.clipped_high);
    print_mean("kl to old", report.old_kl);
  }
  if (command.loss.kl.estimator != prefopt::kl_estimator::none) print_mean("kl to reference", report.kl);
  if (!numbers[prefopt::token_family::entropy].empty()) print_mean("entropy", report.entropy);
  bool const masks_sequences = command.loss.correction.off_policy_limit < infinity;
  if (command.loss.correction.mode != prefopt::correction_mode::none || masks_sequences) {
    print_mean("mean correction", report.mean_correction);
    print_mean("effective size", report.effective_sample_size);
  }
  if (!numbers[prefopt::token_family::mask].empty() || command.loss.correction.drops_off_policy)
    print_mean("masked share", report.masked_share);
  print_count("not finite", report.non_finite);
  print_count("skipped", report.skipped);
}

template <class T>
void score_each_token(token_command const& command) {
  auto const file = open_rows(command);
  auto const read = read_token_file<T>(*file, command);
  auto const batch = read.table.batch();
  std::size_t const tokens = read.table.tokens();
  prefopt::options const options{.denominator = command.denominator, .non_finite = command.non_finite};

  struct result {
    std::string_view name;
    std::vector<T> values{};
  };
  std::array<result, 4> results{{{"loss"}, {"d_logp"}, {"d_entropy"}, {"correction"}}};
  auto& [loss, d_logp, d_entropy, correction] = results;
  loss.values.resize(tokens);
  d_logp.values.resize(tokens);
  if (command.loss.entropy_coefficient != 0) d_entropy.values.resize(tokens);
  prefopt::token_outputs<T> outputs{.loss = loss.values, .d_log_prob = d_logp.values};
  if (!d_entropy.values.empty()) outputs.d_entropy = d_entropy.values;
  auto const report = evaluate_tokens(command.loss, batch, outputs, options);
  if (command.loss.correction.mode != prefopt::correction_mode::none) {
    correction.values = corrections(command.loss, batch, options);
  }

  held_output output;
  std::string line;
  auto const add_line = [&](auto const& append) {
    line.clear();
    for (auto const& column : results) {
      if (column.values.empty()) continue;
      if (!line.empty()) line += ',';
      append(column);
    }
    output.append(line += '\n');
  };
  add_line([&](result const& column) { line += column.name; });
  for (std::size_t i = 0; i < tokens; ++i)
    add_line([&](result const& column) { append_number(line, column.values[i]); });
  output.release();
  print_loss(command);
  print_report(command, read, report);
  print_not_read(read.not_read);
  print_notes(command.notes);
  print_notes(read.notes);
}

}  // namespace

void score_tokens(token_command const& command) {
  command.single_precision ? score_each_token<float>(command) : score_each_token<double>(command);
}
