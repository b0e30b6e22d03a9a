#include "build_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "cpu_name.hpp"
#include "input_error.hpp"
#include "middle_of.hpp"
#include "number_text.hpp"
#include "progress.hpp"

namespace {

/// Slower by more than this is told.
constexpr double tolerated = 1.03;

struct times {
  std::vector<double> one, other, ratio;
};

/// Of a call, in nanoseconds, as both programs tell it: the median over its turns, or else the mean over the iterations,
/// of what the thread took, which other programs do not add to; of several threads the time that passed.
double nanoseconds(nlohmann::json const& counters, std::string const& name, bool has_median) {
  if (has_median) return counters["call_seconds"].get<double>() * 1e9;
  bool const has_threads = name.find("threads:") != std::string::npos;
  double const time = counters.value(has_threads ? "real_time" : "cpu_time", NAN);
  if (!(time > 0)) throw input_error{name + ": no time in a program's results"};
  std::string const unit = counters.value("time_unit", std::string{"ns"});
  return time * (unit == "s" ? 1e9 : unit == "ms" ? 1e6 : unit == "us" ? 1e3 : 1);
}

std::string time_text(double nanoseconds) {
  char text[32];
  constexpr std::pair<double, char const*> units[]{{1e9, "s "}, {1e6, "ms"}, {1e3, "us"}, {0, "ns"}};
  for (auto const& [unit, name] : units) {
    if (nanoseconds < unit) continue;
    std::snprintf(text, sizeof text, "%.3g %s", unit > 0 ? nanoseconds / unit : nanoseconds, name);
    return text;
  }
  return "nan";
}

std::vector<std::string> cases_of_both(benchmark_program const& one, benchmark_program const& other,
                                       std::string const& text) {
  auto const others = other.cases();
  std::vector<std::string> common;
  for (std::string const& name : one.cases()) {
    if (name.find(text) == std::string::npos || std::find(others.begin(), others.end(), name) == others.end()) continue;
    common.push_back(name);
  }
  if (common.empty()) {
    throw input_error{text.empty() ? "the two builds have no case in common"
                                   : "--only: no case's name contains " + in_quotes(text)};
  }
  return common;
}

std::string facts(char const* which, nlohmann::json const& context) {
  auto const fact = [&](char const* name) { return context.value(name, std::string{"unknown"}); };
  return std::string{which} + fact("executable") + ": " + fact("compiler") + ", " + fact("instruction_set") + "\n";
}

}  // namespace

std::string build_comparison(benchmark_program const& one, benchmark_program const& other, turns const& how) {
  auto const cases = cases_of_both(one, other, how.only);
  std::vector<times> measured(cases.size());
  nlohmann::json context, other_context;
  progress shown;
  std::size_t done = 0;
  for (unsigned repetition = 0; repetition < how.repetitions; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      shown.show(cases[i], done++, cases.size() * how.repetitions);
      auto const run = [&](benchmark_program const& program, nlohmann::json& of_program) {
        auto result = program.run(cases[i], how.seconds);
        of_program = std::move(result.context);
        return std::move(result.counters);
      };
      nlohmann::json counters, other_counters;
      if (repetition % 2 == 0) {
        counters = run(one, context);
        other_counters = run(other, other_context);
      } else {
        other_counters = run(other, other_context);
        counters = run(one, context);
      }
      bool const have_medians = counters.contains("call_seconds") && other_counters.contains("call_seconds");
      double const a = nanoseconds(counters, cases[i], have_medians),
                   b = nanoseconds(other_counters, cases[i], have_medians);
      measured[i].one.push_back(a);
      measured[i].other.push_back(b);
      measured[i].ratio.push_back(a / b);
    }
    if (repetition == 0) shown.line("compare: " + std::to_string(cases.size()) + " cases measured once");
  }
  shown.clear();

  std::size_t widest = 4;
  for (auto const& name : cases) widest = std::max(widest, name.size());
  std::string table = cpu_name() + ", " + context.value("date", std::string{"unknown"}).substr(0, 10) + "\n" +
                      facts("this    ", context) + facts("against ", other_context) + "\n";
  char line[512];
  auto const add = [&](char const* name, char const* this_time, char const* other_time, char const* ratio,
                       char const* range) {
    std::snprintf(line, sizeof line, "%-*s %9s %9s %7s %16s", static_cast<int>(widest), name, this_time, other_time,
                  ratio, range);
    table += std::string{line} + "\n";
  };
  add("case", "this", "against", "ratio", "from .. to");
  double logarithms = 0;
  std::size_t slower = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto const& of = measured[i];
    auto const [lowest, highest] = std::minmax_element(of.ratio.begin(), of.ratio.end());
    double const ratio = middle_of(of.ratio);
    char number[32], range[64];
    std::snprintf(number, sizeof number, "%.3f", ratio);
    std::snprintf(range, sizeof range, "%.3f .. %.3f", *lowest, *highest);
    add(cases[i].c_str(), time_text(middle_of(of.one)).c_str(), time_text(middle_of(of.other)).c_str(), number, range);
    logarithms += std::log(ratio);
    slower += ratio > tolerated;
  }
  std::snprintf(
      line, sizeof line,
      "\nratio: this build's time / the other's, the median over %u repetitions; below 1 this one is faster.\n"
      "All cases together %.3f (geometric mean); slower by more than 3 %%: %zu of %zu.\n",
      how.repetitions, std::exp(logarithms / static_cast<double>(cases.size())), slower, cases.size());
  return table + line;
}
