#include "text_words.hpp"

#include <unicode/uchar.h>
#include <unicode/uversion.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace {

void must_succeed(UErrorCode status, char const* what) {
  if (U_FAILURE(status)) throw std::runtime_error{std::string{"ICU: "} + what + ": " + u_errorName(status)};
}

/// Neither a word nor punctuation nor a blank, but something that says as much as a word.
bool is_symbol(UChar32 c) { return c >= 0x80 && (U_GET_GC_MASK(c) & U_GC_S_MASK) != 0; }

}  // namespace

text_words::text_words() {
  UErrorCode status = U_ZERO_ERROR;
  case_map_.adoptInstead(ucasemap_open("", U_FOLD_CASE_DEFAULT, &status));
  breaks_.adoptInstead(ubrk_open(UBRK_WORD, "", nullptr, 0, &status));
  must_succeed(status, "words");
}

std::string text_words::version() {
  UVersionInfo numbers;
  u_getVersion(numbers);
  return "ICU " + std::to_string(numbers[0]);
}

void text_words::fold_case(std::string_view text) {
  if (text.size() > std::numeric_limits<std::int32_t>::max() / 4) throw std::length_error{"a text of more than 512 MB"};
  auto const size = static_cast<std::int32_t>(text.size());
  folded_.resize(text.size());
  for (;;) {
    UErrorCode status = U_ZERO_ERROR;
    std::int32_t const length = ucasemap_utf8FoldCase(
        case_map_.getAlias(), folded_.data(), static_cast<std::int32_t>(folded_.size()), text.data(), size, &status);
    bool const fits = status != U_BUFFER_OVERFLOW_ERROR;
    if (fits) must_succeed(status, "case folding");
    folded_.resize(static_cast<std::size_t>(length));
    if (fits) return;
  }
}

std::span<std::string_view const> text_words::of(std::string_view text) {
  words_.clear();
  fold_case(text);
  UErrorCode status = U_ZERO_ERROR;
  auto const size = static_cast<std::int64_t>(folded_.size());
  UText* const opened = utext_openUTF8(reader_.getAlias(), folded_.data(), size, &status);
  if (reader_.isNull()) reader_.adoptInstead(opened);
  ubrk_setUText(breaks_.getAlias(), reader_.getAlias(), &status);
  must_succeed(status, "words");
  std::int32_t begin = ubrk_first(breaks_.getAlias());
  for (std::int32_t end = ubrk_next(breaks_.getAlias()); end != UBRK_DONE; end = ubrk_next(breaks_.getAlias())) {
    bool const is_word = ubrk_getRuleStatus(breaks_.getAlias()) >= UBRK_WORD_NONE_LIMIT;
    if (is_word || is_symbol(utext_char32At(reader_.getAlias(), begin))) {
      auto const at = static_cast<std::size_t>(begin);
      words_.push_back(std::string_view{folded_}.substr(at, static_cast<std::size_t>(end) - at));
    }
    begin = end;
  }
  return words_;
}
