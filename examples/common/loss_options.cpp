#include "loss_options.hpp"

#include <algorithm>
#include <utility>

#include "command_line.hpp"
#include "input_error.hpp"
#include "number_text.hpp"

namespace {

/// The names of the losses that satisfy the condition, with commas.
template <class Condition>
std::string names_of_losses(Condition condition) {
  std::string names;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    if (condition(loss)) names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}

bool has_parameter(prefopt::pair_loss_card const& loss, std::string_view name) {
  return std::ranges::find(loss.parameters, name, &prefopt::parameter_card::name) != loss.parameters.end();
}

/// The parameters of the loss and then of its base, at their defaults.
prefopt::parameter_values standard_parameters(std::string const& name, std::string const& base) {
  prefopt::parameter_values all;
  for (std::string const& part : {name, base}) {
    for (auto const& loss : prefopt::pair_loss_cards()) {
      if (loss.card.name != part) continue;
      for (auto const& parameter : loss.parameters) all.emplace_back(parameter.name, parameter.standard);
    }
  }
  return all;
}

}  // namespace

loss_options::loss_options(CLI::App& app, std::string const& about_loss) : app_{app} {
  name_option_ = app.add_option("--loss", name_, about_loss)->type_name("NAME");
  app.add_option("--base", base_, "the loss that a modifier modifies")->type_name("NAME");
  for (auto const& loss : prefopt::pair_loss_cards()) {
    for (auto const& card : loss.parameters) {
      if (std::ranges::find(parameters_, card.name, &parameter::name) != parameters_.end()) continue;
      parameter& added = parameters_.emplace_back(parameter{card.name, {}});
      auto const takes_it = [&](auto const& any) { return has_parameter(any, card.name); };
      added.option = app.add_option("--" + std::string{card.name}, added.value, "of " + names_of_losses(takes_it))
                         ->type_name("VALUE")
                         ->group("Parameters of the losses");
    }
  }
}

loss_choice loss_options::chosen(std::string_view standard) const {
  loss_choice choice{name_option_->count() == 0 ? std::string{standard} : name_, base_, {}};
  if (choice.name.empty()) {
    throw input_error{"--loss: missing, expected one of " + names_of_losses([](auto const&) { return true; })};
  }
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
  make_loss(choice);  // throws for what was given; after this each parameter has its place among all
  for (auto const& [name, value] : choice.parameters) {
    std::ranges::find(all, name, &prefopt::parameter_values::value_type::first)->second = value;
  }
  choice.parameters = std::move(all);
  return choice;
}
