#include "text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "input_error.hpp"

std::string read_text_file(std::string const& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw error_at(path, 0, "", "is a directory, expected a file");

  errno = 0;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> const file{gzopen(path.c_str(), "rb"), &gzclose};
  if (!file)
    throw error_at(path, 0, "", std::string{"cannot be opened: "} + std::strerror(errno != 0 ? errno : ENOMEM));

  std::string text;
  std::array<char, 1 << 16> buffer;
  int count = 0;
  errno = 0;
  while ((count = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }

  int status = Z_OK;
  char const* const reason = gzerror(file.get(), &status);
  if (status == Z_OK || status == Z_STREAM_END) {
    if (text.empty()) throw error_at(path, 0, "", "is empty, expected one JSON object a line");
    return text;
  }
  if (status == Z_ERRNO) throw error_at(path, 0, "", std::string{"cannot be read: "} + std::strerror(errno));
  auto const line = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  throw error_at(path, line, "",
                 status == Z_BUF_ERROR ? "the gzip stream breaks off here, the file is truncated"
                                       : std::string{"the gzip stream is damaged here: "} + reason);
}
