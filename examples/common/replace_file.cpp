#include "replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "input_error.hpp"

namespace {

class descriptor {
 public:
  descriptor(char const* path, int flags) : number_{open(path, flags | O_CLOEXEC, 0666)} {}
  descriptor(descriptor const&) = delete;
  descriptor& operator=(descriptor const&) = delete;
  ~descriptor() {
    if (number_ >= 0) close(number_);
  }

  bool is_open() const { return number_ >= 0; }
  bool sync() const { return fsync(number_) == 0; }
  bool write_all(std::string_view content) const {
    while (!content.empty()) {
      ssize_t const count = write(number_, content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      content.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

 private:
  int number_;
};

}  // namespace

void replace_file(std::string const& path, std::string_view content) {
  std::string const unfinished = path + ".part";
  auto const must = [&](bool succeeded) {
    if (succeeded) return;
    int const reason = errno;
    unlink(unfinished.c_str());
    throw error_at(path, 0, "", std::string{"cannot be written: "} + std::strerror(reason));
  };
  {
    descriptor const file{unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC};
    must(file.is_open() && file.write_all(content) && file.sync());
  }
  must(std::rename(unfinished.c_str(), path.c_str()) == 0);
  // The new name outlives a power failure only once its directory is on the disk, too. Not every file system can do
  // that.
  std::string const directory = std::filesystem::path{path}.parent_path().string();
  descriptor const parent{directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY};
  if (parent.is_open()) parent.sync();
}
