#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "mapped_file.hpp"

/// A GGUF file, mapped into memory: its keys, and its tensors where they lie. Errors are input_error and begin with the
/// file's name.
class gguf_file {
 public:
  /// Not there, no GGUF, or shorter than its own table says.
  explicit gguf_file(std::filesystem::path path);

  [[noreturn]] void refuse(std::string const& what) const;

  /// The value of a key, or none if there is no such key. One of another type is refused.
  [[nodiscard]] std::optional<std::string> text(char const* key) const;
  [[nodiscard]] std::optional<std::size_t> count(std::string const& key) const;
  [[nodiscard]] std::optional<float> number(std::string const& key) const;
  [[nodiscard]] std::optional<std::size_t> array_size(char const* key) const;

  /// The tensor of that name, its data in the mapped file, or null. Whoever asks reads it: see unread().
  [[nodiscard]] ggml_tensor* find(std::string const& name);
  /// The first tensor that nobody asked for, or an empty string.
  [[nodiscard]] std::string unread() const;

  /// 64-bit FNV-1a over the file in words of 8 bytes, the rest filled up with zeros.
  [[nodiscard]] std::uint64_t checksum() const;
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

 private:
  [[nodiscard]] std::int64_t key_of(std::string const& key, std::initializer_list<gguf_type> types) const;

  std::filesystem::path path_;
  mapped_file file_;
  ggml_context_ptr tensors_;
  gguf_context_ptr keys_;
  ggml_backend_buffer_ptr buffer_;
  std::vector<std::string> read_;
};
