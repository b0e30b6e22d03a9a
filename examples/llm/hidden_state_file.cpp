#include "hidden_state_file.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "checksum.hpp"
#include "completion_rows.hpp"
#include "input_error.hpp"

namespace {

constexpr std::string_view hidden_states_first = "prefopt hidden states 1 ";

/// As long as it takes for the numbers behind it to lie as numbers do.
std::string hidden_states_line(std::size_t rows, std::size_t width, prefopt::data_checksum const& data) {
  char text[128];
  std::snprintf(text, sizeof text, "%.*srows %zu width %zu data %016llx", static_cast<int>(hidden_states_first.size()),
                hidden_states_first.data(), rows, width, static_cast<unsigned long long>(data.value()));
  std::string line{text};
  line.append(63 - line.size() % 64, ' ');
  return line += '\n';
}

}  // namespace

hidden_state_file::hidden_state_file(std::string const& path, std::span<tokenized_pair const> sequences,
                                     std::size_t width, prefopt::data_checksum const& data, computation const& compute)
    : begin_{0}, was_there_{std::filesystem::exists(path)} {
  for (auto const& sequence : sequences) begin_.push_back(begin_.back() + answer_length(sequence) * width);
  std::string const line = hidden_states_line(begin_.back() / width, width, data);
  if (!was_there_) write(path, line, compute);
  open(path, line);
}

std::span<float const> hidden_state_file::rows(std::size_t sequence) const {
  return {first_ + begin_[sequence], begin_[sequence + 1] - begin_[sequence]};
}

void hidden_state_file::write(std::string const& path, std::string const& line, computation const& compute) const {
  std::string const unfinished = path + ".part";
  auto const fail = [&](int reason) {
    std::remove(unfinished.c_str());
    throw error_at(path, 0, "", "cannot be written: " + std::string{std::strerror(reason)});
  };
  std::FILE* const file = std::fopen(unfinished.c_str(), "wb");
  if (file == nullptr) fail(errno);
  auto crc = static_cast<uLong>(checksum_of(line));
  errno = 0;
  bool good = std::fwrite(line.data(), 1, line.size(), file) == line.size();
  std::vector<float> rows;
  for (std::size_t i = 0; i + 1 < begin_.size() && good;) {
    std::size_t const count = compute(i, rows), bytes = rows.size() * sizeof(float);
    good = rows.size() == begin_[i + count] - begin_[i] && std::fwrite(rows.data(), 1, bytes, file) == bytes;
    i += count;
    crc = crc32_z(crc, reinterpret_cast<Bytef const*>(rows.data()), bytes);
  }
  auto const checksum = static_cast<std::uint32_t>(crc);
  good = good && std::fwrite(&checksum, sizeof checksum, 1, file) == 1;
  good = std::fflush(file) == 0 && good;
  int const reason = errno;
  good = std::fclose(file) == 0 && good;
  if (!good || std::rename(unfinished.c_str(), path.c_str()) != 0) fail(reason != 0 ? reason : errno);
}

void hidden_state_file::open(std::string const& path, std::string const& line) {
  auto const refuse = [&](std::string const& why) { throw error_at(path, 0, "", why); };
  file_.emplace(path);
  auto const bytes = file_->bytes();
  std::string_view const content{reinterpret_cast<char const*>(bytes.data()), bytes.size()};
  if (!content.starts_with(hidden_states_first)) refuse("is no file of hidden states, expected one or no file");
  if (!content.starts_with(line)) {
    refuse(
        "has the hidden states of another model, tokenizer, template or other data, expected those of this run; "
        "remove it, or name another --hidden");
  }
  std::size_t const expected = line.size() + begin_.back() * sizeof(float) + sizeof(std::uint32_t);
  if (content.size() != expected) {
    refuse("has " + std::to_string(content.size()) + " bytes, expected " + std::to_string(expected));
  }
  std::uint32_t checksum = 0;
  std::memcpy(&checksum, content.data() + content.size() - sizeof checksum, sizeof checksum);
  if (checksum != checksum_of(content.substr(0, content.size() - sizeof checksum))) {
    refuse("is damaged: its checksum is not that of its content");
  }
  first_ = reinterpret_cast<float const*>(content.data() + line.size());
}
