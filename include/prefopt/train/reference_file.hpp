#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <prefopt/train/reference.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

inline constexpr std::uint64_t fnv1a_start = 0xcbf29ce484222325;

/// 64-bit FNV-1a: finds damage and mistakes, not forgery.
constexpr std::uint64_t fnv1a(std::uint64_t hash, unsigned char byte) noexcept { return (hash ^ byte) * 0x100000001b3; }

constexpr std::uint64_t fnv1a(std::uint64_t hash, std::string_view bytes) noexcept {
  for (char const byte : bytes) hash = fnv1a(hash, static_cast<unsigned char>(byte));
  return hash;
}

constexpr std::uint64_t fnv1a(std::uint64_t hash, std::uint64_t number) noexcept {
  for (int shift = 0; shift < 64; shift += 8) hash = fnv1a(hash, static_cast<unsigned char>(number >> shift));
  return hash;
}

template <class I>
concept counted_integer = std::integral<I> && !std::same_as<I, char> && !std::same_as<I, wchar_t> &&
                          !std::same_as<I, char8_t> && !std::same_as<I, char16_t> && !std::same_as<I, char32_t>;

}  // namespace detail

/// Ties stored log-probs to what they were computed from: prompts and completions as texts, or as token ids, which tie
/// them to the tokenization, too; best with the reference model's name as one more text. Order and borders count:
/// "ab", "c" is not "a", "bc".
/// 64-bit FNV-1a over the fields, each a byte (t: text, i: integers), the number of its elements and the elements:
/// bytes of a text; integers, whatever their type, by value as 64 bits, the lowest byte first.
class data_checksum {
 public:
  constexpr data_checksum& add(std::string_view text) noexcept {
    begin('t', text.size());
    value_ = detail::fnv1a(value_, text);
    return *this;
  }

  template <std::ranges::sized_range R>
    requires(detail::counted_integer<std::ranges::range_value_t<R>> && !std::convertible_to<R const&, std::string_view>)
  constexpr data_checksum& add(R const& integers) noexcept {
    begin('i', static_cast<std::uint64_t>(std::ranges::size(integers)));
    for (auto const number : integers) value_ = detail::fnv1a(value_, static_cast<std::uint64_t>(number));
    return *this;
  }

  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }

 private:
  constexpr void begin(char kind, std::uint64_t elements) noexcept {
    value_ = detail::fnv1a(detail::fnv1a(value_, static_cast<unsigned char>(kind)), elements);
  }

  std::uint64_t value_ = detail::fnv1a_start;
};

namespace detail {

template <class T>
concept file_number = std::same_as<T, float> || std::same_as<T, double>;

enum class reference_kind { pairs, groups };

PREFOPT_COLD inline std::string text(reference_kind kind) { return kind == reference_kind::pairs ? "pairs" : "groups"; }

PREFOPT_COLD inline std::string hexadecimal(std::uint64_t value) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value));
  return digits;
}

/// The first line of a reference file. The values follow it, the lowest byte first: of pairs all chosen, then all
/// rejected; of groups the offsets as 64-bit integers, then the candidates.
struct reference_header {
  reference_kind kind;
  std::uint64_t count, values;  ///< pairs or groups; floating-point numbers
  std::uint64_t bits;           ///< of one of them: 32 or 64
  std::uint64_t data;           ///< checksum of what they were computed from

  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return values * (bits / 8) + (kind == reference_kind::groups ? (count + 1) * 8 : 0);
  }

  [[nodiscard]] std::string description() const {
    return "prefopt reference 1 " + text(kind) + ' ' + std::to_string(count) + " values " + std::to_string(values) +
           " float" + std::to_string(bits) + " data " + hexadecimal(data);
  }

  /// The checksum is of what stands before it and of the values.
  [[nodiscard]] std::string line(std::string_view contents) const {
    std::string const before = description();
    return before + " contents " + hexadecimal(fnv1a(fnv1a(fnv1a_start, before), contents)) + '\n';
  }
};

inline void append_little_endian(std::string& to, std::uint64_t bits, std::size_t bytes) {
  for (std::size_t b = 0; b < bytes; ++b) to.push_back(static_cast<char>(static_cast<unsigned char>(bits >> 8 * b)));
}

