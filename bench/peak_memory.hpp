#pragma once

#include <algorithm>
#include <fstream>
#include <string>

/// A line of /proc/self/status, in MiB.
inline double resident_mebibytes(std::string const& name) {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == name + ':' && status >> kibibytes) return kibibytes / 1024;
  }
  return 0;
}

/// How far the process's resident memory rises above what it is now while `work` runs, in MiB (Linux).
template <class Work>
double peak_extra_mebibytes(Work const& work) {
  std::ofstream{"/proc/self/clear_refs"} << "5";  // the peak begins anew
  double const before = resident_mebibytes("VmRSS");
  work();
  return std::max(0.0, resident_mebibytes("VmHWM") - before);
}
