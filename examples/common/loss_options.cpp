#include "loss_options.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

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

/// The parameters of the losses, one after the other, at the defaults of the first that has them.
prefopt::parameter_values standard_parameters(std::vector<std::string> const& names) {
  prefopt::parameter_values all;
  for (std::string const& name : names) {
    loss_entry const* const loss = find_loss(name);
    if (loss == nullptr) continue;
    for (auto const& parameter : loss->parameters) {
      auto const is_it = [&](auto const& value) { return value.first == parameter.name; };
      if (std::ranges::find_if(all, is_it) == all.end()) all.emplace_back(parameter.name, parameter.standard);
    }
  }
  return all;
}

/// A sum of losses has each parameter once: one that its losses have by different defaults has to be given.
void check_shared_defaults(std::vector<std::string> const& names, prefopt::parameter_values const& given) {
  for (auto const& [name, first] : standard_parameters(names)) {
    auto const is_it = [&wanted = name](auto const& value) { return value.first == wanted; };
    if (std::ranges::find_if(given, is_it) != given.end()) continue;
    bool differ = false;
    std::string defaults;
    for (std::string const& loss : names) {
      auto const& parameters = find_loss(loss)->parameters;
      auto const own = std::ranges::find(parameters, name, &prefopt::parameter_card::name);
      if (own == parameters.end()) continue;
      differ |= own->standard != first;
      defaults.append(defaults.empty() ? "" : ", ").append(number_text(own->standard)).append(" in ").append(loss);
    }
    if (differ) {
      throw input_error{"--" + std::string{name} + ": by default " + defaults +
                        "; expected one value, which a sum of losses takes for all that have it"};
    }
  }
}

/// "dpo:0.8+bco_pair:0.2+sft": the names and weights, 1 where none is given. Empty for one name without a weight.
std::vector<std::pair<std::string, double>> parts_of(std::string const& text) {
  std::vector<std::pair<std::string, double>> parts;
  if (text.find_first_of("+:") == text.npos) return parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    std::size_t const end = std::min(text.find('+', begin), text.size());
    std::string const part = text.substr(begin, end - begin);
    std::size_t const colon = part.find(':');
    double weight = 1;
    if (colon != part.npos) {
      auto const [value, problem] = parse_number<double>(part.substr(colon + 1));
      if (!problem.empty()) throw input_error{"--loss: the weight of " + part.substr(0, colon) + ": got " + problem};
      weight = value;
    }
    parts.emplace_back(part.substr(0, colon), weight);
    begin = end + 1;
  }
  return parts;
}

}  // namespace

loss_options::loss_options(CLI::App& app, std::string const& about_loss) : app_{app}, parameters_{app} {
  name_option_ = app.add_option("--loss", name_,
                                about_loss +
                                    "; a sum of losses as dpo:0.8+bco_pair:0.2+sft:1, "
                                    "which have parameters of one name at one value")
                     ->type_name("NAME");
  app.add_option("--base", base_, "the loss that a modifier modifies")->type_name("NAME");
  for (auto const& loss : loss_catalog()) {
    for (auto const& card : loss.parameters) {
      if (parameters_.has(card.name)) continue;
      bool const is_switch = card.valid.is_whole && card.valid.high == 1;
      parameters_.add(card.name, "of " + losses_with(card.name), is_switch ? "0|1" : "VALUE",
                      "Parameters of the losses");
    }
  }
}

loss_choice loss_options::chosen(std::string_view standard, std::optional<loss_kind> kind) const {
  loss_choice choice;
  choice.name = name_option_->count() == 0 ? std::string{standard} : name_;
  choice.base = base_;
  if (choice.name.empty()) throw input_error{"--loss: missing, expected one of " + names_of_losses(kind)};
  choice.parts = parts_of(choice.name);
  std::vector<std::string> names{choice.name, choice.base};
  if (!choice.parts.empty()) names.clear();
  for (auto const& part : choice.parts) names.push_back(part.first);
  auto all = standard_parameters(names);
  std::string hint;
  for (auto const& [name, value] : all) hint.append(hint.empty() ? "--" : ", --").append(name);
  if (!hint.empty()) {
    hint = "; the parameters of " + choice.name + (choice.base.empty() ? "" : " over " + choice.base) + " are " + hint;
  }
  refuse_extras(app_, hint);

  choice.parameters = parameters_.given();
  for (std::string const& name : names) {
    if (name.empty() && !choice.parts.empty()) throw input_error{"--loss: a part of the mixture has no name"};
    if (find_loss(name) == nullptr && !(name == choice.base && choice.parts.empty())) {
      throw input_error{"there is no loss " + in_quotes(name) + ", known are " + names_of_losses(kind)};
    }
  }
  choice.kind = choice.parts.empty() ? find_loss(choice.name)->kind : loss_kind::pair;
  for (auto const& [name, value] : choice.parameters) {
    auto const is_it = [&wanted = name](auto const& known) { return known.first == wanted; };
    if (!choice.parts.empty() && std::ranges::find_if(all, is_it) == all.end()) {
      throw input_error{"--" + name + ": no loss of the mixture has it" + hint};
    }
  }
  if (!choice.parts.empty()) check_shared_defaults(names, choice.parameters);
  description(choice);  // makes the loss, which throws for what was given; now each parameter has its place among all
  for (auto const& [name, value] : choice.parameters) {
    std::ranges::find(all, name, &prefopt::parameter_values::value_type::first)->second = value;
  }
  choice.parameters = std::move(all);
  return choice;
}