inline std::uint64_t little_endian(char const* from, std::size_t bytes) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t b = 0; b < bytes; ++b) bits |= std::uint64_t{static_cast<unsigned char>(from[b])} << 8 * b;
  return bits;
}

template <file_number T>
void append_log_probs(std::string& to, std::string_view where, std::string_view name, column<T> const& values) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  for (std::size_t i = 0; i < values.size(); ++i) {
    T const value = values[i];
    if (!(value < std::numeric_limits<T>::infinity())) {
      fail(where, std::string{name} + '[' + text(i) + "] is " + text(static_cast<double>(value)) +
                      ", expected a finite number or -inf");
    }
    append_little_endian(to, std::bit_cast<bits>(value), sizeof(T));
  }
}

template <file_number T>
std::vector<T> log_probs_of(char const* from, std::uint64_t count, std::uint64_t bits) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::size_t const bytes = static_cast<std::size_t>(bits / 8);
  for (T& value : values) {
    std::uint64_t const stored = little_endian(from, bytes);
    value = bits == 32 ? static_cast<T>(std::bit_cast<float>(static_cast<std::uint32_t>(stored)))
                       : static_cast<T>(std::bit_cast<double>(stored));
    from += bytes;
  }
  return values;
}

/// Under a name of its own first, which then takes the place of the old file.
PREFOPT_COLD inline void write_whole_file(std::string_view where, std::string const& path, std::string_view header,
                                          std::string_view contents) {
  std::error_code error;
  auto const kind = std::filesystem::status(path, error).type();
  if (kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found) {
    fail(where, path + (error ? ": cannot be written: " + error.message() : ": is not a regular file"));
  }
  // The file that a symbolic link leads to, not the link.
  auto const target = std::filesystem::weakly_canonical(path, error).string();
  if (error) fail(where, path + ": cannot be written: " + error.message());
  std::string const unfinished = target + ".part";
  std::FILE* const file = std::fopen(unfinished.c_str(), "wb");
  if (file == nullptr) fail(where, path + ": cannot be written: " + std::strerror(errno));
  errno = 0;
  bool good = std::fwrite(header.data(), 1, header.size(), file) == header.size() &&
              std::fwrite(contents.data(), 1, contents.size(), file) == contents.size();
  good = std::fflush(file) == 0 && good;
  int const reason = errno;
  if (std::fclose(file) == 0 && good) {
    std::filesystem::rename(unfinished, target, error);
    if (!error) return;
  } else {
    error = {reason != 0 ? reason : errno, std::generic_category()};
  }
  std::remove(unfinished.c_str());
  fail(where, path + ": cannot be written: " + error.message());
}

PREFOPT_COLD inline std::string read_whole_file(std::string_view where, std::string const& path) {
  auto const close = [](std::FILE* opened) { std::fclose(opened); };
  std::unique_ptr<std::FILE, decltype(close)> const file{std::fopen(path.c_str(), "rb"), close};
  if (!file) fail(where, path + ": cannot be read: " + std::strerror(errno));
  std::string content;
  std::array<char, 1 << 14> part;
  std::size_t count = 0;
  while ((count = std::fread(part.data(), 1, part.size(), file.get())) != 0) content.append(part.data(), count);
  if (std::ferror(file.get()) != 0) fail(where, path + ": cannot be read: " + std::strerror(errno));
  return content;
}

