#include "rank_picture.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "csv_field.hpp"
#include "gnuplot_picture.hpp"
#include "input_error.hpp"
#include "number_text.hpp"
#include "replace_file.hpp"

namespace {

constexpr std::size_t most_items = 200;  // that a picture has room for

/// A text in gnuplot's single quotes, on one line and not endless.
std::string gnuplot_text(std::string const& text) {
  std::string const shown = in_quotes(text);
  std::string quoted{"'"};
  for (char const c : shown.substr(1, shown.size() - 2)) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

}  // namespace

void prepare_pictures(std::string const& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw input_error{"--picture: cannot make the folder " + in_quotes(folder) + ": " + error.message()};
  std::string const probe = (std::filesystem::path{folder} / "ranking.csv").string();
  if (!std::filesystem::exists(probe)) {
    replace_file(probe, "");
    std::filesystem::remove(probe, error);
  }
}

std::string draw_ranking(fitted_category const& category, std::size_t number, rank_command const& command) {
  std::string const name = command.by ? "ranking_" + std::to_string(number) : "ranking";
  auto items = category.order(true);
  std::size_t const all = items.size();
  if (all > most_items) items.resize(most_items);
  auto const& fit = category.fit;
  std::string numbers = "place," + std::string{command.elo ? "rating" : "worth"} + ",lower,upper,item\n", labels;
  for (std::size_t place = 1; place <= items.size(); ++place) {
    std::size_t const item = items[place - 1];
    double const half = fit.standard_error.empty() ? 0 : 1.96 * fit.standard_error[item];
    double const lower = category.drawn ? category.drawn->lower[item] : fit.worth[item] - half;
    double const upper = category.drawn ? category.drawn->upper[item] : fit.worth[item] + half;
    numbers += std::to_string(place) + ',';
    for (double const value : {fit.worth[item], lower, upper}) {
      numbers += number_text(shown_worth(value, command.elo)) + ',';
    }
    append_field(numbers, category.data.items[item]);
    numbers += '\n';
    labels += (place == 1 ? "" : ", ") + gnuplot_text(category.data.items[item]) + ' ' + std::to_string(place);
  }
  std::string const data = name + ".csv";
  replace_file((std::filesystem::path{*command.picture} / data).string(), numbers);

  std::string title =
      all > items.size() ? "the best " + std::to_string(items.size()) + " of " + std::to_string(all) : "";
  if (command.by) title = *command.by + " " + category.name + (title.empty() ? "" : ": " + title);
  std::string commands = "set datafile separator \",\"\n";
  if (!title.empty()) commands += "set title " + gnuplot_text(title) + " noenhanced\n";
  commands += "set xlabel \"" + std::string{command.elo ? "rating" : "worth"} + " and 95 % interval\"\n" +
              "set key off\nset grid\nset ytics scale 0 noenhanced (" + labels + ")\n" + "set yrange [" +
              std::to_string(items.size()) + ".6:0.4]\n" + "plot \"" + data +
              "\" skip 1 using 2:1:3:4 with xerrorbars pointtype 7 linewidth 1.5\n";
  return draw({.name = name,
               .about = "Draws the items' worths, best first",
               .width = 900,
               .height = static_cast<int>(120 + 22 * items.size()),
               .commands = commands,
               .data = data},
              *command.picture);
}
