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
#include <prefopt/core/errors.hpp>
#include <prefopt/train/reference.hpp>
#include <prefopt/view/column.hpp>
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

/// What a file holds: the word for it on the first line, and what the class that reads it is called.
struct reference_kind {
  std::string_view name, reader;
  std::size_t sequences;  ///< of a pair or candidate
  bool has_offsets;
};

template <class Family>
inline constexpr reference_kind reference_kind_of{host_side<Family>::examples, host_side<Family>::file,
                                                  host_side<Family>::sequences, host_side<Family>::is_grouped};

inline constexpr std::array reference_kinds{reference_kind_of<pair_family>, reference_kind_of<list_family>,
                                            reference_kind_of<unpaired_family>};

PREFOPT_COLD inline std::string hexadecimal(std::uint64_t value) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value));
  return digits;
}

/// The first line of a reference file. The values follow it, the lowest byte first: of groups the offsets as 64-bit
/// integers; then the log-probs, of pairs all chosen, then all rejected.
struct reference_header {
  reference_kind kind;
  std::uint64_t count, values;  ///< pairs or groups; floating-point numbers
  std::uint64_t bits;           ///< of one of them: 32 or 64
  std::uint64_t data;           ///< checksum of what they were computed from

  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return values * (bits / 8) + (kind.has_offsets ? (count + 1) * 8 : 0);
  }

  [[nodiscard]] std::string description() const {
    return "prefopt reference 1 " + std::string{kind.name} + ' ' + std::to_string(count) + " values " +
           std::to_string(values) + " float" + std::to_string(bits) + " data " + hexadecimal(data);
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

/// What a reference file holds is held to the same by who writes it and by who reads it: refuse(what) says what is not.
template <file_number T, class Refuse>
void check_log_probs(std::string_view name, column<T> const& values, Refuse const& refuse) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T const value = values[i];
    if (value < std::numeric_limits<T>::infinity()) continue;
    refuse(std::string{name} + '[' + text(i) + "] is " + text(static_cast<double>(value)) +
           ", expected a finite number or -inf");
  }
}

template <class Refuse>
void check_stored_offsets(column<std::int64_t> const& offsets, std::size_t candidates, Refuse const& refuse) {
  std::int64_t before = 0;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    std::int64_t const at = offsets[i];
    bool const in_place = i == 0 ? at == 0 : at >= before && std::cmp_less_equal(at, candidates);
    if (!in_place || (i + 1 == offsets.size() && std::cmp_not_equal(at, candidates))) {
      refuse("offsets[" + text(i) + "] is " + std::to_string(at) +
             ", expected 0 first, none that falls, and last the size of logp, " + text(candidates));
    }
    before = at;
  }
}

template <file_number T>
void append_log_probs(std::string& to, column<T> const& values) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  for (std::size_t i = 0; i < values.size(); ++i) append_little_endian(to, std::bit_cast<bits>(values[i]), sizeof(T));
}

