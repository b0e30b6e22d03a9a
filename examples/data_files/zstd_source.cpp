#include "zstd_source.hpp"

#include <new>
#include <string>
#include <utility>

zstd_source::zstd_source(std::unique_ptr<byte_source> packed) : packed_{std::move(packed)} {
  if (!stream_) throw std::bad_alloc{};
}

std::size_t zstd_source::read(std::span<char> buffer) {
  ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
  while (out.pos == 0) {
    std::string_view const ahead = packed_.ahead();
    ZSTD_inBuffer in{ahead.data(), ahead.size(), 0};
    // Without input this hands out what the stream still holds.
    std::size_t const status = ahead.empty() && !is_in_frame_ ? 0 : ZSTD_decompressStream(stream_.get(), &out, &in);
    if (ZSTD_isError(status)) {
      throw byte_error{std::string{"the zstd stream is damaged here: "} + ZSTD_getErrorName(status)};
    }
    packed_.take(in.pos);
    is_in_frame_ = status != 0;
    if (!ahead.empty() || out.pos != 0) continue;
    if (is_in_frame_) throw byte_error{"the zstd stream breaks off here, the file is truncated"};
    return 0;
  }
  return out.pos;
}
