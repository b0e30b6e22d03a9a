#include "loss_table.hpp"

#include <prefopt/loss/any.hpp>
#include <string_view>

#include "number_text.hpp"

namespace {

std::string columns_of(prefopt::pair_loss_card const& loss) {
  struct named {
    prefopt::columns kind;
    std::string_view names;
  };
  std::string text{loss.is_modifier ? "those of the base" : "chosen, rejected"};
  for (auto const& [kind, names] :
       {named{prefopt::columns::reference, "ref_chosen, ref_rejected"},
        named{prefopt::columns::length, "chosen_length, rejected_length"}, named{prefopt::columns::margin, "margin"},
        named{prefopt::columns::label, "label"}, named{prefopt::columns::reliability, "reliability"}}) {
    bool const needed = contains(loss.needs, kind);
    if (!needed && !contains(loss.takes, kind)) continue;
    text.append(", ").append(names).append(needed ? "" : " (optional)");
  }
  return text;
}

std::string parameters_of(prefopt::pair_loss_card const& loss) {
  std::string text;
  for (auto const& parameter : loss.parameters) {
    text.append(text.empty() ? "--" : ", --").append(parameter.name).append(" ");
    text.append(number_text(parameter.standard)).append(" (").append(parameter.valid.text()).append(")");
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string loss_table() {
  std::string text{
      "  u = chosen - rejected, h = (chosen - ref_chosen) - (rejected - ref_rejected); mean: each log-probability "
      "divided\n"
      "  by its completion's length; softplus(x) = log(1 + exp(x)), sigma(x) = 1 / (1 + exp(-x)). All take a "
      "weight.\n\n"};
  auto const line = [&](std::string_view label, std::string_view content) {
    text.append("  ").append(label).append(label.size() < 16 ? 16 - label.size() : 1, ' ').append(content).append("\n");
  };
  for (auto const& loss : prefopt::pair_loss_cards()) {
    line(loss.card.name, loss.card.formula);
    line("  parameters", parameters_of(loss));
    line("  columns", columns_of(loss));
    if (loss.is_modifier) {
      std::string bases;
      for (auto const base : loss.bases) bases.append(bases.empty() ? "" : ", ").append(base);
      line("  --base", bases);
    }
    line("  source", loss.card.source);
  }
  return text;
}
