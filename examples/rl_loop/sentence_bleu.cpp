#include "sentence_bleu.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <vector>

namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\v\f\r";
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(blanks); begin != text.npos;) {
    std::size_t const end = std::min(text.find_first_of(blanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(blanks, end);
  }
  return words;
}

using counts = std::map<std::vector<std::string_view>, std::size_t>;

counts ngrams_of(std::span<std::string_view const> words, std::size_t n) {
  counts of;
  for (std::size_t i = 0; i + n <= words.size(); ++i) {
    auto const ngram = words.subspan(i, n);
    ++of[{ngram.begin(), ngram.end()}];
  }
  return of;
}

}  // namespace

double sentence_bleu(std::string_view sentence, std::string_view reference) {
  constexpr std::size_t longest = 4;
  auto const words = words_of(sentence), expected = words_of(reference);
  std::size_t const order = std::min(longest, words.size());
  double log_sum = 0, missed = 1;
  for (std::size_t n = 1; n <= order; ++n) {
    counts const known = ngrams_of(expected, n);
    std::size_t matches = 0;
    for (auto const& [ngram, count] : ngrams_of(words, n)) {
      auto const found = known.find(ngram);
      if (found != known.end()) matches += std::min(count, found->second);
    }
    if (matches == 0 && n == 1) return 0;
    if (matches == 0) missed /= 2;
    log_sum +=
        std::log((matches == 0 ? missed : static_cast<double>(matches)) / static_cast<double>(words.size() + 1 - n));
  }
  if (order == 0) return 0;
  double const lengths = static_cast<double>(expected.size()) / static_cast<double>(words.size());
  return std::exp(std::min(0.0, 1 - lengths) + log_sum / static_cast<double>(order));
}
