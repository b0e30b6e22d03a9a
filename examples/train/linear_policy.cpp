#include "linear_policy.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "exact_sum.hpp"
#include "text_words.hpp"

namespace {

constexpr int hash_bits = 18;
constexpr std::uint64_t text_begin = 1, text_end = 2;

std::uint64_t hash_of(std::string_view word) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char const c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The words of a text, each as a hash, between marks of its begin and end.
void hash_words(std::span<std::string_view const> words, std::vector<std::uint64_t>& hashes) {
  hashes.assign(1, text_begin);
  for (std::string_view const word : words) hashes.push_back(hash_of(word));
  hashes.push_back(text_end);
}

Eigen::SparseMatrix<float, Eigen::RowMajor> count_words(std::span<candidate const> candidates) {
  std::vector<Eigen::Triplet<float>> counts;
  std::vector<std::uint64_t> words;
  text_words reader;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    auto const count = [&](std::uint64_t hash) {
      hash ^= hash >> 32;
      hash *= 0xd6e8feb86659fd93;
      counts.emplace_back(static_cast<int>(i), static_cast<int>(hash >> (64 - hash_bits)),
                          (hash & 1) != 0 ? 1.0f : -1.0f);
    };
    hash_words(reader.of(candidates[i].completion), words);
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

std::string linear_policy::description() { return "linear over words of " + text_words::version(); }

bool linear_policy::is_same(std::size_t one, std::size_t other) const {
  using row = Eigen::SparseMatrix<float, Eigen::RowMajor>::InnerIterator;
  row a{features_, static_cast<Eigen::Index>(one)}, b{features_, static_cast<Eigen::Index>(other)};
  for (; a && b && a.col() == b.col() && a.value() == b.value(); ++a) ++b;
  return !a && !b;
}

std::vector<std::span<float>> linear_policy::state() {
  return {{weights_.data(), static_cast<std::size_t>(weights_.size())},
          {squares_.data(), static_cast<std::size_t>(squares_.size())}};
}
