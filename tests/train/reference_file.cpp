// Log-probs of a reference in a file: what comes back is what was written, and everything else is refused.
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <bit>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/train/reference_file.hpp>
#include <prefopt/train/step.hpp>
#include <refusal.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using namespace prefopt;

namespace {

/// A folder that is gone with the test.
class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "prefopt_reference_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(std::string const& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator{path_}) names.push_back(entry.path().filename());
    return names;
  }

 private:
  std::filesystem::path path_;
};

std::string content_of(std::string const& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void put(std::string const& path, std::string const& content) {
  std::ofstream file{path, std::ios::binary};
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  REQUIRE(file.flush());
}

/// What it says when the file is read as pairs of T, less "prefopt::reference_file: " and the path.
template <class T>
std::string refused(std::string const& path, data_checksum const& data) {
  auto const text = refusal([&] { reference_file<T>{path, data}; });
  std::string const begin = "prefopt::reference_file: " + path + ": ";
  return text.starts_with(begin) ? text.substr(begin.size()) : text;
}

template <class T>
std::string refused_groups(std::string const& path, data_checksum const& data) {
  auto const text = refusal([&] { list_reference_file<T>{path, data}; });
  std::string const begin = "prefopt::list_reference_file: " + path + ": ";
  return text.starts_with(begin) ? text.substr(begin.size()) : text;
}

data_checksum hello() { return data_checksum{}.add("hello"); }

static_assert(pair_reference<reference_file<double> const, std::vector<int>, double>);
static_assert(list_reference<list_reference_file<float> const, std::vector<int>, float>);
static_assert(!pair_reference<reference_file<double>, std::vector<int>, float>);

template <class R>
concept can_be_added = requires(data_checksum data, R const& values) {
  data.add(values);
};
static_assert(can_be_added<std::string> && can_be_added<char const*> && can_be_added<char[3]> &&
              can_be_added<std::vector<int>> && can_be_added<std::array<std::uint8_t, 2>> &&
              can_be_added<std::span<std::int64_t const>>);
// Numbers with a fraction, one number, characters that are no text.
static_assert(!can_be_added<std::vector<double>> && !can_be_added<int> && !can_be_added<std::vector<char>> &&
              !can_be_added<std::u16string>);

}  // namespace

TEST_CASE("the checksum is the documented one, at compile time, too") {
  constexpr std::array<int, 3> ids{1, -2, 50256};
  constexpr std::array<std::int64_t, 2> wide{5, 7};
  static_assert(data_checksum{}.value() == 0xcbf29ce484222325);
  static_assert(data_checksum{}.add("").value() == 0x3c4b2e4faf327503);
  static_assert(data_checksum{}.add(std::array<int, 0>{}).value() == 0x5b37837bc82ba6a4);
  static_assert(data_checksum{}.add("hello").value() == 0xc45603801a113976);
  static_assert(data_checksum{}.add(ids).value() == 0x548a817850dd7803);
  static_assert(data_checksum{}.add("prompt").add(wide).add("\xc3\xa9").value() == 0xcf82d86be6253464);
  CHECK(data_checksum{}.add(std::string{"hello"}).value() == 0xc45603801a113976);
}

TEST_CASE("integers count by value, texts and borders by themselves") {
  auto const sum = [](auto const&... parts) {
    data_checksum data;
    (data.add(parts), ...);
    return data.value();
  };
  std::vector<std::int64_t> const wide{1, 2, 300};
  CHECK(sum(wide) == sum(std::vector<std::int32_t>{1, 2, 300}));
  CHECK(sum(wide) == sum(std::vector<std::uint16_t>{1, 2, 300}));
  CHECK(sum(std::vector<std::int8_t>{-1, 1}) == sum(std::vector<std::int64_t>{-1, 1}));
  CHECK(sum(std::vector<std::uint8_t>{255, 1}) == sum(std::vector<std::int64_t>{255, 1}));
  CHECK(sum(wide) != sum(std::vector<int>{1, 300, 2}));
  CHECK(sum(wide) != sum(std::vector<int>{1, 2}, std::vector<int>{300}));
  CHECK(sum("ab", "c") != sum("a", "bc"));
  CHECK(sum("ab", "c") != sum("abc"));
  CHECK(sum("a", "b") != sum("b", "a"));
  CHECK(sum("a") != sum("a", ""));
  CHECK(sum("") != sum(std::vector<int>{}));
  CHECK(sum(std::string{"a\0b", 3}) != sum("a"));
  CHECK(sum("a") != sum(std::vector<int>{'a'}));
}

