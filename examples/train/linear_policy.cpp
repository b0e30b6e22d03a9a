#include "linear_policy.hpp"

#include <cctype>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "exact_sum.hpp"

namespace {

constexpr int hash_bits = 18;
constexpr std::uint64_t text_begin = 1, text_end = 2;

/// Letters, digits, apostrophes, and every byte of a character beyond ASCII.
bool is_word_byte(unsigned char c) { return std::isalnum(c) != 0 || c == '\'' || c >= 0x80; }

/// The words of a text in lower case, each as a hash (FNV-1a), between marks of its begin and end.
std::vector<std::uint64_t> word_hashes(std::string_view text) {
  std::vector<std::uint64_t> words{text_begin};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_word_byte(static_cast<unsigned char>(text[i]))) continue;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (; i < text.size() && is_word_byte(static_cast<unsigned char>(text[i])); ++i) {
      hash = (hash ^ static_cast<std::uint64_t>(std::tolower(static_cast<unsigned char>(text[i])))) * 0x100000001b3;
    }
    words.push_back(hash);
  }
  words.push_back(text_end);
  return words;
}

Eigen::SparseMatrix<float, Eigen::RowMajor> count_words(std::span<candidate const> candidates) {
  std::vector<Eigen::Triplet<float>> counts;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    auto const count = [&](std::uint64_t hash) {
      hash ^= hash >> 32;
      hash *= 0xd6e8feb86659fd93;
      counts.emplace_back(static_cast<int>(i), static_cast<int>(hash >> (64 - hash_bits)),
                          (hash & 1) != 0 ? 1.0f : -1.0f);
    };
    auto const words = word_hashes(candidates[i].completion);
    for (std::size_t k = 0; k < words.size(); ++k) {
      count(words[k]);
      if (k != 0) count(words[k - 1] * 0x9e3779b97f4a7c15 + words[k]);
    }
  }
  Eigen::SparseMatrix<float, Eigen::RowMajor> matrix{static_cast<Eigen::Index>(candidates.size()),
                                                     Eigen::Index{1} << hash_bits};
  matrix.setFromTriplets(counts.begin(), counts.end());
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    if (float const norm = matrix.row(row).norm(); norm > 0) matrix.row(row) /= norm;
  }
  return matrix;
}

}  // namespace

linear_policy::linear_policy(std::span<candidate const> candidates)
    : features_{count_words(candidates)},
      weights_{Eigen::VectorXf::Zero(Eigen::Index{1} << hash_bits)},
      squares_{weights_},
      gradient_{weights_.size()} {}

void linear_policy::log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out) const {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    out.logp[i] = static_cast<double>(features_.row(static_cast<Eigen::Index>(batch[i])).dot(weights_));
  }
}

void linear_policy::backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    using features = Eigen::SparseMatrix<float, Eigen::RowMajor>;
    for (features::InnerIterator word{features_, static_cast<Eigen::Index>(batch[i])}; word; ++word) {
      double const gradient = rounded_for_sum(gradients.logp[i] * static_cast<double>(word.value()));
      gradient_.add(word.col(), Eigen::Array<double, 1, 1>{gradient});
    }
  }
}

void linear_policy::update(double rate) {
  constexpr float tiny = 1e-12f;  // keeps 0 / 0 out where the gradient is zero
  gradient_.take([&](Eigen::Index column, auto const& sum, Eigen::Index) {
    auto const gradient = static_cast<float>(sum[0]);
    squares_[column] += gradient * gradient;
    weights_[column] -= static_cast<float>(rate) * gradient / (std::sqrt(squares_[column]) + tiny);
  });
}

std::vector<std::span<float>> linear_policy::state() {
  return {{weights_.data(), static_cast<std::size_t>(weights_.size())},
          {squares_.data(), static_cast<std::size_t>(squares_.size())}};
}
