#include "ngram_policy.hpp"

#include <algorithm>
#include <prefopt/logprob/token_logprobs.hpp>

#include "exact_sum.hpp"

namespace {

/// Does not occur in UTF-8.
constexpr unsigned char end_mark = 0xff;

/// The tables are larger than the cache, and which of their columns comes next is known long before: fetched early,
/// they do not have to be waited for.
void fetch(auto const& column) {
  constexpr Eigen::Index cache_line = 64 / sizeof(float), lines = 4;  // the processor itself goes on from there
  for (Eigen::Index i = 0; i < lines; ++i) __builtin_prefetch(column.data() + i * cache_line);
}

}  // namespace

ngram_policy::ngram_policy(std::span<candidate const> candidates)
    : candidates_{candidates},
      weights_{table::Zero(alphabet, Eigen::Index{1} << hash_bits)},
      squares_{weights_},
      gradient_{weights_.cols()},
      logits_{alphabet, rows_at_once} {}

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

void ngram_policy::read(candidate const& text) {
  auto [prompt, completion] = text;
  std::uint64_t text_before = 0;
  auto const read_byte = [&](unsigned char symbol) { text_before = text_before << 8 | symbol; };
  if (prompt.size() > sizeof text_before) prompt.remove_prefix(prompt.size() - sizeof text_before);
  for (char const c : prompt) read_byte(static_cast<unsigned char>(c));
  contexts_.clear();
  symbols_.clear();
  auto const add = [&](unsigned char symbol) {
    contexts_.push_back(contexts_of(text_before));
    symbols_.push_back(symbol);
    read_byte(symbol);
  };
  for (char const c : completion) add(static_cast<unsigned char>(c));
  add(end_mark);
}

/// Calls use(logits, symbols, contexts) for the rows of a text, one a symbol, so many at a time as stay in the cache.
template <class Use>
void ngram_policy::for_each_chunk(candidate const& text, Use use) {
  read(text);
  for (std::size_t begin = 0; begin < symbols_.size(); begin += rows_at_once) {
    std::size_t const rows = std::min(rows_at_once, symbols_.size() - begin);
    std::span const chunk = std::span<contexts const>{contexts_}.subspan(begin, rows);
    for (std::size_t row = 0; row < rows; ++row) {
      static_assert(std::tuple_size_v<contexts> == 5);
      if (begin + row + 1 < contexts_.size()) {
        for (Eigen::Index const context : contexts_[begin + row + 1]) fetch(weights_.col(context));
      }
      auto const& at = chunk[row];
      logits_.col(static_cast<Eigen::Index>(row)) =
          weights_.col(at[0]) + weights_.col(at[1]) + weights_.col(at[2]) + weights_.col(at[3]) + weights_.col(at[4]);
    }
    use(prefopt::row_major<float>{logits_.data(), rows, alphabet}, std::span{symbols_}.subspan(begin, rows), chunk);
  }
}

double ngram_policy::log_prob(candidate const& text, softmax after) {
  std::array<float, rows_at_once> log_prob;
  std::size_t const before = log_sum_exp_.size();
  double sum = 0;
  for_each_chunk(text, [&](auto const& logits, auto const& symbols, auto const&) {
    std::size_t const rows = symbols.size(), done = log_sum_exp_.size();
    log_sum_exp_.resize(done + rows);
    prefopt::token_logprobs(
        logits, symbols,
        {.log_prob = std::span{log_prob}.first(rows), .log_sum_exp = std::span{log_sum_exp_}.subspan(done)});
    for (float const token : std::span{log_prob}.first(rows)) sum += static_cast<double>(token);
  });
  if (after == softmax::forgotten) log_sum_exp_.resize(before);
  return sum;
}

void ngram_policy::log_probs_of_others(std::span<std::size_t const> prompts, std::span<std::size_t const> completions,
                                       std::span<double> logp) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    logp[i] = log_prob({candidates_[prompts[i]].prompt, candidates_[completions[i]].completion}, softmax::forgotten);
  }
}

void ngram_policy::log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out) {
  log_sum_exp_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    out.logp[i] = log_prob(candidates_[batch[i]], softmax::kept_for_backward);
    if (!out.length.empty()) out.length[i] = static_cast<double>(symbols_of(candidates_[batch[i]]));
  }
}

void ngram_policy::backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients) {
  std::span<double const> log_sum_exp = log_sum_exp_;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    candidate const& text = candidates_[batch[i]];
    auto const d = static_cast<float>(gradients.logp[i]);
    if (d != 0) {
      std::size_t done = 0;
      for_each_chunk(text, [&](auto const& logits, auto const& symbols, auto const& chunk) {
        std::size_t const rows = symbols.size();
        prefopt::token_logprob_gradients(logits, symbols, log_sum_exp.subspan(done, rows), {&d, rows, 0}, logits);
        done += rows;
        for (std::size_t row = 0; row < rows; ++row) {
          d_logits_ = rounded_for_sum(logits_.col(static_cast<Eigen::Index>(row)).cast<double>());
          for (Eigen::Index const context : chunk[row]) gradient_.add(context, d_logits_);
        }
      });
    }
    log_sum_exp = log_sum_exp.subspan(symbols_of(text));
  }
}

void ngram_policy::update(double rate) {
  constexpr float tiny = 1e-24f;  // keeps 0 * infinity out where there never was a gradient
  gradient_.take([&](Eigen::Index row, auto const& sums, Eigen::Index next) {
    fetch(weights_.col(next));
    fetch(squares_.col(next));
    Eigen::Array<float, alphabet, 1> const gradient = sums.template cast<float>();
    squares_.col(row) += gradient.square();
    weights_.col(row) -= static_cast<float>(rate) * gradient * (squares_.col(row) + tiny).rsqrt();
  });
}

std::vector<std::span<float>> ngram_policy::state() {
  return {{weights_.data(), static_cast<std::size_t>(weights_.size())},
          {squares_.data(), static_cast<std::size_t>(squares_.size())}};
}
