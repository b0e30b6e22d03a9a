#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace golden {

/// A file of vectors: `# loss=NAME key=value … source=TEXT`, a header, rows of numbers.
struct vectors {
  std::string file, loss, source;
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::vector<double>> columns;
  std::size_t rows = 0;

  [[nodiscard]] bool has(std::string const& column) const { return columns.count(column) != 0; }
  [[nodiscard]] double parameter(std::string const& name, double otherwise) const {
    auto const found = parameters.find(name);
    return found == parameters.end() ? otherwise : std::stod(found->second);
  }
  [[nodiscard]] double parameter(std::string const& name) const { return std::stod(parameters.at(name)); }
  /// Evaluated from the formula with many digits, where the others come out of another library's arithmetic.
  [[nodiscard]] bool is_closed_form() const { return source.rfind("closed-form", 0) == 0; }
};

inline std::vector<std::string> split(std::string const& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{text};
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

/// Of a cell; next to 0, too, where std::stod throws.
inline double number_in(std::string const& text) {
  char* end = nullptr;
  double const x = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') throw std::runtime_error("not a number: " + text);
  return x;
}

inline vectors read(std::filesystem::path const& path) {
  vectors v;
  v.file = path.filename().string();
  std::ifstream in{path};
  std::string line;
  if (!std::getline(in, line) || line.rfind("# ", 0) != 0) throw std::runtime_error(v.file + ": no first line");
  auto const source = line.find(" source=");
  v.source = source == std::string::npos ? "" : line.substr(source + 8);
  for (auto const& word : split(line.substr(2, source == std::string::npos ? source : source - 2), ' ')) {
    auto const equals = word.find('=');
    if (equals == std::string::npos) throw std::runtime_error(v.file + ": not key=value: " + word);
    v.parameters[word.substr(0, equals)] = word.substr(equals + 1);
  }
  v.loss = v.parameters.at("loss");
  v.parameters.erase("loss");
  std::getline(in, line);
  auto const names = split(line, ',');
  while (std::getline(in, line)) {
    auto const cells = split(line, ',');
    if (cells.size() != names.size()) throw std::runtime_error(v.file + ": a row of another length: " + line);
    for (std::size_t c = 0; c < names.size(); ++c) v.columns[names[c]].push_back(number_in(cells[c]));
    ++v.rows;
  }
  return v;
}

}  // namespace golden
