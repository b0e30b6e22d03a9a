#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

/// A file that is gone when the test ends.
class temporary_file {
 public:
  explicit temporary_file(std::string const& name) {
    auto pattern = (std::filesystem::temp_directory_path() / "prefopt_llm_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for a test's file");
    path_ = std::filesystem::path{pattern} / name;
  }
  temporary_file(temporary_file const&) = delete;
  temporary_file& operator=(temporary_file const&) = delete;
  ~temporary_file() { std::filesystem::remove_all(path_.parent_path()); }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

 private:
  std::filesystem::path path_;
};
