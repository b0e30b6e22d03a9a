#include "loss_options.hpp"

#include <algorithm>
#include <utility>

#include "command_line.hpp"
#include "input_error.hpp"
#include "number_text.hpp"

namespace {

/// The losses that take the parameter, with commas.
std::string losses_with(std::string_view parameter) {
  std::string names;
  for (auto const& loss : loss_catalog()) {
    if (std::ranges::find(loss.parameters, parameter, &prefopt::parameter_card::name) == loss.parameters.end())
      continue;
    names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}

/// The parameters of the loss and then of its base, at their defaults.
prefopt::parameter_values standard_parameters(std::string const& name, std::string const& base) {
  prefopt::parameter_values all;
  for (std::string const& part : {name, base}) {
    if (loss_entry const* const loss = find_loss(part)) {
      for (auto const& parameter : loss->parameters) all.emplace_back(parameter.name, parameter.standard);
    }
  }
  return all;
}

}  // namespace

loss_options::loss_options(CLI::App& app, std::string const& about_loss) : app_{app} {
  name_option_ = app.add_option("--loss", name_, about_loss)->type_name("NAME");
  app.add_option("--base", base_, "the loss that a modifier modifies")->type_name("NAME");
  for (auto const& loss : loss_catalog()) {
    for (auto const& card : loss.parameters) {
      if (std::ranges::find(parameters_, card.name, &parameter::name) != parameters_.end()) continue;
      parameter& added = parameters_.emplace_back(parameter{card.name, {}});
      bool const is_switch = card.valid.is_whole && card.valid.high == 1;
      added.option = app.add_option("--" + std::string{card.name}, added.value, "of " + losses_with(card.name))
                         ->type_name(is_switch ? "0|1" : "VALUE")
                         ->group("Parameters of the losses");
    }
  }
}

loss_choice loss_options::chosen(std::string_view standard, std::optional<loss_kind> kind) const {
  loss_choice choice;
  choice.name = name_option_->count() == 0 ? std::string{standard} : name_;
  choice.base = base_;
  if (choice.name.empty()) throw input_error{"--loss: missing, expected one of " + names_of_losses(kind)};
  auto all = standard_parameters(choice.name, choice.base);
  std::string hint;
  for (auto const& [name, value] : all) hint.append(hint.empty() ? "--" : ", --").append(name);
  if (!hint.empty()) {
    hint = "; the parameters of " + choice.name + (choice.base.empty() ? "" : " over " + choice.base) + " are " + hint;
  }
  refuse_extras(app_, hint);

  for (auto const& [name, text, option] : parameters_) {
    if (option->count() == 0) continue;
    auto const [value, problem] = parse_number<double>(text);
    if (!problem.empty()) throw input_error{"--" + std::string{name} + ": got " + problem};
    choice.parameters.emplace_back(name, value);
  }
  loss_entry const* const entry = find_loss(choice.name);
  if (entry == nullptr) {
    throw input_error{"there is no loss " + in_quotes(choice.name) + ", known are " + names_of_losses(kind)};
  }
  choice.kind = entry->kind;
  description(choice);  // makes the loss, which throws for what was given; now each parameter has its place among all
  for (auto const& [name, value] : choice.parameters) {
    std::ranges::find(all, name, &prefopt::parameter_values::value_type::first)->second = value;
  }
  choice.parameters = std::move(all);
  return choice;
}
