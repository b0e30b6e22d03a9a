#pragma once

#include <fstream>
#include <string>

inline std::string cpu_name() {
  std::ifstream lines{"/proc/cpuinfo"};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "CPU of unknown name";
}
