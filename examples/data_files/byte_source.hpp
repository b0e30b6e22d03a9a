#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>

/// Bytes that come one after the other.
class byte_source {
 public:
  byte_source() = default;
  byte_source(byte_source const&) = delete;
  byte_source& operator=(byte_source const&) = delete;
  virtual ~byte_source() = default;

  /// Fills the front of the buffer, which is not empty, and returns how much of it; 0 only at the end.
  virtual std::size_t read(std::span<char> buffer) = 0;
};

/// What is wrong with the bytes that come next; the reader knows where it is.
struct byte_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
