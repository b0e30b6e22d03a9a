#include "file_kind.hpp"

#include <magic.h>

#include <algorithm>
#include <memory>
#include <type_traits>

#include "name_text.hpp"

namespace {

using namespace std::string_view_literals;

struct known_kind {
  std::string_view begin, what, remedy;
};

constexpr std::string_view of_pickle = "the program that it is from has to write JSON lines";
constexpr std::string_view of_utf16 = "this makes UTF-8 of it: iconv -f UTF-16 -t UTF-8 FILE";
constexpr std::string_view of_utf32 = "this makes UTF-8 of it: iconv -f UTF-32 -t UTF-8 FILE";

// What preferences are also kept in, with the way out.
constexpr known_kind kinds[] = {
    {"PAR1"sv, "a Parquet file"sv,
     "this makes JSON lines of it: python3 -c \"import pandas, sys; pandas.read_parquet(sys.argv[1])"
     ".to_json(sys.argv[2], orient='records', lines=True)\" FILE.parquet FILE.jsonl"sv},
    {"ARROW1"sv, "an Arrow file (Feather)"sv,
     "this makes JSON lines of it: python3 -c \"import pandas, sys; pandas.read_feather(sys.argv[1])"
     ".to_json(sys.argv[2], orient='records', lines=True)\" FILE.arrow FILE.jsonl"sv},
    {"\xff\xff\xff\xff"sv, "an Arrow stream, as Hugging Face's datasets keep them"sv,
     "this makes JSON lines of it: python3 -c \"import datasets, sys; datasets.Dataset.from_file(sys.argv[1])"
     ".to_json(sys.argv[2])\" FILE.arrow FILE.jsonl"sv},
    {"\x80\x02"sv, "a Python pickle"sv, of_pickle},
    {"\x80\x03"sv, "a Python pickle"sv, of_pickle},
    {"\x80\x04"sv, "a Python pickle"sv, of_pickle},
    {"\x80\x05"sv, "a Python pickle"sv, of_pickle},
    {"\xff\xfe\0\0"sv, "text in UTF-32"sv, of_utf32},
    {"\0\0\xfe\xff"sv, "text in UTF-32"sv, of_utf32},
    {"\xff\xfe"sv, "text in UTF-16"sv, of_utf16},
    {"\xfe\xff"sv, "text in UTF-16"sv, of_utf16},
    {"PK\x03\x04"sv, "a zip archive (as xlsx, npz and PyTorch's files are)"sv, "unzip takes files out of it"sv},
    {"version https://git-lfs"sv, "a pointer to a file in Git LFS"sv, "git lfs pull brings the file itself"sv},
    {"\x1f\x8b"sv, "gzip in a packed file"sv, "unpack it once"sv},
    {"\x28\xb5\x2f\xfd"sv, "zstd in a packed file"sv, "unpack it once"sv},
    {"SQLite format 3"sv, "an SQLite database"sv, {}},
};

/// Two bytes a character without a mark at the front: what is ASCII has every other byte 0.
std::string_view unmarked_utf16(std::string_view begin) {
  if (begin.size() < 4) return {};
  if (begin[0] != 0 && begin[1] == 0 && begin[2] != 0 && begin[3] == 0) return "UTF-16LE";
  if (begin[0] == 0 && begin[1] != 0 && begin[2] == 0 && begin[3] != 0) return "UTF-16BE";
  return {};
}

/// As the program `file` says it.
std::string described(std::string_view begin) {
  std::unique_ptr<std::remove_pointer_t<magic_t>, void (*)(magic_t)> const magic{magic_open(MAGIC_NONE), &magic_close};
  if (!magic || magic_load(magic.get(), nullptr) != 0) return "something else";
  char const* const text = magic_buffer(magic.get(), begin.data(), begin.size());
  if (text == nullptr || text == std::string_view{"data"}) return "something else";
  std::string_view const whole{text};
  return name_text(whole.substr(0, std::min<std::size_t>(whole.find(", with "), 60)));
}

}  // namespace

bool is_of_another_kind(std::string_view begin) {
  auto const starts = [&](std::string_view mark) { return begin.starts_with(mark); };
  constexpr std::string_view documents[] = {"<!DOCTYPE", "<!doctype", "<html", "<HTML", "<?xml", "%PDF", "{\\rtf"};
  return begin.find('\0') != begin.npos || std::ranges::any_of(kinds, starts, &known_kind::begin) ||
         std::ranges::any_of(documents, starts);
}

std::string kind_text(std::string_view begin, std::string_view expected) {
  auto const text = [&](std::string_view what, std::string_view remedy) {
    return std::string{what}.append(", expected ").append(expected).append(remedy.empty() ? "" : "; ").append(remedy);
  };
  for (auto const& [mark, what, remedy] : kinds) {
    if (begin.starts_with(mark)) return text(what, remedy);
  }
  if (auto const name = unmarked_utf16(begin); !name.empty()) {
    return text("text in UTF-16",
                std::string{"this makes UTF-8 of it: iconv -f "}.append(name).append(" -t UTF-8 FILE"));
  }
  std::string const what = described(begin);
  if (what.starts_with("HTML")) return text(what, "it is a page in the place of the file, which has another address");
  return text(what, what.find("compressed data") == what.npos ? "" : "unpack it first");
}
