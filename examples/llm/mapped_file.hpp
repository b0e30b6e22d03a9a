#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

/// A file's bytes, mapped into memory to be read. What cannot be: input_error.
class mapped_file {
 public:
  explicit mapped_file(std::filesystem::path const& path);
  mapped_file(mapped_file&& other) noexcept;
  mapped_file& operator=(mapped_file&&) = delete;
  ~mapped_file();

  [[nodiscard]] std::span<std::byte const> bytes() const { return bytes_; }

 private:
  std::span<std::byte const> bytes_;
};
