#pragma once

#include <zlib.h>

#include <cstdint>
#include <string_view>

/// CRC-32.
inline std::uint32_t checksum_of(std::string_view text) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<Bytef const*>(text.data()), text.size()));
}
