#include "benchmark_program.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string_view>
#include <utility>

#include "input_error.hpp"
#include "number_text.hpp"

namespace {

/// For the shell, whatever is in it.
std::string quoted(std::string const& text) {
  std::string result = "'";
  for (char const c : text) result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + "'";
}

/// What a command prints. Throws an input_error if it fails.
std::string output_of(std::string const& command) {
  std::FILE* const pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) throw input_error{command + ": cannot be run"};
  std::string output;
  char block[1 << 12];
  while (std::size_t const count = std::fread(block, 1, sizeof block, pipe)) output.append(block, count);
  int const status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  throw input_error{command + (WIFEXITED(status) ? ": exit status " + std::to_string(WEXITSTATUS(status))
                                                 : ": was killed, perhaps for want of memory")};
}

/// A pattern that only this name matches.
std::string only(std::string const& name) {
  std::string pattern = "^";
  for (char const c : name) {
    if (std::string_view{".^$|()[]{}*+?\\"}.find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

}  // namespace

benchmark_program::benchmark_program(std::string path, std::string const& hint) : path_{std::move(path)} {
  if (access(path_.c_str(), X_OK) != 0) throw error_at(path_, 0, {}, "there is no such program: " + hint);
}

std::vector<std::string> benchmark_program::cases() const {
  std::istringstream lines{output_of(quoted(path_) + " --benchmark_list_tests")};
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

benchmark_program::result benchmark_program::run(std::string const& name, double seconds) const {
  std::string const command = quoted(path_) + " --benchmark_format=json --benchmark_min_time=" + number_text(seconds) +
                              " --benchmark_filter=" + quoted(only(name));
  auto const report = nlohmann::json::parse(output_of(command), nullptr, false);
  if (!report.is_object() || !report.contains("context") || !report.contains("benchmarks") ||
      report["benchmarks"].size() != 1) {
    throw input_error{command + ": printed no result of one case"};
  }
  auto const& counters = report["benchmarks"][0];
  if (counters.value("error_occurred", false)) {
    throw input_error{command + ": " + counters.value("error_message", "failed")};
  }
  return {report["context"], counters};
}
