#include "results_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "input_error.hpp"

namespace {

// The last to be removed: as long as there is one, what lies beside it is a run's.
constexpr char const* checkpoints[] = {"checkpoint.previous", "checkpoint"};

}  // namespace

results_folder::results_folder(std::string path, std::vector<std::string> results)
    : path_{std::move(path)}, results_{std::move(results)} {
  results_.insert(results_.end(), std::begin(checkpoints), std::end(checkpoints));
}

results_folder::~results_folder() {
  if (lock_ >= 0) close(lock_);
}

std::string results_folder::file(std::string_view name) const { return (std::filesystem::path{path_} / name).string(); }

bool results_folder::take() {
  auto const fail = [&](std::string const& what, int reason) {
    throw error_at(path_, 0, "", what + ": " + std::strerror(reason));
  };
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) throw error_at(path_, 0, "", "cannot be made a folder: " + error.message());

  // The folder itself is locked: so nothing is left behind, and whatever ends the run ends the lock.
  lock_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) fail("cannot be opened", errno);
  bool const is_locked = flock(lock_, LOCK_EX | LOCK_NB) == 0;
  if (!is_locked && errno == EWOULDBLOCK) {
    throw error_at(path_, 0, "", "another run is writing its results there, expected a folder for this run alone");
  }

  std::string probe = file(".writable-XXXXXX");
  int const written = mkostemp(probe.data(), O_CLOEXEC);
  if (written < 0) fail("no file can be written there", errno);
  close(written);
  unlink(probe.c_str());
  return is_locked;
}

void results_folder::check_apart(std::string_view option, std::string const& read) const {
  auto const place = [](std::filesystem::path const& path) {
    std::error_code error;
    auto const found = std::filesystem::weakly_canonical(path, error);
    return error ? path : found;
  };
  for (std::string const& name : results_) {
    std::error_code error;
    if (place(read) != place(file(name)) && !std::filesystem::equivalent(read, file(name), error)) continue;
    throw input_error{std::string{option} + ": got " + in_quotes(read) +
                      ", which this run would replace with a result of its own; expected another file or --out"};
  }
}

bool results_folder::clear() const {
  bool const is_of_run =
      std::ranges::any_of(checkpoints, [&](char const* name) { return std::filesystem::exists(file(name)); });
  bool any = false;
  for (std::string const& name : results_) {
    if (!is_of_run && std::filesystem::exists(file(name))) {
      throw error_at(file(name), 0, "",
                     "lies there without the checkpoint of an earlier run, and this one would replace it; expected it "
                     "elsewhere, or another --out");
    }
    for (std::string const& result : {file(name), file(name + ".part")}) {
      std::error_code error;
      any |= is_of_run && std::filesystem::remove(result, error) && result == file(name);
      if (error) throw error_at(result, 0, "", "is in the way of the new results: " + error.message());
    }
  }
  return any;
}
