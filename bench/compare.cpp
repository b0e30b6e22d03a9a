#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "benchmark_program.hpp"
#include "build_comparison.hpp"
#include "command_line.hpp"
#include "comparison.hpp"
#include "comparison_picture.hpp"
#include "cpu_name.hpp"
#include "middle_of.hpp"
#include "number_text.hpp"
#include "progress.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"

namespace {

struct settings {
  std::string build, against, picture, only, repetitions = "5", seconds = "0.2";
  std::vector<std::string> torch;
  unsigned repetition_count = 0;
  double seconds_of_run = 0;
};

bool parse(settings& chosen, int argc, char const* const* argv) {
  CLI::App app{
      "Measures prefopt against torch, case by case and in turns, and prints a table: throughput, its part of\n"
      "what memory allows, and how many times as fast as torch. Every ratio is taken from two runs one after\n"
      "the other, and the median over the repetitions is shown with the lowest and the highest. Or, with --against,\n"
      "measures two builds of prefopt in turns: whether a change made anything faster, or slower.",
      "compare"};
  app.add_option("BUILD_DIR", chosen.build, "Where the project has been built: BUILD_DIR/bench has the programs");
  app.add_option("--against", chosen.against, "Another build: its benchmarks instead of torch's; ratios are times")
      ->type_name("DIR");
  app.add_option("--torch", chosen.torch,
                 "Compare with this program; given again, with another one, too: a table each (default:\n"
                 "BUILD_DIR/bench/prefopt_bench_torch)")
      ->type_name("PROGRAM")
      ->allow_extra_args(false);
  app.add_option("--picture", chosen.picture, "Draw the first table in this file, .svg or .png (by gnuplot)")
      ->type_name("FILE");
  app.add_option("--only", chosen.only, "Only the cases whose name contains this text")->type_name("TEXT");
  app.add_option("--repetitions", chosen.repetitions, "How often each case is measured")
      ->type_name("COUNT")
      ->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "How long a measurement lasts at least")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.footer(
      "Examples\n"
      "  build/bench/compare build --picture docs/compare.svg\n"
      "  build/bench/compare build --only pair/dpo --repetitions 9\n"
      "  build/bench/compare build --against ../before/build --only list/\n"
      "  build/bench/compare build --torch build/bench/prefopt_bench_torch --torch ../other/bench/prefopt_bench_torch\n"
      "  ATEN_CPU_CAPABILITY=avx512 build/bench/compare build    (torch with its AVX-512 code, which it may not "
      "choose)\n"
      "\n"
      "cmake/bench.sh builds all of this, torch as Debian and as PyPI have it and torch.compile, and runs it.\n"
      "\n"
      "The cases that both programs have are compared; torch's forward_backward stands against\n"
      "forward_backward_inplace. All of them need some 4 GiB of memory. Keep the machine quiet meanwhile.");
  if (!parse_command_line(app, argc, argv)) return false;
  refuse_extras(app);
  if (chosen.build.empty()) throw input_error{"BUILD_DIR: not given, see --help"};
  if (!chosen.against.empty() && !chosen.picture.empty()) {
    throw input_error{"--picture: is of prefopt and torch, and does not go with --against"};
  }
  if (!chosen.against.empty() && !chosen.torch.empty()) {
    throw input_error{"--torch: does not go with --against, which compares two builds of prefopt"};
  }
  auto const count = parse_number<unsigned>(chosen.repetitions);
  if (!count.problem.empty() || count.value < 1 || count.value > 1000) {
    throw input_error{"--repetitions: got " + in_quotes(chosen.repetitions) +
                      ", expected a whole number from 1 to 1000"};
  }
  auto const seconds = parse_number<double>(chosen.seconds);
  if (!seconds.problem.empty() || !(seconds.value > 0) || seconds.value > 3600) {
    throw input_error{"--seconds: got " + in_quotes(chosen.seconds) + ", expected a number > 0, at most 3600"};
  }
  chosen.repetition_count = count.value;
  chosen.seconds_of_run = seconds.value;
  return true;
}

/// A case of both, as the one and the other name it.
using common_case = std::pair<std::string, std::string>;

