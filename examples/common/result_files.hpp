#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "replace_file.hpp"

/// The files that a program leaves in a folder at its end. Those of an earlier run stay until there are new ones.
class result_files {
 public:
  /// Makes the folder. One that takes no files shows now and not after the work: input_error.
  result_files(std::filesystem::path folder, std::vector<char const*> names)
      : folder_{std::move(folder)}, names_{std::move(names)} {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) throw error_at(folder_.string(), 0, "", "cannot be made a folder: " + error.message());
    for (char const* name : names_) {
      if (!std::filesystem::is_directory(folder_ / name, error)) continue;
      throw error_at((folder_ / name).string(), 0, "", "is in the way of the new results: it is a folder");
    }
    auto const trial = folder_ / (std::string{names_.front()} + ".trial");
    replace_file(trial.string(), "");
    std::filesystem::remove(trial, error);
  }

  [[nodiscard]] bool any() const {
    std::error_code error;
    for (char const* name : names_) {
      if (std::filesystem::exists(folder_ / name, error)) return true;
    }
    return false;
  }

  /// Of an earlier run, before there are new ones: not each run has them all.
  void remove() const {
    std::error_code error;
    for (char const* name : names_) std::filesystem::remove(folder_ / name, error);
  }

 private:
  std::filesystem::path folder_;
  std::vector<char const*> names_;
};