TEMPLATE_TEST_CASE("pairs come back to the bit", "", float, double) {
  using T = TestType;
  folder const place;
  auto const path = place.file("pairs of a run.reference");
  T const infinity = std::numeric_limits<T>::infinity();
  std::vector<T> const chosen{T(-1.1), -infinity, std::numeric_limits<T>::denorm_min(), T(-0.0)},
      rejected{std::numeric_limits<T>::lowest(), T(3.7), std::numeric_limits<T>::max(), T(-1) / 3};
  write_reference_file<T>(path, chosen, rejected, hello());
  CHECK(place.names() == std::vector<std::string>{"pairs of a run.reference"});
  reference_file<T> const reference{path, hello()};
  REQUIRE(reference.pairs() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::memcmp(&reference.chosen()[i], &chosen[i], sizeof(T)) == 0);
    CHECK(std::memcmp(&reference.rejected()[i], &rejected[i], sizeof(T)) == 0);
  }
  // It is a reference like one that was never in a file.
  std::vector<int> const indices{2, 0};
  std::vector<T> a(2), b(2);
  reference.log_probs(indices, pair_log_probs<T>{a, b, {}, {}});
  CHECK(a == std::vector<T>{chosen[2], chosen[0]});
  CHECK(b == std::vector<T>{rejected[2], rejected[0]});
  std::vector<int> const beyond{4};
  CHECK(refusal([&] {
          reference.log_probs(beyond, pair_log_probs<T>{a, b, {}, {}});
        }) == "prefopt::stored_reference: index 4 of the batch, expected one below 4");

  // Strided columns and none at all.
  std::vector<T> const both{-1, -2, -3, -4};
  write_reference_file<T>(path, {both.data(), 2, 2}, {both.data() + 3, 2, -2}, hello());
  CHECK(reference_file<T>{path, hello()}.chosen()[1] == -3);
  CHECK(reference_file<T>{path, hello()}.rejected()[1] == -2);
  write_reference_file<T>(path, {}, {}, hello());
  CHECK(reference_file<T>{path, hello()}.pairs() == 0);
}

TEMPLATE_TEST_CASE("groups come back to the bit", "", float, double) {
  using T = TestType;
  folder const place;
  auto const path = place.file("groups");
  std::vector<T> const logp{T(-1.1), -2, -3, -std::numeric_limits<T>::infinity()};
  std::vector<int> const offsets{0, 1, 1, 4};
  write_list_reference_file<T>(path, logp, offsets, hello());
  list_reference_file<T> const reference{path, hello()};
  CHECK(reference.groups() == 3);
  CHECK(std::vector<T>(reference.logp().begin(), reference.logp().end()) == logp);
  CHECK(std::vector<std::int64_t>(reference.offsets().begin(), reference.offsets().end()) ==
        std::vector<std::int64_t>{0, 1, 1, 4});
  std::vector<int> const indices{2, 1, 0};
  std::vector<T> out(4);
  reference.log_probs(indices, list_log_probs<T>{out, {}});
  CHECK(out == std::vector<T>{logp[1], logp[2], logp[3], logp[0]});

  std::vector<int> const no_groups{0};
  write_list_reference_file<T>(path, {}, no_groups, hello());
  CHECK(list_reference_file<T>{path, hello()}.groups() == 0);
}

TEST_CASE("the first line is for people, and pinned") {
  folder const place;
  std::vector<double> const chosen{-1, -2.5}, rejected{-3, -4};
  write_reference_file<double>(place.file("a"), chosen, rejected, hello());
  auto const pairs = content_of(place.file("a"));
  CHECK(pairs.substr(0, pairs.find('\n')) ==
        "prefopt reference 1 pairs 2 values 4 float64 data c45603801a113976 contents 59bb4c950d9f8663");
  // -1 with its lowest byte first.
  CHECK(pairs.substr(pairs.find('\n') + 1, 8) == std::string{"\0\0\0\0\0\0\xf0\xbf", 8});
  CHECK(pairs.size() == pairs.find('\n') + 1 + 32);

  std::vector<float> const logp{-1, -2.5F, -std::numeric_limits<float>::infinity()};
  std::vector<std::int64_t> const offsets{0, 1, 3};
  write_list_reference_file<float>(place.file("b"), logp, offsets, hello());
  auto const groups = content_of(place.file("b"));
  CHECK(groups.substr(0, groups.find('\n')) ==
        "prefopt reference 1 groups 2 values 3 float32 data c45603801a113976 contents cfc9465ca645fe5f");
}