inline void append_offsets(std::string& to, column<std::int64_t> const& offsets) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    append_little_endian(to, static_cast<std::uint64_t>(offsets[i]), 8);
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
PREFOPT_COLD inline read_reference read_reference_file(std::string const& path, reference_kind const& kind,
                                                       std::uint64_t bits, data_checksum const& data) {
  read_reference read{{}, read_whole_file(kind.reader, path), 0};
  std::string_view const content = read.content;
  auto const refuse = [&](std::string_view what) { fail(kind.reader, path + ": " + std::string{what}); };

  std::string_view const line = content.substr(0, content.substr(0, 256).find('\n'));
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= line.size() && words.size() < 16;) {
    std::size_t const end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  if (content.empty()) refuse("is empty, expected a reference file");
  if (words.size() < 3 || words[0] != "prefopt" || words[1] != "reference") {
    refuse("does not begin with \"prefopt reference\", expected a file that write_" + std::string{kind.reader} +
           " wrote");
  }
  if (words[2] != "1") refuse("is a reference file of format " + std::string{words[2].substr(0, 32)} + ", expected 1");
  reference_header& header = read.header;
  bool understood = words.size() == 12;
  auto const named = std::ranges::find(reference_kinds, understood ? words[3] : "", &reference_kind::name);
  understood = named != reference_kinds.end() && number_of(words[4], header.count) &&
               number_of(words[6], header.values) && (words[7] == "float32" || words[7] == "float64") &&
               number_of(words[9], header.data, 16);
  if (understood) {
    header.kind = *named;
    header.bits = words[7] == "float32" ? 32 : 64;
    understood = line.starts_with(header.description() + " contents ") &&
                 (named->has_offsets || header.values == named->sequences * header.count);
  }
  if (!understood) refuse("its first line is damaged");
  if (header.kind.name != kind.name) {
    refuse("holds " + std::string{header.kind.name} + ", expected " + std::string{kind.name});
  }
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

/// One column for each sequence of a pair or candidate, in the order of the batch's; the offsets of groups.
template <class Family, file_number T>
void write_log_probs(std::string const& path, std::array<column<T>, host_side<Family>::sequences> const& log_probs,
                     column<std::int64_t> const& offsets, data_checksum const& data) {
  constexpr reference_kind kind = reference_kind_of<Family>;
  std::string const where = "write_" + std::string{kind.reader};
  auto const& names = Family::template inputs<T>;
  std::size_t const n = log_probs[0].size();
  for (std::size_t s = 1; s < kind.sequences; ++s) {
    if (log_probs[s].size() == n) continue;
    fail(where, std::string{names[s].name} + " has " + elements(log_probs[s].size()) + ", " + names[0].name + " has " +
                    text(n));
  }
  if (kind.has_offsets && offsets.empty()) {
    fail(where, "offsets is empty, expected the number of groups + 1 entries");
  }
  auto const refuse = [&](std::string const& what) { fail(where, what); };
  check_stored_offsets(offsets, n, refuse);
  std::string contents;
  contents.reserve(8 * offsets.size() + kind.sequences * n * sizeof(T));
  append_offsets(contents, offsets);
  for (std::size_t s = 0; s < kind.sequences; ++s) {
    check_log_probs(names[s].name, log_probs[s], refuse);
    append_log_probs(contents, log_probs[s]);
  }
  reference_header const header{kind, kind.has_offsets ? offsets.size() - 1 : n, kind.sequences * n, 8 * sizeof(T),
                                data.value()};
  write_whole_file(where, path, header.line(contents), contents);
}

/// What a file holds, in its order: numbers that a writer takes, whatever the checksum says.
template <file_number T, class Family>
struct file_contents {
  std::vector<std::int64_t> offsets;
  std::vector<T> log_probs;

  file_contents(std::string const& path, read_reference const& read) {
    char const* at = read.values();
    if (read.header.kind.has_offsets) offsets.resize(static_cast<std::size_t>(read.header.count) + 1);
    for (std::int64_t& offset : offsets) {
      offset = static_cast<std::int64_t>(little_endian(at, 8));
      at += 8;
    }
    log_probs = log_probs_of<T>(at, read.header.values, read.header.bits);
    auto const refuse = [&](std::string const& what) {
      fail(read.header.kind.reader, path + ": is damaged, whatever its checksum says: " + what);
    };
    std::size_t const sequences = host_side<Family>::sequences, items = log_probs.size() / sequences;
    if (read.header.kind.has_offsets) check_stored_offsets(offsets, items, refuse);
    for (std::size_t s = 0; s < sequences; ++s) {
      check_log_probs(Family::template inputs<T>[s].name, column<T>{log_probs.data() + s * items, items}, refuse);
    }
  }
};

}  // namespace detail

