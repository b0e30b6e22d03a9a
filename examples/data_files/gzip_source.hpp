#pragma once

#define ZLIB_CONST
#include <zlib.h>

#include <memory>

#include "packed_bytes.hpp"

/// What a gzip file holds: its members one after the other.
class gzip_source : public byte_source {
 public:
  explicit gzip_source(std::unique_ptr<byte_source> packed);
  ~gzip_source() override { inflateEnd(&stream_); }

  std::size_t read(std::span<char> buffer) override;

 private:
  packed_bytes packed_;
  z_stream stream_{};
  bool is_in_member_ = true;
};
