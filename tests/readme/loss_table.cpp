// Prints the README's table of losses from the one list.

#include <cstdio>
#include <prefopt/loss/any.hpp>
#include <string>

int main() {
  std::printf(
      "| loss | value per pair | parameters (default) | reads besides log-probs | source |\n|---|---|---|---|---|\n");
  for (auto const& entry : prefopt::pair_loss_cards()) {
    std::string parameters, reads;
    for (auto const& p : entry.parameters) {
      parameters += (parameters.empty() ? "" : ", ") + std::string{p.name} + " " + p.valid.text() + " (" +
                    prefopt::detail::text(p.standard) + ")";
    }
    auto const add = [&](prefopt::columns which, char const* name) {
      bool const needed = contains(entry.needs, which), taken = contains(entry.takes, which);
      if (needed || taken) reads += (reads.empty() ? "" : ", ") + std::string{name} + (needed ? "" : " if given");
    };
    add(prefopt::columns::reference, "reference");
    add(prefopt::columns::length, "lengths");
    add(prefopt::columns::margin, "margin");
    add(prefopt::columns::label, "label");
    add(prefopt::columns::reliability, "reliability");
    std::printf("| `%s%s` | %s | %s | %s | %s |\n", std::string{entry.card.name}.c_str(),
                entry.is_modifier ? "<L>" : "", std::string{entry.card.formula}.c_str(), parameters.c_str(),
                reads.c_str(), std::string{entry.card.source}.c_str());
  }
}
