#include "mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "input_error.hpp"

mapped_file::mapped_file(std::filesystem::path const& path) {
  auto const refuse = [&](int why) {
    throw error_at(path.string(), 0, "", std::string{"cannot be read: "} + std::strerror(why));
  };
  int const file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) refuse(errno);
  struct stat facts {};
  int const known = fstat(file, &facts);
  std::size_t const size = known == 0 && facts.st_size > 0 ? static_cast<std::size_t>(facts.st_size) : 0;
  bool const readable = known == 0 && !S_ISDIR(facts.st_mode);
  void* const first = readable && size != 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
  int const why = readable || known != 0 ? errno : EISDIR;
  close(file);
  if (!readable || first == MAP_FAILED) refuse(why);
  bytes_ = {static_cast<std::byte const*>(first), size};
}

mapped_file::mapped_file(mapped_file&& other) noexcept : bytes_{std::exchange(other.bytes_, {})} {}

mapped_file::~mapped_file() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}
