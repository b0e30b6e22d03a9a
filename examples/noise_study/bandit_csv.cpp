#include "bandit_csv.hpp"

#include <cstddef>
#include <string>

#include "corruption.hpp"
#include "mean_interval.hpp"
#include "number_text.hpp"

namespace {

std::string text_of(corruption const& how) {
  return std::string{name_of(how.kind)}.append(1, ',').append(number_text(how.strength));
}

}  // namespace

std::string runs_csv(bandit_results const& results) {
  std::string text = "corruption,strength,seed,method,win_mass,first_choice\n";
  for (std::size_t i = 0; i < corruptions().size(); ++i) {
    for (std::size_t seed = 0; seed < results.seeds.size(); ++seed) {
      for (std::size_t name = 0; name < results.names.size(); ++name) {
        auto const& [win_mass, first_choice] = results.score(i, seed, name);
        text.append(text_of(corruptions()[i]));
        text.append(1, ',').append(std::to_string(results.seeds[seed])).append(1, ',').append(results.names[name]);
        text.append(1, ',').append(number_text(win_mass)).append(1, ',').append(number_text(first_choice));
        text += '\n';
      }
    }
  }
  return text;
}

std::string means_csv(bandit_results const& results) {
  std::string text = "corruption,strength,method,win_mass,half_width\n";
  for (std::size_t kind = 0; kind < corruption_kinds; ++kind) {
    for (std::size_t name = 0; name < results.names.size(); ++name) {
      for (std::size_t i = kind * corruption_strengths; i < (kind + 1) * corruption_strengths; ++i) {
        auto const [mean, half_width] = mean_interval_of(results.values(i, name));
        text.append(text_of(corruptions()[i]));
        text.append(1, ',').append(results.names[name]);
        text.append(1, ',').append(number_text(mean)).append(1, ',').append(number_text(half_width)).append("\n");
      }
    }
  }
  return text;
}
