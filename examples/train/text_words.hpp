#pragma once

#include <unicode/localpointer.h>
#include <unicode/ubrk.h>
#include <unicode/ucasemap.h>
#include <unicode/utext.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The words of texts in any script, in folded case: by Unicode's rules (UAX #29), and by ICU's dictionaries where
/// words are written without spaces (Chinese, Japanese, Thai, ...). A symbol beyond ASCII, as an emoji, is a word, too.
class text_words {
 public:
  text_words();

  /// Of a text in UTF-8, where what is not UTF-8 stands for U+FFFD. Views that last until the next call.
  std::span<std::string_view const> of(std::string_view text);

  /// "ICU 72": with another version some words may be others.
  static std::string version();

 private:
  void fold_case(std::string_view text);

  icu::LocalUCaseMapPointer case_map_;
  icu::LocalUTextPointer reader_;  ///< of folded_; opened again for each text
  icu::LocalUBreakIteratorPointer breaks_;
  std::string folded_;
  std::vector<std::string_view> words_;
};