/// Writes a reference's log-probs of pairs to a file, as T, which `reference_file` reads back; an old file is replaced
/// in one step, by way of one that is named as it with .part at the end, and a run that is stopped leaves no half one.
/// `data` is the checksum of what they were computed from. Of several processes only one may write. Throws
/// std::invalid_argument for sizes that differ, for NaN or +inf, and if the file cannot be written.
template <detail::file_number T>
void write_reference_file(std::string const& path, column<T> chosen, std::type_identity_t<column<T>> rejected,
                          data_checksum const& data) {
  detail::write_log_probs<pair_family, T>(path, {chosen, rejected}, {}, data);
}

/// The same of groups, which `list_reference_file` reads back; the offsets are those of a list_batch: groups + 1
/// entries, the first 0, never falling, the last the size of logp.
template <detail::file_number T>
void write_list_reference_file(std::string const& path, column<T> logp, column<std::int64_t> offsets,
                               data_checksum const& data) {
  detail::write_log_probs<list_family, T>(path, {logp}, offsets, data);
}

/// The same of single completions, which `unpaired_reference_file` reads back.
template <detail::file_number T>
void write_unpaired_reference_file(std::string const& path, column<T> logp, data_checksum const& data) {
  detail::write_log_probs<unpaired_family, T>(path, {logp}, {}, data);
}

/// Log-probs that were written to a file: a stored_reference. The checksum must be that of the data they were computed
/// from. Throws std::invalid_argument, naming the file, what was got and what was expected, for a file that is of other
/// data or of another family, is damaged, too short or too long, holds what no writer takes (NaN, +inf, offsets of no
/// batch), or whose doubles float would round. Floats are read as
/// doubles exactly. Copies share the values.
template <detail::file_number T, class Family = pair_family>
class reference_file {
  using host = detail::host_side<Family>;

 public:
  reference_file(std::string const& path, data_checksum const& data)
      : contents_{std::make_shared<detail::file_contents<T, Family> const>(
            path, detail::read_reference_file(path, detail::reference_kind_of<Family>, 8 * sizeof(T), data))},
        stored_{columns(), contents_->offsets} {}

  template <class Batch>
  void log_probs(Batch const& batch, typename host::template log_probs<T> const& out) const {
    stored_.log_probs(batch, out);
  }

  [[nodiscard]] std::size_t pairs() const noexcept requires(std::same_as<Family, pair_family>) { return items(); }
  [[nodiscard]] std::span<T const> chosen() const noexcept requires(requires { Family::chosen; }) {
    return sequence(Family::chosen);
  }
  [[nodiscard]] std::span<T const> rejected() const noexcept requires(requires { Family::rejected; }) {
    return sequence(Family::rejected);
  }

  [[nodiscard]] std::size_t groups() const noexcept requires(host::is_grouped) { return offsets().size() - 1; }
  [[nodiscard]] std::span<T const> logp() const noexcept requires(requires { Family::logp; }) {
    return sequence(Family::logp);
  }
  [[nodiscard]] std::span<std::int64_t const> offsets() const noexcept requires(host::is_grouped) {
    return contents_->offsets;
  }

 private:
  [[nodiscard]] std::size_t items() const noexcept { return contents_->log_probs.size() / host::sequences; }
  [[nodiscard]] std::span<T const> sequence(std::size_t index) const noexcept {
    return std::span{contents_->log_probs}.subspan(index * items(), items());
  }
  [[nodiscard]] std::array<column<T>, host::sequences> columns() const noexcept {
    std::array<column<T>, host::sequences> all;
    for (std::size_t s = 0; s < host::sequences; ++s) all[s] = sequence(s);
    return all;
  }

  std::shared_ptr<detail::file_contents<T, Family> const> contents_;
  stored_reference<T, Family> stored_;
};

template <detail::file_number T>
using list_reference_file = reference_file<T, list_family>;

template <detail::file_number T>
using unpaired_reference_file = reference_file<T, unpaired_family>;

}  // namespace prefopt::inline PREFOPT_ABI
