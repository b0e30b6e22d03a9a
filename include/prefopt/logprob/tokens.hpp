#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/matrix.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

/// Token log-probs of completions as rows of one array [sequences, max_tokens], prompt and padding masked out.
template <class T>
struct dense_tokens {
  using value_type = T;
  using gradient = output_matrix<T>;

  matrix<T> log_prob{};
  matrix<T> mask{};  ///< same shape; not 0 where a token belongs to the completion. Not given: all do.
  /// Same shape; a factor of each token's log-prob in the sum over the completion, and so of its gradient; not in the
  /// number of tokens. Not given: 1.
  matrix<T> weight{};

  [[nodiscard]] std::size_t sequences() const noexcept { return log_prob.rows(); }
  [[nodiscard]] std::size_t tokens() const noexcept { return log_prob.rows() * log_prob.columns(); }
  /// Where a sequence's token is, counted over all.
  [[nodiscard]] std::size_t place(std::size_t sequence, std::size_t token) const noexcept {
    return sequence * log_prob.columns() + token;
  }
  [[nodiscard]] std::size_t begin(std::size_t) const noexcept { return 0; }
  [[nodiscard]] std::size_t end(std::size_t) const noexcept { return log_prob.columns(); }
  [[nodiscard]] column<T> values(std::size_t sequence) const noexcept { return log_prob[sequence]; }
  [[nodiscard]] column<T> counted(std::size_t sequence) const noexcept { return mask[sequence]; }
  [[nodiscard]] column<T> factors(std::size_t sequence) const noexcept { return weight[sequence]; }
  [[nodiscard]] static output<T> target(gradient const& all, std::size_t sequence) noexcept { return all[sequence]; }

  /// Throws std::invalid_argument, naming `where`, unless the shapes agree.
  void check(std::string_view where) const {
    if (mask.given() && (mask.rows() != log_prob.rows() || mask.columns() != log_prob.columns())) {
      detail::fail(where, "mask is " + shape(mask) + ", log_prob is " + shape(log_prob));
    }
    if (weight.given() && (weight.rows() != log_prob.rows() || weight.columns() != log_prob.columns())) {
      detail::fail(where, "weight is " + shape(weight) + ", log_prob is " + shape(log_prob));
    }
  }
  void check(std::string_view where, gradient const& d) const {
    if (d.rows() != log_prob.rows() || d.columns() != log_prob.columns()) {
      detail::fail(where, "the gradient is " + shape(d) + ", log_prob is " + shape(log_prob));
    }
  }
  [[nodiscard]] static bool wanted(gradient const& d) noexcept { return d.given(); }

 private:
  template <class M>
  static std::string shape(M const& m) {
    return detail::text(m.rows()) + " x " + detail::text(m.columns());
  }
};

/// Token log-probs of completions one behind the other; sequence i is [offsets[i], offsets[i + 1]).
template <class T>
struct packed_tokens {
  using value_type = T;
  using gradient = output<T>;

  column<T> log_prob{};
  column<std::int64_t> offsets{};  ///< sequences + 1 entries, the first 0 or more, never falling, the last <= size
  column<T> mask{};  ///< as long as log_prob; not 0 where a token belongs to the completion. Not given: all do.
  /// As long as log_prob; a factor of each token's log-prob in the sum over the completion, and so of its gradient; not
  /// in the number of tokens. Not given: 1.
  column<T> weight{};

  [[nodiscard]] std::size_t sequences() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  [[nodiscard]] std::size_t tokens() const noexcept { return log_prob.size(); }
  [[nodiscard]] static std::size_t place(std::size_t, std::size_t token) noexcept { return token; }
  [[nodiscard]] std::size_t begin(std::size_t sequence) const noexcept {
    return static_cast<std::size_t>(offsets[sequence]);
  }
  [[nodiscard]] std::size_t end(std::size_t sequence) const noexcept { return begin(sequence + 1); }
  [[nodiscard]] column<T> const& values(std::size_t) const noexcept { return log_prob; }
  [[nodiscard]] column<T> const& counted(std::size_t) const noexcept { return mask; }
  [[nodiscard]] column<T> const& factors(std::size_t) const noexcept { return weight; }
  [[nodiscard]] static output<T> const& target(gradient const& all, std::size_t) noexcept { return all; }

  void check(std::string_view where) const {
    if (offsets.empty()) detail::fail(where, "offsets is empty, expected the number of sequences + 1 entries");
    std::int64_t before = 0;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      std::int64_t const at = offsets[i];
      if (at < before || static_cast<std::uint64_t>(at) > log_prob.size()) {
        detail::fail(where, "offsets[" + detail::text(i) + "] is " + std::to_string(at) + ", expected a number from " +
                                std::to_string(before) + " to " + detail::text(log_prob.size()));
      }
      before = at;
    }
    if (mask.is_given() && mask.size() != log_prob.size()) {
      detail::fail(
          where, "mask has " + detail::text(mask.size()) + " elements, log_prob has " + detail::text(log_prob.size()));
    }
    if (weight.is_given() && weight.size() != log_prob.size()) {
      detail::fail(where,
                   "weight has " + detail::elements(weight.size()) + ", log_prob has " + detail::text(log_prob.size()));
    }
  }
  void check(std::string_view where, gradient const& d) const {
    if (d.size() != log_prob.size()) {
      detail::fail(where, "the gradient has " + detail::text(d.size()) + " elements, log_prob has " +
                              detail::text(log_prob.size()));
    }
  }
  [[nodiscard]] static bool wanted(gradient const& d) noexcept { return !d.empty(); }
};

/// Completions as token log-probs, dense or packed.
template <class Tokens>
concept token_view = requires(Tokens const tokens, typename Tokens::gradient const d) {
  typename Tokens::value_type;
  { tokens.sequences() } -> std::same_as<std::size_t>;
  tokens.check(std::string_view{}, d);
};

}  // namespace prefopt::inline PREFOPT_ABI
