#pragma once

#include <string>
#include <string_view>
#include <vector>

/// The folder that a run leaves its results in. No other run may have it at the same time: they would write over each
/// other's files.
class results_folder {
 public:
  /// `results` are the files that a run leaves there, its checkpoints aside. None of them is written before the first
  /// checkpoint is.
  results_folder(std::string path, std::vector<std::string> results);
  results_folder(results_folder const&) = delete;
  results_folder& operator=(results_folder const&) = delete;
  ~results_folder();

  std::string const& path() const { return path_; }
  std::string file(std::string_view name) const;

  /// Throws input_error if the run would write over what it reads: the file is among its results.
  void check_apart(std::string_view option, std::string const& read) const;

  /// Makes the folder if there is none, and takes it until the end of this object. Throws input_error if it cannot be
  /// made, another run has it, or nothing can be written there. False if its file system has no locks.
  bool take();

  /// Removes an earlier run's results; true if there were any. Throws input_error for files of their names without a
  /// checkpoint, which are no run's.
  bool clear() const;

 private:
  std::string path_;
  std::vector<std::string> results_;
  int lock_ = -1;
};
