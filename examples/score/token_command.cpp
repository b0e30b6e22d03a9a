#include "token_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "command_line.hpp"
#include "input_error.hpp"
#include "input_options.hpp"
#include "loss_catalog.hpp"
#include "number_options.hpp"
#include "standard_output.hpp"
#include "token_losses.hpp"

namespace {

constexpr char const* other_modes[] = {"--list", "--unpaired", "--advantages"};

template <std::size_t N>
CLI::IsMember one_of(std::string_view const (&names)[N]) {
  return CLI::IsMember(std::vector<std::string>(std::begin(names), std::end(names)));
}

/// The losses that take the parameter, with commas.
std::string losses_with(std::string_view parameter) {
  std::string names;
  for (auto const& loss : token_losses()) {
    bool const is_first = find_token_loss(loss.card.name) == &loss;
    if (!is_first ||
        std::ranges::find(loss.parameters, parameter, &prefopt::parameter_card::name) == loss.parameters.end()) {
      continue;
    }
    names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}

/// What makes a policy-gradient loss of a surrogate.
class term_options {
 public:
  term_options(CLI::App& app, number_options& numbers) : app_{app}, numbers_{numbers} {
    constexpr char about_kl[] = "KL to the reference";
    constexpr char about_correction[] = "Correction for a sampler whose log-probs differ";
    constexpr char about_aggregation[] = "Aggregation";
    app.add_option("--aggregation", aggregation_, "how the tokens' losses become one; without it as the loss has it")
        ->check(one_of(prefopt::detail::aggregation_mode_names))
        ->group(about_aggregation);
    add("horizon", "what sequence_mean_of_sums_scaled divides each sequence's sum by", "TOKENS", about_aggregation);
    add("denominator", "divides by it instead of the number of tokens, sequences or groups that count", "VALUE",
        about_aggregation);
    app.add_option("--kl", kl_, "the estimate; without it as the loss has it")
        ->check(one_of(prefopt::detail::kl_estimator_names))
        ->group(about_kl);
    add("kl_coefficient", "what it costs", "VALUE", about_kl);
    add("kl_log_ratio_limit", "limits logp - ref_logp, without a gradient outside", "VALUE", about_kl);
    add("kl_value_limit", "limits the estimate likewise", "VALUE", about_kl);
    app.add_flag("--correct_kl", corrects_kl_, "the correction multiplies the estimate, too")->group(about_kl);
    app.add_option("--correction", correction_,
                   "weights e^(old_logp - rollout_logp) of the tokens, or their product or geometric mean over the "
                   "sequence, which multiply the loss and make a column correction")
        ->check(one_of(prefopt::detail::correction_mode_names))
        ->group(about_correction);
    add("correction_low", "the lower bound, 0", "VALUE", about_correction);
    add("correction_high", "the upper bound, 2; inf: none", "VALUE", about_correction);
    add("off_policy_limit",
        "no loss but the KL of tokens with a negative advantage in sequences whose mean of rollout_logp - logp, or of "
        "old_logp - logp without that column, is above it",
        "VALUE", about_correction);
    app.add_flag("--drop_off_policy", drops_off_policy_, "such tokens do not count at all, as if they were masked")
        ->group(about_correction);
    add("entropy_coefficient", "rewards the column entropy", "VALUE", "Other terms");
    add("log_ratio_limit", "limits logp - old_logp, without a gradient outside where the loss's is by the ratio",
        "VALUE", "Other terms");
  }

  void write_to(token_command& command) const {
    write_aggregation(command);
    write_kl(command.loss.kl);
    auto& correction = command.loss.correction;
    if (app_.count("--correction") != 0) correction.mode = prefopt::correction_mode_of(correction_);
    bool const corrects = correction.mode != prefopt::correction_mode::none;
    set("correction_low", correction.low, corrects, "--correction");
    set("correction_high", correction.high, corrects, "--correction");
    set("off_policy_limit", correction.off_policy_limit);
    correction.drops_off_policy = drops_off_policy_;
    if (drops_off_policy_ && !numbers_.value("off_policy_limit")) {
      throw input_error{"--drop_off_policy: expected with it --off_policy_limit"};
    }
    set("entropy_coefficient", command.loss.entropy_coefficient);
    set("log_ratio_limit", command.loss.log_ratio_limit);
    command.loss.kl.is_corrected = corrects_kl_;
    if (corrects_kl_ && !corrects) throw input_error{"--correct_kl: expected with it --correction"};
  }

 private:
  void add(std::string_view name, std::string const& about, std::string const& value_name, std::string const& group) {
    numbers_.add(name, about, value_name, group);
  }

  /// Sets what has been given, which needs another option that is or is not there.
  void set(std::string_view name, double& value, bool is_read = true, std::string_view needs = {}) const {
    auto const given = numbers_.value(name);
    if (!given) return;
    if (!is_read) throw input_error{"--" + std::string{name} + ": expected with it " + std::string{needs}};
    value = *given;
  }

  void write_aggregation(token_command& command) const {
    auto& aggregation = command.loss.aggregation;
    bool const is_given = app_.count("--aggregation") != 0;
    if (is_given) aggregation.mode = prefopt::aggregation_mode_of(aggregation_);
    bool const reads_horizon = aggregation.mode == prefopt::aggregation_mode::sequence_mean_of_sums_scaled;
    auto const horizon = numbers_.value("horizon");
    if (is_given && reads_horizon && !horizon) {
      throw input_error{"--aggregation: " + aggregation_ + " divides by --horizon, which is missing"};
    }
    if (horizon) aggregation.horizon = *horizon;
    if (horizon && !reads_horizon) {
      command.notes.push_back("note: --horizon is read by sequence_mean_of_sums_scaled, not by " +
                              std::string{name_of(aggregation.mode)});
    }
    command.denominator = numbers_.value("denominator");
  }

  void write_kl(prefopt::kl_penalty& kl) const {
    auto const coefficient = numbers_.value("kl_coefficient");
    if (app_.count("--kl") != 0) {
      kl.estimator = prefopt::kl_estimator_of(kl_);
      bool const is_none = kl.estimator == prefopt::kl_estimator::none;
      if (is_none) kl.coefficient = 0;
      if (!is_none && !coefficient && kl.coefficient == 0) {
        throw input_error{"--kl: expected with it --kl_coefficient, 0 for the summary alone"};
      }
    }
    bool const is_read = kl.estimator != prefopt::kl_estimator::none;
    constexpr std::string_view needs = "--kl and an estimator";
    set("kl_coefficient", kl.coefficient, is_read || coefficient == 0.0, needs);
    set("kl_log_ratio_limit", kl.log_ratio_limit, is_read, needs);
    set("kl_value_limit", kl.value_limit, is_read, needs);
    if (corrects_kl_ && !is_read) throw input_error{"--correct_kl: expected with it " + std::string{needs}};
  }

  CLI::App const& app_;
  number_options& numbers_;
  std::string aggregation_, kl_, correction_;
  bool corrects_kl_ = false, drops_off_policy_ = false;
};

/// "--low, --high", of that loss; empty for one without.
std::string options_of(prefopt::token_loss_card const& loss) {
  std::string names;
  for (auto const& parameter : loss.parameters) names.append(names.empty() ? "--" : ", --").append(parameter.name);
  return names;
}

prefopt::token_loss_card const& chosen(std::string const& name) {
  if (name.empty()) throw input_error{"--loss: missing, expected one of " + names_of_token_losses()};
  if (auto const* const found = find_token_loss(name)) return *found;
  if (find_loss(name) != nullptr) {
    throw input_error{"--loss: " + name + " is not a loss of tokens, expected with --tokens one of " +
                      names_of_token_losses()};
  }
  throw input_error{"there is no loss of tokens " + in_quotes(name) + ", known are " + names_of_token_losses()};
}

/// Makes the loss with the parameters that are given, which are then all of its parameters.
void make_loss(token_command& command, prefopt::token_loss_card const& loss, number_options const& parameters,
               number_options const& terms) {
  command.name = loss.card.name;
  prefopt::parameter_values given = parameters.given();
  for (auto const& parameter : loss.parameters) {
    // Some are also terms of every loss.
    if (auto const value = terms.value(parameter.name)) given.emplace_back(parameter.name, *value);
  }
  command.loss = make_token_loss(command.name, given);
  for (auto const& parameter : loss.parameters) {
    auto const is_it = [&](auto const& known) { return known.first == parameter.name; };
    auto const found = std::ranges::find_if(given, is_it);
    command.parameters.emplace_back(parameter.name, found == given.end() ? parameter.standard : found->second);
  }
}

}  // namespace

std::optional<token_command> parse_token_command(int argc, char** argv) {
  CLI::App app{
      "Any policy-gradient loss over a file of the tokens of sampled sequences. Standard output: each token's loss, "
      "before it is aggregated, and the gradient of the aggregated loss by its log-prob. Standard error: a summary.",
      "prefopt_score --tokens"};
  app.footer([] { return token_loss_table(); });
  bool of_tokens = false, prints_losses = false;
  std::string name;
  app.add_flag("--tokens", of_tokens, "tokens of sampled sequences: a row is one")->disable_flag_override();
  for (char const* const other : other_modes) app.add_flag(other)->group("");
  input_options input{app};
  input.add_file(
      "CSV with a header, or JSON objects, as without --tokens. Columns in any order: logp, advantage, and what is "
      "read "
      "of old_logp, ref_logp, rollout_logp, entropy; mask, 1 or true for a token that counts and 0 or false for one "
      "that does not; "
      "sequence and group (any text), the rows of each one after the other, for losses that look at those; token, the "
      "place in the sequence, which then has to rise. These may be there and not be read. All rows are kept in memory, "
      "about as much as the file has");
  app.add_option("--loss", name, "a preset or a surrogate, see below")->type_name("NAME");
  number_options term_numbers{app}, parameters{app};
  term_options const terms{app, term_numbers};
  for (auto const& loss : token_losses()) {
    for (auto const& parameter : loss.parameters) {
      if (term_numbers.has(parameter.name) || parameters.has(parameter.name)) continue;
      parameters.add(parameter.name, "of " + losses_with(parameter.name), "VALUE", "Parameters of the losses");
    }
  }
  input.add_dtype();
  input.add_non_finite("a token that counts with inf or nan: skip leaves it out as if it were masked",
                       {"skip", "propagate"});
  input.add_ignore();
  app.add_flag("--losses", prints_losses, "prints the losses with their formulas, parameters and sources");

  if (!parse_command_line(app, argc, argv)) return {};
  if (prints_losses) {
    write_standard_output(token_loss_table());
    return {};
  }
  for (char const* const other : other_modes) {
    if (app.count(other) != 0) throw input_error{std::string{"--tokens: not with "} + other};
  }
  auto const& loss = chosen(name);
  std::string const its_options = options_of(loss);
  refuse_extras(app, its_options.empty() ? "" : "; the parameters of " + name + " are " + its_options);
  token_command command{make_token_loss(name, {})};
  input.write_to(command);
  make_loss(command, loss, parameters, term_numbers);
  terms.write_to(command);
  return command;
}
