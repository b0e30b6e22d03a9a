#include "state_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "checksum.hpp"
#include "replace_file.hpp"

namespace {

std::optional<std::string> content_of(std::string const& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>{file}, {}};
}

/// Takes the checksum at its end off. Without a value if it is not that of the rest.
std::optional<std::uint32_t> take_checksum(std::string& content) {
  std::uint32_t checksum = 0;
  if (content.size() < sizeof checksum) return std::nullopt;
  std::memcpy(&checksum, content.data() + content.size() - sizeof checksum, sizeof checksum);
  content.resize(content.size() - sizeof checksum);
  return checksum == checksum_of(content) ? std::optional{checksum} : std::nullopt;
}

/// A spare: where none can be kept, the run goes on all the same. The name never stands for half a file.
void keep_previous(std::string const& path) {
  auto before = content_of(path);
  if (!before || !take_checksum(*before)) return;
  std::string const unfinished = previous(path) + ".part";
  std::error_code error;
  std::filesystem::remove(unfinished, error);
  std::filesystem::create_hard_link(path, unfinished, error);
  if (error) std::filesystem::copy_file(path, unfinished, error);
  if (!error) std::filesystem::rename(unfinished, previous(path), error);
}

}  // namespace

void state_writer::write_to(std::string const& path) {
  (*this)(checksum_of(content_));
  keep_previous(path);
  replace_file(path, content_);
}

state_reader::state_reader(std::string path, std::string_view first_line, std::string_view program)
    : path_{std::move(path)}, position_{first_line.size()} {
  auto content = content_of(path_);
  if (!content) fail("cannot be opened, there is no run to resume: " + std::string{std::strerror(errno)});
  content_ = std::move(*content);

  if (!content_.starts_with(first_line))
    throw error_at(path_, 0, "", "is not a checkpoint of this version of " + std::string{program});
  if (content_.size() < first_line.size() + sizeof checksum_) damaged("it breaks off");
  auto const checksum = take_checksum(content_);
  if (!checksum) damaged("its checksum is not that of its content");
  checksum_ = *checksum;
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
