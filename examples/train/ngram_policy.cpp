#include "ngram_policy.hpp"

#include <cmath>

namespace {

/// Does not occur in UTF-8.
constexpr unsigned char end_mark = 0xff;

}  // namespace

ngram_policy::ngram_policy(std::span<candidate const> candidates)
    : candidates_{candidates},
      weights_{table::Zero(symbols, Eigen::Index{1} << hash_bits)},
      squares_{weights_},
      gradient_{symbols, 1024},
      place_(static_cast<std::size_t>(weights_.cols()), -1) {}

ngram_policy::contexts ngram_policy::contexts_of(std::uint64_t text_before) {
  contexts rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t const bytes = context_bytes[i];
    std::uint64_t hash = (text_before & ((std::uint64_t{1} << (8 * bytes)) - 1)) + 1 + bytes * 0x9e3779b97f4a7c15;
    hash *= 0xd6e8feb86659fd93;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93;
    rows[i] = static_cast<Eigen::Index>(hash >> (64 - hash_bits));
  }
  return rows;
}

/// Calls visit(contexts, symbol) for each byte of the completion and for the end mark.
template <class Visit>
void ngram_policy::for_each_symbol(candidate const& text, Visit visit) {
  auto [prompt, completion] = text;
  std::uint64_t text_before = 0;
  auto const read = [&](unsigned char symbol) { text_before = text_before << 8 | symbol; };
  if (prompt.size() > sizeof text_before) prompt.remove_prefix(prompt.size() - sizeof text_before);
  for (char const c : prompt) read(static_cast<unsigned char>(c));
  for (char const c : completion) {
    auto const symbol = static_cast<unsigned char>(c);
    visit(contexts_of(text_before), symbol);
    read(symbol);
  }
  visit(contexts_of(text_before), end_mark);
}

ngram_policy::distribution ngram_policy::logits(contexts const& at) const {
  distribution sum = weights_.col(at[0]);
  for (std::size_t i = 1; i < at.size(); ++i) sum += weights_.col(at[i]);
  return sum - sum.maxCoeff();
}

double ngram_policy::log_prob(candidate const& text) const {
  double sum = 0;
  for_each_symbol(text, [&](contexts const& at, unsigned char symbol) {
    distribution const z = logits(at);
    sum += static_cast<double>(z[symbol] - std::log(z.exp().sum()));
  });
  return sum;
}

void ngram_policy::log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out) const {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    candidate const& text = candidates_[batch[i]];
    out.logp[i] = log_prob(text);
    if (!out.length.empty()) out.length[i] = static_cast<double>(text.completion.size() + 1);
  }
}

Eigen::Index ngram_policy::gradient_column(Eigen::Index row) {
  Eigen::Index& place = place_[static_cast<std::size_t>(row)];
  if (place < 0) {
    place = static_cast<Eigen::Index>(touched_.size());
    touched_.push_back(row);
    if (place == gradient_.cols()) gradient_.conservativeResize(Eigen::NoChange, 2 * place);
    gradient_.col(place).setZero();
  }
  return place;
}

/// The gradient of log softmax by the logits is one at the symbol, less the probabilities.
void ngram_policy::add_gradient(candidate const& text, float d) {
  if (d == 0) return;
  for_each_symbol(text, [&](contexts const& at, unsigned char symbol) {
    distribution by_logits = logits(at).exp();
    by_logits *= -d / by_logits.sum();
    by_logits[symbol] += d;
    for (Eigen::Index const row : at) gradient_.col(gradient_column(row)) += by_logits;
  });
}

void ngram_policy::backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    add_gradient(candidates_[batch[i]], static_cast<float>(gradients.logp[i]));
  }
}

void ngram_policy::update(double rate) {
  constexpr float tiny = 1e-12f;  // keeps 0 / 0 out where there never was a gradient
  for (std::size_t place = 0; place < touched_.size(); ++place) {
    Eigen::Index const row = touched_[place];
    auto const gradient = gradient_.col(static_cast<Eigen::Index>(place));
    squares_.col(row) += gradient.square();
    weights_.col(row) -= static_cast<float>(rate) * gradient / (squares_.col(row).sqrt() + tiny);
    place_[static_cast<std::size_t>(row)] = -1;
  }
  touched_.clear();
}

std::vector<std::span<float>> ngram_policy::state() {
  return {{weights_.data(), static_cast<std::size_t>(weights_.size())},
          {squares_.data(), static_cast<std::size_t>(squares_.size())}};
}