TEST_CASE("floats are read as doubles exactly, doubles not as floats") {
  folder const place;
  auto const path = place.file("a");
  std::vector<float> const chosen{-1.1F, std::numeric_limits<float>::denorm_min()}, rejected{-3.3F, -0.0F};
  write_reference_file<float>(path, chosen, rejected, hello());
  reference_file<double> const wide{path, hello()};
  CHECK(wide.chosen()[0] == static_cast<double>(-1.1F));
  CHECK(wide.chosen()[1] == static_cast<double>(chosen[1]));
  CHECK(std::signbit(wide.rejected()[1]));
  // Float columns written as doubles.
  write_reference_file<double>(path, chosen, rejected, hello());
  CHECK(reference_file<double>{path, hello()}.chosen()[0] == static_cast<double>(-1.1F));
  CHECK(refused<float>(path, hello()) == "holds float64, which float32 would round: expected a reader of double");
}

TEST_CASE("a file of other data is refused") {
  folder const place;
  auto const path = place.file("a");
  std::vector<double> const values{-1, -2};
  write_reference_file<double>(path, values, values, hello());
  CHECK(refused<double>(path, data_checksum{}.add("Hello")) ==
        "was computed from data with the checksum c45603801a113976, this data has " +
            detail::hexadecimal(data_checksum{}.add("Hello").value()));
  CHECK(refused<double>(path, data_checksum{}).find("cbf29ce484222325") != std::string::npos);
}

TEST_CASE("a file of the other kind is refused") {
  folder const place;
  std::vector<float> const values{-1, -2};
  std::vector<int> const offsets{0, 2};
  write_reference_file<float>(place.file("pairs"), values, values, hello());
  write_list_reference_file<float>(place.file("groups"), values, offsets, hello());
  CHECK(refused<float>(place.file("groups"), hello()) == "holds groups, expected pairs");
  CHECK(refused_groups<float>(place.file("pairs"), hello()) == "holds pairs, expected groups");
}

TEST_CASE("every bit that flips, every byte that lacks and every one too much is found") {
  folder const place;
  auto const path = place.file("a"), other = place.file("b");
  std::vector<float> const values{-1, -2.25F};
  std::vector<int> const offsets{0, 1, 2};
  write_reference_file<float>(path, values, values, hello());
  write_list_reference_file<double>(other, values, offsets, hello());
  auto const all_refused = [](std::string const& at, auto const& refused_at) {
    auto const whole = content_of(at);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        auto damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
        put(at, damaged);
        CAPTURE(i, bit);
        auto const text = refused_at();
        REQUIRE(text != "no error");
        REQUIRE(text.find("exception") == std::string::npos);
      }
      put(at, whole.substr(0, i));
      REQUIRE(refused_at() != "no error");
    }
    for (auto const* more : {"\n", " ", "0123456789abcdef", "\0"}) {
      put(at, whole + std::string{more, std::max<std::size_t>(1, std::string{more}.size())});
      REQUIRE(refused_at().find("bytes after its first line, expected") != std::string::npos);
    }
    put(at, whole);
    REQUIRE(refused_at() == "no error");
  };
  all_refused(path, [&] { return refused<float>(path, hello()); });
  all_refused(other, [&] { return refused_groups<double>(other, hello()); });
}

