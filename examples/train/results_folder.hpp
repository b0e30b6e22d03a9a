#pragma once

#include <string>
#include <string_view>

/// The folder that a run leaves its results in. No other run may have it at the same time: they would write over each
/// other's files.
class results_folder {
 public:
  explicit results_folder(std::string path);
  results_folder(results_folder const&) = delete;
  results_folder& operator=(results_folder const&) = delete;
  ~results_folder();

  std::string const& path() const { return path_; }
  std::string file(std::string_view name) const;

  /// Makes the folder if there is none, and takes it until the end of this object. Throws input_error if it cannot be
  /// made, another run has it, or nothing can be written there. False if its file system has no locks.
  bool take();

  /// Removes an earlier run's results; true if there were any.
  bool clear() const;

 private:
  std::string path_;
  int lock_ = -1;
};
