#include "state_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "checksum.hpp"
#include "input_error.hpp"
#include "replace_file.hpp"

void state_writer::write_to(std::string const& path) {
  (*this)(checksum_of(content_));
  replace_file(path, content_);
}

state_reader::state_reader(std::string path, std::string_view first_line, std::string_view program)
    : path_{std::move(path)}, position_{first_line.size()} {
  std::ifstream file{path_, std::ios::binary};
  if (!file)
    throw error_at(path_, 0, "", "cannot be opened, there is no run to resume: " + std::string{std::strerror(errno)});
  content_.assign(std::istreambuf_iterator<char>{file}, {});

  if (!content_.starts_with(first_line))
    throw error_at(path_, 0, "", "is not a checkpoint of this version of " + std::string{program});
  if (content_.size() < first_line.size() + sizeof checksum_) damaged("it breaks off");
  std::memcpy(&checksum_, content_.data() + content_.size() - sizeof checksum_, sizeof checksum_);
  content_.resize(content_.size() - sizeof checksum_);
  if (checksum_ != checksum_of(content_)) damaged("its checksum is not that of its content");
}

std::size_t state_reader::size(std::size_t bytes_each) {
  std::uint64_t count = 0;
  (*this)(count);
  if (count > (content_.size() - position_) / bytes_each) damaged();
  return count;
}

void state_reader::finish() const {
  if (position_ != content_.size()) damaged("there is more than its parts");
}

void state_reader::fail(std::string const& what) const { throw error_at(path_, 0, "", what); }

void state_reader::copy(void* to, std::size_t bytes) {
  char const* const from = take(bytes);
  // An array of no elements has no address to copy to.
  if (bytes != 0) std::memcpy(to, from, bytes);
}

char const* state_reader::take(std::size_t count) {
  if (count > content_.size() - position_) damaged();
  position_ += count;
  return content_.data() + position_ - count;
}