TEST_CASE("what is wrong with a file is said in words") {
  folder const place;
  auto const path = place.file("a");
  std::vector<double> const values{-1, -2};
  write_reference_file<double>(path, values, values, hello());
  auto const whole = content_of(path);
  auto const header = whole.substr(0, whole.find('\n') + 1);
  auto const refused_as = [&](std::string const& content) {
    put(path, content);
    return refused<double>(path, hello());
  };
  auto const with = [&](std::string const& from, std::string const& to) {
    auto changed = whole;
    return refused_as(changed.replace(changed.find(from), from.size(), to));
  };
  CHECK(refused_as(whole.substr(0, whole.size() - 3)) == "has 29 bytes after its first line, expected 32");
  CHECK(refused_as(whole + "more") == "has 36 bytes after its first line, expected 32");
  CHECK(refused_as(header) == "has 0 bytes after its first line, expected 32");
  CHECK(refused_as("") == "is empty, expected a reference file");
  CHECK(refused_as("{\"chosen\": 1}\n") ==
        "does not begin with \"prefopt reference\", expected a file that write_reference_file wrote");
  for (auto const& beginning : {with("prefopt ", "other "), with(" reference ", " references "),
                                refused_as("prefopt reference\n"), refused_as("prefopt\n"), refused_as("\n")}) {
    CHECK(beginning.starts_with("does not begin with"));
  }
  CHECK(refused_as(std::string(100000, ' ')).starts_with("does not begin with"));
  CHECK(refused_as(std::string(3, '\0')).starts_with("does not begin with"));
  CHECK(with(" 1 ", " 2 ") == "is a reference file of format 2, expected 1");
  CHECK(with("float64", "float16") == "its first line is damaged");
  CHECK(with("pairs 2", "pairs 3") == "its first line is damaged");
  CHECK(with("pairs 2", "pairs 02") == "its first line is damaged");
  CHECK(with("pairs 2", "pairs -2") == "its first line is damaged");
  CHECK(with("c45603801a113976", "C45603801A113976") == "its first line is damaged");
  CHECK(with("pairs 2 values 4", "pairs 9223372036854775808 values 18446744073709551616") ==
        "its first line is damaged");
  CHECK(with("pairs 2 values 4", "pairs 36028797018963967 values 72057594037927934") ==
        "has 32 bytes after its first line, expected 576460752303423472");
  CHECK(with("contents ", "contents  ") == "its first line is damaged");
  auto last = whole;
  last.back() ^= 1;
  CHECK(refused_as(last).starts_with("is damaged: its checksum is \"" + header.substr(header.size() - 17, 16) +
                                     "\", that of its contents is "));
  CHECK(refused<double>(place.file("none"), hello()) == "cannot be read: No such file or directory");
  CHECK(refused<double>(place.file(""), hello()) == "cannot be read: Is a directory");
}

TEST_CASE("what no writer takes is refused, whatever the checksum says") {
  folder const place;
  auto const path = place.file("a");
  double const infinity = std::numeric_limits<double>::infinity();
  // A file of these numbers with the checksum that they have.
  auto const forged = [&](std::size_t kind, std::vector<std::int64_t> const& offsets,
                          std::vector<double> const& numbers) {
    auto const& of = detail::reference_kinds[kind];
    std::string contents;
    for (auto const at : offsets) detail::append_little_endian(contents, static_cast<std::uint64_t>(at), 8);
    for (double const x : numbers) detail::append_little_endian(contents, std::bit_cast<std::uint64_t>(x), 8);
    std::size_t const count = of.has_offsets ? offsets.size() - 1 : numbers.size() / of.sequences;
    put(path, detail::reference_header{of, count, numbers.size(), 64, hello().value()}.line(contents) + contents);
  };
  auto const pairs = [&](std::vector<double> const& numbers) {
    forged(0, {}, numbers);
    return refused<double>(path, hello());
  };
  auto const groups = [&](std::vector<std::int64_t> const& offsets, std::vector<double> const& numbers) {
    forged(1, offsets, numbers);
    return refused_groups<double>(path, hello());
  };
  std::string const begin = "is damaged, whatever its checksum says: ",
                    of_offsets = ", expected 0 first, none that falls, and last the size of logp, 2",
                    of_numbers = ", expected a finite number or -inf";
  CHECK(pairs({-1, -2, -infinity, -4}) == "no error");
  CHECK(pairs({-1, -2, -3, std::nan("")}) == begin + "rejected[1] is nan" + of_numbers);
  CHECK(pairs({infinity, -2, -3, -4}) == begin + "chosen[0] is inf" + of_numbers);
  CHECK(groups({0, 0, 2}, {-1, -2}) == "no error");
  CHECK(groups({0, 1, 2}, {-1, std::nan("")}) == begin + "logp[1] is nan" + of_numbers);
  CHECK(groups({1, 2}, {-1, -2}) == begin + "offsets[0] is 1" + of_offsets);
  CHECK(groups({0, 1}, {-1, -2}) == begin + "offsets[1] is 1" + of_offsets);
  CHECK(groups({0, 2, 1, 2}, {-1, -2}) == begin + "offsets[2] is 1" + of_offsets);
  CHECK(groups({0, std::numeric_limits<std::int64_t>::min(), 2}, {-1, -2}) ==
        begin + "offsets[1] is -9223372036854775808" + of_offsets);
  forged(2, {}, {-1, infinity});
  CHECK(refusal([&] {
          unpaired_reference_file<float>{path, hello()};
        })
            .ends_with("holds float64, which float32 would round: "
                       "expected a reader of double"));
  CHECK(refusal([&] {
          unpaired_reference_file<double>{path, hello()};
        }).ends_with(begin + "logp[1] is inf" + of_numbers));
}

