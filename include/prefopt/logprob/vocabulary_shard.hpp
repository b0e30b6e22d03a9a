#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/logit_kernel.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A head over ranks, each of which has some rows of the weight (and of the bias): tokens [first, first + rows). All have
/// the same hidden states, labels (of the whole vocabulary), options and gradients by the log-probs, and get the same
/// log-probs and d_hidden; d_weight and d_bias are of a rank's own rows. Collective: every rank makes the same calls.
///     forward    one all-reduce of 8 (1 + 7 R) bytes over R ranks, in which they see that their shards fit; then, in one
///                for each chunk of rows, 8 (1 + 2 R) bytes a row that counts, with statistics 8 (2 + 6 R). A sum cannot
///                find a maximum: each rank has places of its own for its reference and the logarithm of its sum, so
///                that nothing is lost of logits of any size
///     backward   d_hidden, summed in double: 8 width bytes a row that counts, so many at a time as there is room for
///     results    alike on all ranks, bit for bit, whatever the order of the sums; off by the roundings of R numbers
///                from those of one process
///     loss       of a policy (linear_policy) it is computed twice, first without outputs; after that one more all-reduce
///                of 8 (1 + 7 R) bytes tells whether every rank goes on
///     errors     what one rank refuses on entry all refuse; so do they shards that do not make a vocabulary
struct vocabulary_shard {
  prefopt::all_reduce all_reduce{};  ///< over the ranks that share the head. Not given: the weight is whole
  std::size_t first = 0;             ///< the token of the weight's first row
  std::size_t vocabulary = 0;        ///< of all ranks together
  std::size_t rank = 0, ranks = 1;
};

namespace detail {

/// Of a shard's own arguments.
inline void check_shard(std::string_view where, vocabulary_shard const& shard, std::size_t rows) {
  if (!shard.all_reduce) {
    if (shard.first == 0 && shard.vocabulary == 0 && shard.rank == 0 && shard.ranks == 1) return;
    fail(where, "shard has no all_reduce, which tells the other ranks");
  }
  if (shard.rank >= shard.ranks) {
    fail(where, "shard.rank is " + text(shard.rank) + ", expected less than shard.ranks, " + text(shard.ranks));
  }
  if (shard.first > shard.vocabulary || rows > shard.vocabulary - shard.first) {
    fail(where, "weight has " + text(rows) + " rows from token " + text(shard.first) + " on, shard.vocabulary is " +
                    text(shard.vocabulary));
  }
}

/// What the ranks tell each other before anything else; every rank must say the same of all but its place.
struct shard_facts {
  std::size_t rows = 0, counted = 0, width = 0, wanted = 0;
  std::size_t rows_at_once = 0;  ///< at most, for want of memory: all take what the one with the least takes
};

/// What is agreed on: where each rank's tokens begin, and behind them the whole vocabulary's end.
struct shard_terms {
  std::vector<std::size_t> bounds{};
  std::size_t rows_at_once = 0;
};

inline constexpr std::size_t facts_of_rank = 7;

/// Whether some rank goes no further. One that does not may say so where the others meet.
inline bool any_rank_refuses(vocabulary_shard const& shard, bool refuses) {
  if (!shard.all_reduce || shard.ranks == 0) return refuses;
  std::vector<double> values(1 + facts_of_rank * shard.ranks);
  values[0] = refuses ? 1 : 0;
  shard.all_reduce(values);
  return values[0] != 0;
}

/// Throws on every rank if one has refused, or if their shards are not one vocabulary, one after the other.
inline shard_terms meet_shards(std::string_view where, vocabulary_shard const& shard, shard_facts const& own) {
  std::vector<double> values(1 + facts_of_rank * shard.ranks);
  double* const mine = values.data() + 1 + facts_of_rank * shard.rank;
  std::size_t const facts[]{shard.first, own.rows,   shard.vocabulary, own.counted,
                            own.width,   own.wanted, own.rows_at_once};
  std::transform(std::begin(facts), std::end(facts), mine, [](std::size_t x) { return static_cast<double>(x); });
  shard.all_reduce(values);
  if (values[0] != 0) fail(where, "another rank refused its shard");
  auto const fact = [&](std::size_t rank, std::size_t which) {
    return static_cast<std::size_t>(values[1 + facts_of_rank * rank + which]);
  };
  constexpr char const* names[]{"tokens from",      "rows",       "a vocabulary of",
                                "rows that count:", "a width of", "gradients and entropies (as bits):"};
  shard_terms terms{.bounds = {0}, .rows_at_once = own.rows_at_once};
  auto& bounds = terms.bounds;
  for (std::size_t rank = 0; rank < shard.ranks; ++rank) {
    if (fact(rank, 0) != bounds.back()) {
      fail(where, "the shard of rank " + text(rank) + " begins with token " + text(fact(rank, 0)) + ", expected " +
                      text(bounds.back()) + ", behind those of the ranks before it");
    }
    bounds.push_back(bounds.back() + fact(rank, 1));
    terms.rows_at_once = std::min(terms.rows_at_once, fact(rank, facts_of_rank - 1));
    for (std::size_t which = 2; which + 1 < facts_of_rank; ++which) {
      if (fact(rank, which) == fact(0, which)) continue;
      fail(where, std::string{names[which]} + " " + text(fact(rank, which)) + " on rank " + text(rank) + ", " +
                      text(fact(0, which)) + " on rank 0: expected the same on all");
    }
  }
  if (bounds.back() != fact(0, 2)) {
    fail(where, "the shards have " + text(bounds.back()) + " tokens together, shard.vocabulary is " + text(fact(0, 2)));
  }
  return terms;
}

/// What the ranks know of a row, in numbers that can be summed: each writes to places of its own, and to those of the label
/// only the one that has it.
class shard_sums {
 public:
  shard_sums(std::size_t ranks, bool statistics) noexcept : ranks_{ranks}, statistics_{statistics} {}