/// Those whose name contains the text; perhaps none.
std::vector<common_case> common_cases(benchmark_program const& prefopt, benchmark_program const& torch,
                                      std::string const& text) {
  auto const theirs = torch.cases();
  std::vector<common_case> common;
  for (std::string const& name : prefopt.cases()) {
    std::string like = name;
    std::string const in_place = "_inplace";
    if (auto const at = like.find(in_place); at != std::string::npos) like.erase(at, in_place.size());
    if (name.find(text) == std::string::npos || std::find(theirs.begin(), theirs.end(), like) == theirs.end()) continue;
    common.emplace_back(name, like);
  }
  return common;
}

struct measured {
  std::vector<double> prefopt, torch, ratio, of_limit;
};

std::string rate_of(nlohmann::json const& counters, std::string const& name) {
  for (char const* item : {"logits", "pairs"}) {
    if (counters.contains(std::string{item} + "_per_second")) return item;
  }
  throw input_error{name + ": counts neither logits_per_second nor pairs_per_second"};
}

comparison_report measure(settings const& chosen, benchmark_program const& prefopt, benchmark_program const& torch,
                          std::vector<common_case> const& cases) {
  progress shown;
  comparison_report report;
  nlohmann::json ours_context, theirs_context;
  std::vector<measured> runs(cases.size());
  std::size_t const all = cases.size() * chosen.repetition_count;
  std::size_t done = 0;
  report.cases.resize(cases.size());
  for (unsigned repetition = 0; repetition < chosen.repetition_count; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      shown.show(cases[i].first, done++, all);
      auto const ours = prefopt.run(cases[i].first, chosen.seconds_of_run);
      auto const theirs = torch.run(cases[i].second, chosen.seconds_of_run);
      comparison& c = report.cases[i];
      c.name = cases[i].first;
      c.item = rate_of(ours.counters, c.name);
      std::string const rate = c.item + "_per_second";
      double const a = ours.counters.value(rate, NAN), b = theirs.counters.value(rate, NAN);
      if (!(a > 0) || !(b > 0)) throw input_error{c.name + ": no " + rate + " in both programs' results"};
      runs[i].prefopt.push_back(a);
      runs[i].torch.push_back(b);
      runs[i].ratio.push_back(a / b);
      runs[i].of_limit.push_back(ours.counters.value("of_limit", 0.0));
      auto const error_in = [](nlohmann::json const& counters) {
        return counters.contains("log_prob_ulp") ? std::optional{counters["log_prob_ulp"].get<double>()} : std::nullopt;
      };
      c.prefopt_ulp = error_in(ours.counters);
      c.torch_ulp = error_in(theirs.counters);
      ours_context = ours.context;
      theirs_context = theirs.context;
    }
    if (repetition == 0) shown.line("compare: " + std::to_string(cases.size()) + " cases measured once");
  }
  shown.clear();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    comparison& c = report.cases[i];
    c.prefopt = middle_of(runs[i].prefopt);
    c.torch = middle_of(runs[i].torch);
    c.ratio = middle_of(runs[i].ratio);
    auto const [lowest, highest] = std::minmax_element(runs[i].ratio.begin(), runs[i].ratio.end());
    c.lowest_ratio = *lowest;
    c.highest_ratio = *highest;
    c.of_limit = middle_of(runs[i].of_limit);
  }
  auto const fact = [](nlohmann::json const& context, char const* name) {
    return context.value(name, std::string{"unknown"});
  };
  report.facts = {cpu_name() + ", " + fact(ours_context, "date").substr(0, 10),
                  "prefopt: " + fact(ours_context, "compiler") + ", " + fact(ours_context, "instruction_set") +
                      "; torch " + fact(theirs_context, "torch") + ", " + fact(theirs_context, "instruction_set")};
  return report;
}

/// The same number of digits, whatever the size: 1.23 G.
std::string short_number(double value) {
  char text[32];
  constexpr std::pair<double, char const*> units[]{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {0, "  "}};
  for (auto const& [unit, name] : units) {
    if (value < unit) continue;
    double const scaled = unit > 0 ? value / unit : value;
    std::snprintf(text, sizeof text, scaled < 10 ? "%.2f%s" : scaled < 100 ? "%.1f%s" : "%.0f%s", scaled, name);
    return text;
  }
  return "nan";
}