TEST_CASE("what is not a log-prob is not written, and the old file stays") {
  folder const place;
  auto const path = place.file("a");
  std::vector<double> const values{-1, -2};
  write_reference_file<double>(path, values, values, hello());
  auto const before = content_of(path);
  double const infinity = std::numeric_limits<double>::infinity();
  std::vector<double> const nan{-1, std::nan("")}, plus{infinity, -1};
  std::vector<float> const short_column{-1};
  std::vector<int> const one_group{0, 2};
  CHECK(refusal([&] { write_reference_file<double>(path, values, nan, hello()); }) ==
        "prefopt::write_reference_file: rejected[1] is nan, expected a finite number or -inf");
  CHECK(refusal([&] { write_reference_file<double>(path, plus, values, hello()); }) ==
        "prefopt::write_reference_file: chosen[0] is inf, expected a finite number or -inf");
  CHECK(refusal([&] { write_reference_file<double>(path, values, short_column, hello()); }) ==
        "prefopt::write_reference_file: rejected has 1 element, chosen has 2");
  auto const offsets_refused = [&](std::vector<int> const& offsets) {
    auto const text = refusal([&] { write_list_reference_file<double>(path, values, offsets, hello()); });
    std::string const begin = "prefopt::write_list_reference_file: ";
    return text.substr(text.find(begin) == 0 ? begin.size() : 0);
  };
  std::string const expected = ", expected 0 first, none that falls, and last the size of logp, 2";
  CHECK(offsets_refused({}) == "offsets is empty, expected the number of groups + 1 entries");
  CHECK(offsets_refused({1, 2}) == "offsets[0] is 1" + expected);
  CHECK(offsets_refused({0, 1}) == "offsets[1] is 1" + expected);
  CHECK(offsets_refused({0, 3, 2}) == "offsets[1] is 3" + expected);
  CHECK(offsets_refused({0, 2, 1, 2}) == "offsets[2] is 1" + expected);
  CHECK(offsets_refused({0, -1, 2}) == "offsets[1] is -1" + expected);
  CHECK(offsets_refused({0}) == "offsets[0] is 0" + expected);
  CHECK(refusal([&] { write_list_reference_file<double>(path, nan, one_group, hello()); }) ==
        "prefopt::write_list_reference_file: logp[1] is nan, expected a finite number or -inf");
  CHECK(content_of(path) == before);
  CHECK(place.names() == std::vector<std::string>{"a"});
}

