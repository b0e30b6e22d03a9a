#include "win_mass_tables.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "corruption.hpp"
#include "mean_interval.hpp"
#include "number_text.hpp"
#include "text_table.hpp"

std::string win_mass_tables(bandit_results const& results) {
  std::string text;
  for (std::size_t kind = 0; kind < corruption_kinds; ++kind) {
    auto const first = kind * corruption_strengths;
    std::vector<std::vector<std::string>> rows{{std::string{name_of(corruptions()[first].kind)}},
                                               {"pairs turned over"}};
    for (std::size_t i = first; i < first + corruption_strengths; ++i) {
      rows[0].push_back(number_text(corruptions()[i].strength));
      auto const seeds = results.seeds.size();
      rows[1].push_back(interval_text({&results.turned_pairs[i * seeds], seeds}));
    }
    for (std::size_t name = 0; name < results.names.size(); ++name) {
      rows.push_back({std::string{results.names[name]}});
      for (std::size_t i = first; i < first + corruption_strengths; ++i) {
        rows.back().push_back(interval_text(results.values(i, name)));
      }
    }
    text.append(1, '\n').append(explanation_of(corruptions()[first].kind)).append(1, '\n').append(text_table(rows));
  }
  return text;
}
