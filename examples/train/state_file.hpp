#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "input_error.hpp"

// A file with the state of a run: a line that says what it is, the values one after the other as they lie in memory, and a
// CRC-32 of all that.

/// Where the file that was at this path before is kept.
inline std::string previous(std::string const& path) { return path + ".previous"; }

/// Takes up the values, and writes the file.
class state_writer {
 public:
  explicit state_writer(std::string_view first_line) : content_{first_line} {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(T const& value) { content_.append(reinterpret_cast<char const*>(&value), sizeof value); }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(std::span<T> values) {
    (*this)(std::uint64_t{values.size()});
    content_.append(reinterpret_cast<char const*>(values.data()), values.size_bytes());
  }

  void operator()(std::string const& text) { (*this)(std::span<char const>{text}); }

  /// Replaces the file in one step; nothing can be added then. The one before, if it is whole, stays as its previous().
  void write_to(std::string const& path);

 private:
  std::string content_;
};

/// Gives back the values of a file in their order. Throws input_error where they do not fit together.
class state_reader {
 public:
  /// Throws input_error if there is no such file, it is none that `program` wrote with this first line, or it is not whole.
  state_reader(std::string path, std::string_view first_line, std::string_view program);

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(T& value) { copy(&value, sizeof value); }

  /// Into an array of known size.
  template <class T>
  void operator()(std::span<T> values) {
    if (size(sizeof(T)) != values.size()) damaged();
    copy(values.data(), values.size_bytes());
  }

  template <class T>
  void operator()(std::vector<T>& values) {
    values.resize(size(sizeof(T)));
    copy(values.data(), values.size() * sizeof(T));
  }

  void operator()(std::string& text) {
    std::size_t const count = size(1);
    text.assign(take(count), count);
  }

  /// How many values of at least so many bytes each come next.
  std::size_t size(std::size_t bytes_each);

  /// Throws input_error if there is more.
  void finish() const;

  std::uint32_t checksum() const { return checksum_; }

  /// For values that no run leaves; the text goes on after the file's name.
  [[noreturn]] void fail(std::string const& what) const;
  [[noreturn]] void damaged(std::string const& how = "its parts do not fit together") const {
    fail("is damaged: " + how);
  }

 private:
  void copy(void* to, std::size_t bytes);
  char const* take(std::size_t count);

  std::string path_, content_;
  std::size_t position_;
  std::uint32_t checksum_ = 0;
};

/// File{path}; of one that is not there or not whole the one before it, which `tell` says. Throws input_error, of the first,
/// if that is not whole either.
template <class File, class Tell>
File last_whole(std::string const& path, Tell const& tell) {
  try {
    return File{path};
  } catch (input_error const& error) {
    std::optional<File> before;
    try {
      before.emplace(previous(path));
    } catch (input_error const&) {
    }
    if (!before) throw;
    tell("note: " + std::string{error.what()} + "; goes on from the one before it");
    return std::move(*before);
  }
}
