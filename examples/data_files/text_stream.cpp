#include "text_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "file_source.hpp"
#include "gzip_source.hpp"
#include "number_text.hpp"
#include "zstd_source.hpp"

namespace {

constexpr std::size_t block = 1 << 16;

std::string size_text(std::uint64_t bytes) {
  for (auto const& [unit, name] : {std::pair{30, " GiB"}, {20, " MiB"}, {10, " KiB"}}) {
    if (bytes >> unit != 0) return number_text(static_cast<double>(bytes * 100 >> unit) / 100) + name;
  }
  return std::to_string(bytes) + " bytes";
}

std::string limit_text(std::uint64_t bytes, std::string_view option) {
  std::string const text = size_text(bytes) + ", the limit";
  return option.empty() ? text : text + " that " + std::string{option} + " raises";
}

}  // namespace

text_stream::text_stream(std::string const& path, text_limits const& limits, line_ends ends)
    : file_{path == "-" ? "<stdin>" : path}, limits_{limits}, ends_{ends}, buffer_(2 * block) {
  try {
    auto file = std::make_unique<file_source>(path);
    std::string_view const begin = file->begin();
    if (begin.starts_with("\x1f\x8b")) {
      compression_ = "gzip";
      source_ = std::make_unique<gzip_source>(std::move(file));
    } else if (begin.starts_with("\x28\xb5\x2f\xfd")) {
      compression_ = "zstd";
      source_ = std::make_unique<zstd_source>(std::move(file));
    } else {
      source_ = std::move(file);
    }
  } catch (byte_error const& problem) {
    throw error_at(file_, 0, {}, problem.what());
  }
}

std::string_view text_stream::ahead(std::size_t least) {
  while (end_ - begin_ < least) {
    if (begin_ != 0) {
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    std::span<char> const room{buffer_.data() + end_, std::min(block, buffer_.size() - end_)};
    std::size_t const count = read(room);
    if (count == 0) break;
    checksum_ = static_cast<std::uint32_t>(crc32_z(checksum_, reinterpret_cast<Bytef const*>(room.data()), count));
    end_ += count;
    total_ += count;
    if (total_ > limits_.text) {
      throw error(std::string{compression_.empty() ? "the text" : "the unpacked text"} + " is longer than " +
                  limit_text(limits_.text, limits_.text_option));
    }
  }
  return {buffer_.data() + begin_, end_ - begin_};
}

std::size_t text_stream::read(std::span<char> room) {
  try {
    return source_->read(room);
  } catch (byte_error const& problem) {
    auto const held = std::string_view{buffer_.data() + begin_, end_ - begin_};
    throw error_at(file_, line_ + static_cast<std::size_t>(std::ranges::count(held, '\n')), {}, problem.what());
  }
}

void text_stream::check_for_damage() {
  if (compression_.empty()) return;
  begin_ = end_ = 0;
  constexpr std::size_t blocks = 1024;  // it need not be unpacked to the end if that is far
  for (std::size_t i = 0; i < blocks && read({buffer_.data(), block}) != 0; ++i) {
  }
}

void text_stream::take(std::size_t count) {
  std::string_view const taken{buffer_.data() + begin_, count};
  begin_ += count;
  bool const has_returns = ends_ == line_ends::any && taken.find('\r') != taken.npos;
  std::size_t last = taken.rfind('\n');
  line_ += static_cast<std::size_t>(std::ranges::count(taken, '\n'));
  for (std::size_t i = has_returns ? taken.find('\r') : taken.npos; i != taken.npos; i = taken.find('\r', i + 1)) {
    bool const has_feed = i + 1 < count ? taken[i + 1] == '\n' : ahead().starts_with('\n');
    if (has_feed) continue;
    ++line_;
    if (last == taken.npos || last < i) last = i;
  }
  column_ = last == taken.npos ? column_ + count : count - last;
}

void text_stream::take_mark() {
  if (ahead(3).starts_with("\xEF\xBB\xBF")) take(3);
}

std::size_t text_stream::end_of_line(std::string_view& next) {
  std::size_t const feed = next.find('\n');
  std::size_t const end = feed == next.npos ? feed : feed + 1;
  if (ends_ == line_ends::feed) return end;
  std::size_t const carriage = next.substr(0, feed).find('\r');
  if (carriage == next.npos || carriage + 1 == feed) return end;
  if (carriage + 1 == next.size()) next = ahead(carriage + 2);  // a feed may follow
  bool const has_feed = carriage + 1 < next.size() && next[carriage + 1] == '\n';
  return carriage + (has_feed ? 2 : 1);
}

void text_stream::take_blanks() {
  for (std::string_view next = ahead(); !next.empty(); next = ahead()) {
    std::size_t const blanks = next.find_first_not_of(" \t\r\n");
    take(std::min(blanks, next.size()));
    if (blanks != next.npos) return;
  }
}

bool text_stream::take_line(std::string& line) {
  line.clear();
  std::size_t const number = line_;
  for (std::string_view next = ahead(); !next.empty(); next = ahead()) {
    std::size_t const end = end_of_line(next);
    std::size_t const count = std::min(end, next.size());
    check_length(line.size() + count, number);
    line.append(next.substr(0, count));
    take(count);
    if (end != next.npos) return true;
  }
  return !line.empty();
}

void text_stream::check_length(std::size_t length, std::size_t line) const {
  if (length <= limits_.line) return;
  throw error_at(file_, line, {}, "what begins here is longer than " + limit_text(limits_.line, limits_.line_option));
}
