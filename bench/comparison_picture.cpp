#include "comparison_picture.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "input_error.hpp"

namespace {

constexpr auto header = R"(set encoding utf8
set multiplot title TITLE font ",13"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.92
set tics nomirror
set border 3 linecolor rgb "#888888"
set grid ytics linecolor rgb "#dddddd"
set linetype 1 linecolor rgb "#c8c8c8"
set linetype 2 linecolor rgb "#1f6fb4"
set linetype 3 linecolor rgb "#e08214"
set key top left horizontal samplen 1.5
)";

std::string in_gnuplot_quotes(std::string const& text) {
  std::string result = "\"";
  for (char const c : text) result += c == '"' || c == '\\' ? std::string{'\\'} + c : std::string{c};
  return result + '"';
}

/// A case's name below its bars, a line a word.
std::string label_of(std::string name) {
  for (std::string_view const family : {"token_logprobs/", "pair/"}) {
    if (name.starts_with(family)) name.erase(0, family.size());
  }
  std::string label;
  for (char const c : name) label += c == '/' || c == '_' ? std::string{"\\n"} : std::string{c};
  return "\"" + label + "\"";
}

/// One panel of cases that count the same item: bars in 10^9 items per second, or on a logarithmic scale.
std::string panel(std::vector<comparison> const& cases, std::string const& item, bool logarithmic, double left,
                  double right) {
  std::ostringstream script;
  double highest = 0, lowest = 1e30;
  std::ostringstream block;
  for (auto const& c : cases) {
    // The caches' limit would dwarf everything else.
    bool const from_memory = !c.name.ends_with("/in_cache");
    double const limit = from_memory && c.of_limit > 0 ? c.prefopt / c.of_limit : 0;
    block << label_of(c.name) << ' ' << limit / 1e9 << ' ' << c.prefopt / 1e9 << ' ' << c.torch / 1e9 << ' '
          << std::max({limit, c.prefopt, c.torch}) / 1e9 << " \"× ";
    char ratio[32];
    std::snprintf(ratio, sizeof ratio, c.ratio < 10 ? "%.1f" : "%.0f", c.ratio);
    block << ratio << "\"\n";
    highest = std::max({highest, limit, c.prefopt, c.torch});
    lowest = std::min({lowest, c.prefopt, c.torch});
  }
  script << "$" << item << " << END\n"
         << block.str() << "END\n"
         << "set lmargin at screen " << left << "\nset rmargin at screen " << right
         << "\nset tmargin at screen 0.86\nset bmargin at screen 0.24\n"
         << "set ylabel \"10^9 " << item << " per second" << (logarithmic ? ", logarithmic" : "") << "\"\n"
         << (logarithmic ? "set logscale y\n" : "unset logscale y\n") << "set yrange ["
         << (logarithmic ? lowest / 3e9 : 0) << ':' << highest / 1e9 * (logarithmic ? 8 : 1.25) << "]\n"
         << "plot $" << item << " using 2:xtic(1) title \"memory's limit\" linetype 1, '' using 3 title \"prefopt\" "
         << "linetype 2, '' using 4 title \"torch\" linetype 3, '' using 0:5:6 with labels offset 0,0.7 notitle\n";
  return script.str();
}

/// Runs gnuplot on the script; true if it succeeds.
bool run_gnuplot(std::string const& script) {
  std::FILE* const pipe = popen("gnuplot >/dev/null 2>&1", "w");
  if (pipe == nullptr) return false;
  bool const written = std::fwrite(script.data(), 1, script.size(), pipe) == script.size();
  return pclose(pipe) == 0 && written;
}

bool is_installed(std::string const& program) {
  char const* const path = std::getenv("PATH");
  std::istringstream folders{path == nullptr ? "" : path};
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + '/' + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

void check_picture(std::string const& file) {
  if (!file.ends_with(".svg") && !file.ends_with(".png")) {
    throw input_error{"--picture: got " + in_quotes(file) + ", expected a name that ends in .svg or .png"};
  }
  auto const folder = std::filesystem::path{file}.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw input_error{"--picture: " + in_quotes(folder.string()) + " is not a folder"};
  }
  if (!is_installed("gnuplot")) {
    throw input_error{"--picture: gnuplot is not installed (Debian: gnuplot-nox)"};
  }
}

void draw_comparison(comparison_report const& report, std::string const& file) {
  std::vector<comparison> logits, pairs;
  for (auto const& c : report.cases) (c.item == "logits" ? logits : pairs).push_back(c);
  std::string title = "Throughput on one thread (× over the bars: prefopt / torch)";
  for (auto const& fact : report.facts) title += "\n" + fact;
  std::string quoted_title = in_gnuplot_quotes(title);
  for (std::size_t at = 0; (at = quoted_title.find('\n', at)) != std::string::npos;) quoted_title.replace(at, 1, "\\n");
  std::string commands{header};
  commands.replace(commands.find("TITLE"), 5, quoted_title);
  bool const both = !logits.empty() && !pairs.empty();
  double const share =
      both ? 0.06 + 0.86 * static_cast<double>(logits.size()) / static_cast<double>(logits.size() + pairs.size())
           : 0.98;
  if (!logits.empty()) commands += panel(logits, "logits", false, 0.05, share);
  if (!pairs.empty()) commands += panel(pairs, "pairs", true, both ? share + 0.07 : 0.07, 0.99);
  commands += "unset multiplot\n";

  std::string const unfinished = file + ".part";
  std::string const terminal = file.ends_with(".svg")
                                   ? "svg noenhanced size 1500,640 background rgb \"white\" font \"sans,11\""
                                   : "pngcairo noenhanced size 1500,640 font \"sans,11\"";
  bool const drawn =
      run_gnuplot("set terminal " + terminal + "\nset output " + in_gnuplot_quotes(unfinished) + "\n" + commands);
  std::error_code error;
  if (drawn && std::filesystem::file_size(unfinished, error) > 0 && !error) {
    std::filesystem::rename(unfinished, file, error);
    if (!error) return;
  }
  std::filesystem::remove(unfinished, error);
  throw input_error{file + ": gnuplot could not draw it"};
}
