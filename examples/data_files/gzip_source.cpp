#include "gzip_source.hpp"

#include <new>
#include <string>
#include <utility>

gzip_source::gzip_source(std::unique_ptr<byte_source> packed) : packed_{std::move(packed)} {
  constexpr int gzip_only = 16;
  if (inflateInit2(&stream_, MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc{};
}

std::size_t gzip_source::read(std::span<char> buffer) {
  stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
  stream_.avail_out = static_cast<uInt>(buffer.size());
  while (stream_.avail_out == buffer.size()) {
    std::string_view const ahead = packed_.ahead();
    if (ahead.empty()) {
      if (is_in_member_) throw byte_error{"the gzip stream breaks off here, the file is truncated"};
      return 0;
    }
    if (!is_in_member_) {
      inflateReset(&stream_);
      is_in_member_ = true;
    }
    stream_.next_in = reinterpret_cast<Bytef const*>(ahead.data());
    stream_.avail_in = static_cast<uInt>(ahead.size());
    int const status = inflate(&stream_, Z_NO_FLUSH);
    packed_.take(ahead.size() - stream_.avail_in);
    if (status == Z_STREAM_END) {
      is_in_member_ = false;
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc{};
    } else if (status != Z_OK) {
      throw byte_error{std::string{"the gzip stream is damaged here: "} +
                       (stream_.msg != nullptr ? stream_.msg : zError(status))};
    }
  }
  return buffer.size() - stream_.avail_out;
}
