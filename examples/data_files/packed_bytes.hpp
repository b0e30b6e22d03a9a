#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "byte_source.hpp"

/// The bytes that a decompressor has not taken yet, and those behind them.
class packed_bytes {
 public:
  explicit packed_bytes(std::unique_ptr<byte_source> source) : source_{std::move(source)} {}

  /// Empty only at the end.
  std::string_view ahead() {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = source_->read(buffer_);
    }
    return {buffer_.data() + begin_, end_ - begin_};
  }
  void take(std::size_t count) { begin_ += count; }

 private:
  std::unique_ptr<byte_source> source_;
  std::array<char, 1 << 16> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};