TEST_CASE("a file that cannot be written is an error, and nothing is left of it") {
  folder const place;
  auto const path = place.file("a");
  std::vector<double> const values(5000, -1.0);
  auto const refused_at = [&](std::string const& at) {
    return refusal([&] { write_reference_file<double>(at, values, values, hello()); });
  };
  // What a run that was stopped left behind is no hindrance.
  put(path + ".part", "half a file");
  CHECK(refused_at(path) == "no error");
  CHECK(place.names() == std::vector<std::string>{"a"});
  auto const before = content_of(path);

  CHECK(refused_at(place.file("none/a")) ==
        "prefopt::write_reference_file: " + place.file("none/a") + ": cannot be written: No such file or directory");
  REQUIRE(mkdir(place.file("inner").c_str(), 0700) == 0);
  CHECK(refused_at(place.file("inner")) ==
        "prefopt::write_reference_file: " + place.file("inner") + ": is not a regular file");
  CHECK(refused_at("/dev/null") == "prefopt::write_reference_file: /dev/null: is not a regular file");
  REQUIRE(rmdir(place.file("inner").c_str()) == 0);

  if (std::filesystem::exists("/dev/full")) {
    // A full disk. The values fit into a buffer, or they do not.
    for (std::size_t const size : {std::size_t{1}, values.size()}) {
      REQUIRE(symlink("/dev/full", (path + ".part").c_str()) == 0);
      CHECK(refusal([&] {
              write_reference_file<double>(path, {values.data(), size}, {values.data(), size}, hello());
            }) == "prefopt::write_reference_file: " + path + ": cannot be written: No space left on device");
      CHECK(place.names() == std::vector<std::string>{"a"});
      CHECK(content_of(path) == before);
      CHECK(std::filesystem::exists("/dev/full"));
    }
  }
}

TEST_CASE("a symbolic link stays one: the file that it leads to is written") {
  folder const place;
  std::vector<double> const values{-1};
  put(place.file("target"), "old");
  REQUIRE(symlink("target", place.file("link").c_str()) == 0);
  write_reference_file<double>(place.file("link"), values, values, hello());
  CHECK(std::filesystem::is_symlink(place.file("link")));
  CHECK(reference_file<double>{place.file("target"), hello()}.pairs() == 1);
  auto names = place.names();
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"link", "target"});
}

TEST_CASE("copies share the values and outlive the first") {
  folder const place;
  std::vector<double> const values{-1, -2, -3};
  std::vector<int> const offsets{0, 1, 3}, one{1};
  write_reference_file<double>(place.file("a"), values, values, hello());
  write_list_reference_file<double>(place.file("b"), values, offsets, hello());
  std::vector<double> a(1), b(1), group(2);
  auto const copied = [&] {
    reference_file<double> const first{place.file("a"), hello()};
    return reference_file<double>{first};
  }();
  auto const copied_groups = [&] {
    list_reference_file<double> first{place.file("b"), hello()};
    auto moved = std::move(first);
    return list_reference_file<double>{moved};
  }();
  copied.log_probs(one, pair_log_probs<double>{a, b, {}, {}});
  copied_groups.log_probs(one, list_log_probs<double>{group, {}});
  CHECK(a == std::vector<double>{-2});
  CHECK(group == std::vector<double>{-2, -3});
}

namespace {

/// Log-probs that are parameters.
struct free_policy {
  std::vector<double> chosen, rejected, d_chosen, d_rejected;
  void log_probs(std::vector<int> const& batch, pair_log_probs<double> const& out) const {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      out.chosen[i] = chosen[static_cast<std::size_t>(batch[i])];
      out.rejected[i] = rejected[static_cast<std::size_t>(batch[i])];
    }
  }
  void backward(std::vector<int> const&, pair_gradients<double> const& d) {
    d_chosen.assign(d.chosen.begin(), d.chosen.end());
    d_rejected.assign(d.rejected.begin(), d.rejected.end());
  }
};

}  // namespace

TEST_CASE("a training step with a reference from a file is that with the policy that wrote it") {
  folder const place;
  auto const path = place.file("reference");
  free_policy const start{{-10, -11, -12}, {-9, -14, -12.5}, {}, {}};
  frozen_reference const frozen{start};
  std::vector<int> const all{0, 1, 2}, batch{2, 0};
  std::vector<double> a(3), b(3);
  frozen.log_probs(all, pair_log_probs<double>{a, b, {}, {}});
  data_checksum const data = data_checksum{}.add("three pairs").add(all);
  write_reference_file<double>(path, a, b, data);

  free_policy policy{{-8, -11, -13}, {-9.5, -14, -12}, {}, {}}, other = policy;
  reference_file<double> const reference{path, data};
  pair_step<double> step;
  auto const expected = step(dpo{}, other, frozen, batch);
  auto const seen = step(dpo{}, policy, reference, batch);
  CHECK(seen.loss == expected.loss);
  CHECK(policy.d_chosen == other.d_chosen);
  CHECK(policy.d_rejected == other.d_rejected);
  CHECK(policy.d_chosen[0] != 0);
}
