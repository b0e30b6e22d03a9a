#include "file_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace {

constexpr std::size_t begin_size = 4096;

}  // namespace

file_source::file_source(std::string const& path) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored)) throw byte_error{"is a directory, expected a file"};
  file_.reset(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!file_) throw byte_error{std::string{"cannot be opened: "} + std::strerror(errno)};
}

std::string_view file_source::begin() {
  if (begin_.empty()) {
    begin_.resize(begin_size);
    begin_.resize(read_file(begin_));
  }
  return {begin_.data(), begin_.size()};
}

std::size_t file_source::read(std::span<char> buffer) {
  if (taken_ == begin_.size()) return read_file(buffer);
  std::size_t const count = std::min(buffer.size(), begin_.size() - taken_);
  std::copy_n(begin_.data() + taken_, count, buffer.data());
  taken_ += count;
  return count;
}

std::size_t file_source::read_file(std::span<char> buffer) {
  std::size_t const count = std::fread(buffer.data(), 1, buffer.size(), file_.get());
  if (std::ferror(file_.get())) throw byte_error{std::string{"cannot be read: "} + std::strerror(errno)};
  return count;
}
