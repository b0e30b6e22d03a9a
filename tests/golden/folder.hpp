#pragma once

#include <catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace golden {

/// The files of vectors, from a folder beside the project. Without that folder the test is skipped, visibly.
inline std::vector<std::filesystem::path> files_or_skip(char const* name = "golden") {
  std::filesystem::path const folder = std::filesystem::path{PREFOPT_SHARED_DIR} / name;
  if (!std::filesystem::is_directory(folder)) {
    // Catch2 2 knows no skipping: the exit status is what CTest takes for it.
    std::printf("skipped: there is no folder %s\n", folder.c_str());
    std::fflush(stdout);
    std::_Exit(skipped_exit_status);
  }
  std::vector<std::filesystem::path> files;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  return files;
}

}  // namespace golden