/// Numbers beyond 2^56 are refused, so that sizes in bytes can be computed.
inline bool number_of(std::string_view word, std::uint64_t& value, int base = 10) noexcept {
  auto const [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  return error == std::errc{} && end == word.data() + word.size() && (base == 16 || value < std::uint64_t{1} << 56);
}

struct read_reference {
  reference_header header;
  std::string content;
  std::size_t begin;  ///< of the values in content

  [[nodiscard]] char const* values() const noexcept { return content.data() + begin; }
};

/// The file's header and values, after every check of them.
PREFOPT_COLD inline read_reference read_reference_file(std::string_view where, std::string const& path,
                                                       reference_kind kind, std::uint64_t bits,
                                                       data_checksum const& data) {
  read_reference read{{}, read_whole_file(where, path), 0};
  std::string_view const content = read.content;
  auto const refuse = [&](std::string_view what) { fail(where, path + ": " + std::string{what}); };

  std::string_view const line = content.substr(0, content.substr(0, 256).find('\n'));
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= line.size() && words.size() < 16;) {
    std::size_t const end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  if (content.empty()) refuse("is empty, expected a reference file");
  if (words.size() < 3 || words[0] != "prefopt" || words[1] != "reference") {
    refuse("does not begin with \"prefopt reference\", expected a file that write_" +
           std::string{kind == reference_kind::pairs ? "reference_file" : "list_reference_file"} + " wrote");
  }
  if (words[2] != "1") refuse("is a reference file of format " + std::string{words[2].substr(0, 32)} + ", expected 1");
  reference_header& header = read.header;
  bool understood = words.size() == 12 && (words[3] == "pairs" || words[3] == "groups") &&
                    number_of(words[4], header.count) && number_of(words[6], header.values) &&
                    (words[7] == "float32" || words[7] == "float64") && number_of(words[9], header.data, 16);
  if (understood) {
    header.kind = words[3] == "pairs" ? reference_kind::pairs : reference_kind::groups;
    header.bits = words[7] == "float32" ? 32 : 64;
    understood = line.starts_with(header.description() + " contents ") &&
                 (header.kind == reference_kind::groups || header.values == 2 * header.count);
  }
  if (!understood) refuse("its first line is damaged");
  if (header.kind != kind) refuse("holds " + text(header.kind) + ", expected " + text(kind));
  if (header.bits > bits) refuse("holds float64, which float32 would round: expected a reader of double");

  read.begin = std::min(line.size() + 1, content.size());
  std::string_view const contents = content.substr(read.begin);
  if (contents.size() != header.bytes()) {
    refuse("has " + text(contents.size()) + " bytes after its first line, expected " + std::to_string(header.bytes()));
  }
  if (header.line(contents) != content.substr(0, read.begin)) {
    refuse("is damaged: its checksum is \"" + std::string{words[11]} + "\", that of its contents is " +
           header.line(contents).substr(line.rfind(' ') + 1, 16));
  }
  if (header.data != data.value()) {
    refuse("was computed from data with the checksum " + hexadecimal(header.data) + ", this data has " +
           hexadecimal(data.value()));
  }
  return read;
}

}  // namespace detail

/// Writes a reference's log-probs of pairs to a file, as T, which `reference_file` reads back; an old file is replaced
/// in one step, by way of one that is named as it with .part at the end, and a run that is stopped leaves no half one.
/// `data` is the checksum of what they were computed from. Of several processes only one may write. Throws
/// std::invalid_argument for sizes that differ, for NaN or +inf, and if the file cannot be written.
template <detail::file_number T>
void write_reference_file(std::string const& path, column<T> chosen, std::type_identity_t<column<T>> rejected,
                          data_checksum const& data) {
  constexpr std::string_view where = "write_reference_file";
  if (chosen.size() != rejected.size()) {
    detail::fail(where,
                 "rejected has " + detail::elements(rejected.size()) + ", chosen has " + detail::text(chosen.size()));
  }
  std::string contents;
  contents.reserve(2 * chosen.size() * sizeof(T));
  detail::append_log_probs(contents, where, "chosen", chosen);
  detail::append_log_probs(contents, where, "rejected", rejected);
  detail::reference_header const header{detail::reference_kind::pairs, chosen.size(), 2 * chosen.size(), 8 * sizeof(T),
                                        data.value()};
  detail::write_whole_file(where, path, header.line(contents), contents);
}

