#include "input_lines.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "input_error.hpp"

void input_lines::closer::operator()(std::FILE* file) const {
  if (file != stdin) std::fclose(file);
}

input_lines::input_lines(std::string const& path)
    : file_{path == "-" ? "<stdin>" : path}, source_{path == "-" ? stdin : std::fopen(path.c_str(), "rb")} {
  if (!source_) throw error_at(file_, 0, {}, std::string{"cannot open: "} + std::strerror(errno));
  std::setvbuf(source_.get(), nullptr, _IONBF, 0);  // it is read in blocks
  while (content_.size() < 3 && read_block()) {
  }
  skip_mark();
}

input_lines::input_lines(input_text text) : file_{std::move(text.file)}, content_{std::move(text.content)} {
  skip_mark();
}

void input_lines::skip_mark() {
  if (content_.starts_with("\xEF\xBB\xBF")) position_ = 3;
}

bool input_lines::read_block() {
  if (!source_) return false;
  constexpr std::size_t block = 1 << 18;
  content_.erase(0, position_);
  position_ = 0;
  std::size_t const before = content_.size();
  content_.resize(before + block);
  std::size_t const got = std::fread(content_.data() + before, 1, block, source_.get());
  content_.resize(before + got);
  if (std::ferror(source_.get())) throw error_at(file_, 0, {}, std::string{"cannot read: "} + std::strerror(errno));
  if (got < block) source_.reset();
  return got != 0;
}

/// Where the line that goes on there ends, or npos if that is not known yet.
std::size_t input_lines::end_of_line(std::size_t from) const {
  char const* const begin = content_.data() + from;
  std::size_t const size = content_.size() - from;
  auto const* const feed = static_cast<char const*>(std::memchr(begin, '\n', size));
  std::size_t const until = feed == nullptr ? size : static_cast<std::size_t>(feed - begin) + 1;
  auto const* const carriage = static_cast<char const*>(std::memchr(begin, '\r', until));
  if (carriage == nullptr) return feed == nullptr ? std::string::npos : from + until;
  std::size_t const end = from + static_cast<std::size_t>(carriage - begin) + 1;
  if (end == content_.size()) return source_ ? std::string::npos : end;  // a line feed may follow
  return content_[end] == '\n' ? end + 1 : end;
}

std::string_view input_lines::next() {
  std::size_t searched = 0;  // from position_ on
  std::size_t end = 0;
  for (;;) {
    end = end_of_line(position_ + searched);
    if (end != std::string::npos) break;
    searched = content_.size() - position_;
    if (searched != 0 && content_.back() == '\r') --searched;
    if (searched > longest) {
      throw error_at(file_, number_ + 1, {},
                     "a line of more than " + std::to_string(longest >> 20) + " MiB, expected shorter ones");
    }
    if (!read_block() && !source_) {
      end = end_of_line(position_ + searched);
      if (end == std::string::npos) end = content_.size();
      break;
    }
  }
  std::string_view const line{content_.data() + position_, end - position_};
  position_ = end;
  number_ += line.empty() ? 0 : 1;
  return line;
}

std::string_view input_lines::ahead() { return std::string_view{content_}.substr(position_); }
