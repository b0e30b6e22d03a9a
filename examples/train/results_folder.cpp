#include "results_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "input_error.hpp"

namespace {

constexpr char const* results[] = {"checkpoint", "checkpoint.previous", "metrics.csv",  "curves.png",
                                   "curves.svg", "reliability.csv",     "adapter.gguf", "model.gguf"};

}  // namespace

results_folder::results_folder(std::string path) : path_{std::move(path)} {}

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

bool results_folder::clear() const {
  bool any = false;
  for (std::string const name : results) {
    for (std::string const& result : {file(name), file(name + ".part")}) {
      std::error_code error;
      any |= std::filesystem::remove(result, error) && result == file(name);
      if (error) throw error_at(result, 0, "", "is in the way of the new results: " + error.message());
    }
  }
  return any;
}