/// The same of groups, which `list_reference_file` reads back; the offsets are those of a list_batch: groups + 1
/// entries, the first 0, never falling, the last the size of logp.
template <detail::file_number T>
void write_list_reference_file(std::string const& path, column<T> logp, column<std::int64_t> offsets,
                               data_checksum const& data) {
  constexpr std::string_view where = "write_list_reference_file";
  if (offsets.empty()) detail::fail(where, "offsets is empty, expected the number of groups + 1 entries");
  std::string contents;
  contents.reserve(8 * offsets.size() + logp.size() * sizeof(T));
  std::int64_t before = 0;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    std::int64_t const at = offsets[i];
    bool const in_place = i == 0 ? at == 0 : at >= before && std::cmp_less_equal(at, logp.size());
    if (!in_place || (i + 1 == offsets.size() && std::cmp_not_equal(at, logp.size()))) {
      detail::fail(where, "offsets[" + detail::text(i) + "] is " + std::to_string(at) +
                              ", expected 0 first, none that falls, and last the size of logp, " +
                              detail::text(logp.size()));
    }
    detail::append_little_endian(contents, static_cast<std::uint64_t>(at), 8);
    before = at;
  }
  detail::append_log_probs(contents, where, "logp", logp);
  detail::reference_header const header{detail::reference_kind::groups, offsets.size() - 1, logp.size(), 8 * sizeof(T),
                                        data.value()};
  detail::write_whole_file(where, path, header.line(contents), contents);
}

/// Log-probs that write_reference_file wrote: a reference for pairs. A batch that is a range of integers names the
/// pairs by index; any other batch is all of them in order. The checksum must be that of the data they were computed
/// from. Throws std::invalid_argument, naming the file, what was got and what was expected, for a file that is of other
/// data, holds groups, is damaged, too short or too long, or whose doubles float would round. Floats are read as
/// doubles exactly. Copies share the values.
template <detail::file_number T>
class reference_file {
 public:
  reference_file(std::string const& path, data_checksum const& data)
      : reference_file{
            detail::read_reference_file("reference_file", path, detail::reference_kind::pairs, 8 * sizeof(T), data)} {}

  template <class Batch>
  void log_probs(Batch const& batch, pair_log_probs<T> const& out) const {
    stored_reference<T>{chosen(), rejected()}.log_probs(batch, out);
  }

  [[nodiscard]] std::size_t pairs() const noexcept { return values_->size() / 2; }
  [[nodiscard]] std::span<T const> chosen() const noexcept { return std::span{*values_}.first(pairs()); }
  [[nodiscard]] std::span<T const> rejected() const noexcept { return std::span{*values_}.last(pairs()); }

 private:
  explicit reference_file(detail::read_reference const& read)
      : values_{std::make_shared<std::vector<T> const>(
            detail::log_probs_of<T>(read.values(), read.header.values, read.header.bits))} {}

  std::shared_ptr<std::vector<T> const> values_;
};

/// The same for groups.
template <detail::file_number T>
class list_reference_file {
 public:
  list_reference_file(std::string const& path, data_checksum const& data)
      : list_reference_file{detail::read_reference_file("list_reference_file", path, detail::reference_kind::groups,
                                                        8 * sizeof(T), data)} {}

  template <class Batch>
  void log_probs(Batch const& batch, list_log_probs<T> const& out) const {
    stored_.log_probs(batch, out);
  }

  [[nodiscard]] std::size_t groups() const noexcept { return offsets_->size() - 1; }
  [[nodiscard]] std::span<T const> logp() const noexcept { return *logp_; }
  [[nodiscard]] std::span<std::int64_t const> offsets() const noexcept { return *offsets_; }

 private:
  explicit list_reference_file(detail::read_reference const& read)
      : offsets_{std::make_shared<std::vector<std::int64_t> const>(offsets_of(read))},
        logp_{std::make_shared<std::vector<T> const>(
            detail::log_probs_of<T>(read.values() + 8 * offsets_->size(), read.header.values, read.header.bits))},
        stored_{*logp_, *offsets_} {}

  static std::vector<std::int64_t> offsets_of(detail::read_reference const& read) {
    std::vector<std::int64_t> offsets(static_cast<std::size_t>(read.header.count) + 1);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] = static_cast<std::int64_t>(detail::little_endian(read.values() + 8 * i, 8));
    }
    return offsets;
  }

  std::shared_ptr<std::vector<std::int64_t> const> offsets_;
  std::shared_ptr<std::vector<T> const> logp_;
  stored_list_reference<T> stored_;
};

}  // namespace prefopt::inline PREFOPT_ABI
