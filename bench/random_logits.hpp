#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/simd/half.hpp>
#include <random>
#include <vector>

/// Rows of logits, N(0, 1), with a label each. The numbers repeat after the first million, so that the rows can be
/// written again quickly.
template <class U>
class random_logits {
 public:
  random_logits(std::size_t count, std::size_t width)
      : rows{count}, vocabulary{width}, logits(count * width), labels(count), normal_(1'000'003) {
    std::mt19937 random{7};
    std::normal_distribution<float> spread;
    for (U& number : normal_) number = U(spread(random));
    std::uniform_int_distribution<std::int64_t> token{0, static_cast<std::int64_t>(vocabulary) - 1};
    for (auto& label : labels) label = token(random);
    write(0, rows);
  }

  /// Writes `count` rows from `begin` on as they were in the beginning.
  void write(std::size_t begin, std::size_t count) {
    std::size_t const end = (begin + count) * vocabulary;
    for (std::size_t i = begin * vocabulary; i < end;) {
      std::size_t const from = i % normal_.size(), length = std::min(normal_.size() - from, end - i);
      std::copy_n(normal_.data() + from, length, logits.data() + i);
      i += length;
    }
  }

  std::size_t rows, vocabulary;
  std::vector<U> logits;
  std::vector<std::int64_t> labels;

 private:
  std::vector<U> normal_;
};

/// Rows so many that they take 512 MiB, which comes from memory and not from a cache.
template <class U>
std::size_t rows_from_memory(std::size_t vocabulary) {
  std::size_t const bytes_of_row = vocabulary * sizeof(U);
  return ((std::size_t{512} << 20) + bytes_of_row - 1) / bytes_of_row;
}

/// Rows so few that a core's second-level cache holds them.
inline constexpr std::size_t rows_in_cache = 6, vocabulary_in_cache = 32000;