std::string table(comparison_report const& report) {
  std::size_t widest = 4;
  for (auto const& c : report.cases) widest = std::max(widest, c.name.size());
  int const width = static_cast<int>(widest);
  std::string text;
  for (auto const& fact : report.facts) text += fact + "\n";
  char line[512];
  auto const add = [&](auto... values) {
    std::snprintf(line, sizeof line, "%-*s %7s %9s %9s %9s %8s %17s %10s %10s", width, values...);
    text += std::string{line} + "\n";
  };
  text += "\n";
  add("case", "of what", "prefopt/s", "of_limit", "torch/s", "ratio", "from .. to", "ULP", "torch ULP");
  std::size_t lost = 0;
  for (auto const& c : report.cases) {
    char ratio[32], range[64], of_limit[32];
    auto const digits = [](double x) { return x < 10 ? 2 : x < 100 ? 1 : 0; };
    std::snprintf(ratio, sizeof ratio, "%.*f", digits(c.ratio), c.ratio);
    std::snprintf(range, sizeof range, "%.*f .. %.*f", digits(c.lowest_ratio), c.lowest_ratio, digits(c.highest_ratio),
                  c.highest_ratio);
    std::snprintf(of_limit, sizeof of_limit, "%.2f", c.of_limit);
    auto const ulp = [](std::optional<double> const& error) { return error ? short_number(*error) : std::string{"-"}; };
    add(c.name.c_str(), c.item.c_str(), short_number(c.prefopt).c_str(), of_limit, short_number(c.torch).c_str(), ratio,
        range, ulp(c.prefopt_ulp).c_str(), ulp(c.torch_ulp).c_str());
    if (c.ratio < 1) ++lost;
  }
  text +=
      "\nratio: prefopt / torch. of_limit: prefopt / a pass that only reads and writes the same bytes.\n"
      "ULP: the largest error of a log-prob over rows N(0,1), N(0,10), one-hot-like and constant, in units of float's\n"
      "last place.\n";
  text += lost == 0 ? "torch is faster in no case.\n"
                    : "torch is faster in " + std::to_string(lost) + " of " + std::to_string(report.cases.size()) +
                          ": the ratios below 1.\n";
  return text;
}

int compare(int argc, char** argv) {
  settings chosen;
  if (!parse(chosen, argc, argv)) return 0;
  if (!chosen.picture.empty()) check_picture(chosen.picture);
  benchmark_program const prefopt{chosen.build + "/bench/prefopt_bench", "build it first, see README"};
  if (!chosen.against.empty()) {
    benchmark_program const other{chosen.against + "/bench/prefopt_bench", "build it first, see README"};
    write_standard_output(
        build_comparison(prefopt, other, {chosen.only, chosen.repetition_count, chosen.seconds_of_run}));
    return 0;
  }
  struct peer {
    benchmark_program torch;
    std::vector<common_case> cases;
  };
  std::vector<peer> peers;
  if (chosen.torch.empty()) {
    peers.push_back(
        {{chosen.build + "/bench/prefopt_bench_torch", "it is built where CMake finds Torch (Debian: libtorch-dev)"},
         {}});
  }
  for (auto const& program : chosen.torch) peers.push_back({{program, "--torch is to name one"}, {}});
  for (auto& [torch, cases] : peers) cases = common_cases(prefopt, torch, chosen.only);
  std::erase_if(peers, [](peer const& one) { return one.cases.empty(); });
  if (peers.empty()) {
    throw input_error{chosen.only.empty() ? "the two programs have no case in common"
                                          : "--only: no case's name contains " + in_quotes(chosen.only)};
  }
  // Each as soon as it is there: a later peer may fail.
  for (auto const& one : peers) {
    auto const report = measure(chosen, prefopt, one.torch, one.cases);
    bool const first = &one == &peers.front();
    if (!chosen.picture.empty() && first) draw_comparison(report, chosen.picture);
    write_standard_output((first ? "" : "\n") + table(report));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("compare", [&] { return compare(argc, argv); });
}