  [[nodiscard]] std::size_t of_row() const noexcept { return of_label() + ranks_ * of_rank(); }

  /// From a rank's own tokens: `label` is the label's v if it is among them, `highest` the highest of all.
  template <class T>
  void put(double* row, std::size_t rank, row_result<T> const& own, bool has_label, T label, T highest) const noexcept {
    double* const mine = row + of_label() + rank * of_rank();
    auto const& [reference, log_sum] = own.softmax;
    mine[0] = static_cast<double>(reference);
    // Of the tokens other than the label, whose share is 1 - p(label). Where no token can be there is no share of any.
    bool const shares = has_label && log_sum > -std::numeric_limits<double>::infinity();
    mine[1] = shares ? log_sum + std::log(0 - std::expm1(own.log_prob)) : log_sum;
    if (has_label) row[0] = shares ? own.log_prob + log_sum : log_sum;
    if (!statistics_) return;
    if (has_label) row[1] = static_cast<double>(label);
    mine[2] = log_sum;
    mine[3] = own.entropy;
    mine[4] = own.square_sum;
    mine[5] = static_cast<double>(highest);
  }

  /// Of the sums: what one process would have found, `owner` being the rank that has the label.
  template <class T>
  [[nodiscard]] row_result<T> combined(double const* row, std::size_t owner, row_transform const& by) const noexcept {
    auto const of = [&](std::size_t rank) { return row + of_label() + rank * of_rank(); };
    double reference = of(0)[0];
    for (std::size_t rank = 1; rank < ranks_; ++rank) reference = std::max(reference, of(rank)[0]);
    double others = 0;
    for (std::size_t rank = 0; rank < ranks_; ++rank) others += std::exp(raised(of(rank), 1, reference, by));
    double const t = row[0] + distance(by, of(owner)[0], reference), power = std::exp(t);
    row_result<T> all{};
    all.softmax.reference = static_cast<T>(reference);
    set_log_prob(all, t, power, others);
    all.log_sum_exp = by.factor * reference + all.softmax.log_sum;
    if (!statistics_) return all;
    all.highest = true;
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      all.highest = all.highest && !(of(rank)[5] > row[1]);
      double const log_share = raised(of(rank), 2, reference, by) - all.softmax.log_sum, share = std::exp(log_share);
      if (share == 0) continue;
      all.entropy += share * (of(rank)[3] - log_share);
      all.square_sum += share * share * of(rank)[4];
    }
    return all;
  }

 private:
  [[nodiscard]] std::size_t of_label() const noexcept { return statistics_ ? 2 : 1; }
  [[nodiscard]] std::size_t of_rank() const noexcept { return statistics_ ? 6 : 2; }

  /// The logarithm of a rank's sum, relative to the reference of all.
  static double raised(double const* of_rank, std::size_t which, double reference, row_transform const& by) noexcept {
    return distance(by, of_rank[0], reference) + of_rank[which];
  }

  std::size_t ranks_;
  bool statistics_;
};

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
