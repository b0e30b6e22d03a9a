#pragma once

#include <zstd.h>

#include <memory>

#include "packed_bytes.hpp"

/// What a zstd file holds: its frames one after the other.
class zstd_source : public byte_source {
 public:
  explicit zstd_source(std::unique_ptr<byte_source> packed);

  std::size_t read(std::span<char> buffer) override;

 private:
  packed_bytes packed_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_{ZSTD_createDStream(), &ZSTD_freeDStream};
  bool is_in_frame_ = false;
};
