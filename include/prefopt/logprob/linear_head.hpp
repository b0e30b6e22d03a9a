#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/batch/options.hpp>
#include <prefopt/logprob/gradient_filter.hpp>
#include <prefopt/logprob/linear_workspace.hpp>
#include <prefopt/logprob/logit_transform.hpp>
#include <prefopt/logprob/vocabulary_shard.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The last layer of a language model: logits = hidden weight^T + bias, which never exist whole.
template <class U>
struct linear_head {
  row_major<U const> hidden{};            ///< [tokens, width]
  row_major<U const> weight{};            ///< [vocabulary, width]
  column<detail::computed_of<U>> bias{};  ///< one a token of the vocabulary, or not given
};

/// Where gradients go, each or not. For 16-bit inputs they are float.
template <class T>
struct linear_gradients {
  row_major<T> hidden{};  ///< [tokens, width]
  row_major<T> weight{};  ///< [vocabulary, width]
  output<T> bias{};       ///< one a token of the vocabulary
};

struct linear_options {
  std::int64_t ignore_index = -100;
  gradient_write gradient = gradient_write::assign;
  /// Bytes that the call may take for logits and for what it multiplies, the workspace included, beside some 40 bytes a
  /// token and 1 KiB.
  std::size_t memory_budget = std::size_t{256} << 20;
  prefopt::executor executor{};
  logit_transform transform{};            ///< the same in both passes
  linear_workspace* workspace = nullptr;  ///< the caller's; without one each call takes its memory and gives it back
  gradient_filter filter{};               ///< by default off
  vocabulary_shard shard{};               ///< by default the weight is whole
};

namespace detail {

/// The head with its numbers in the library's own types.
template <class U>
linear_head<storage_of<U>> stored_head(linear_head<U> const& head) noexcept {
  if constexpr (std::same_as<U, storage_of<U>>) {
    return head;
  } else {
    auto const stored = [](row_major<U const> const& m) {
      return row_major<storage_of<U> const>{reinterpret_cast<storage_of<U> const*>(m.data()), m.rows(), m.columns(),
                                            m.stride(), m.column_stride()};
    };
    return {stored(head.hidden), stored(head.weight), head.bias};
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
