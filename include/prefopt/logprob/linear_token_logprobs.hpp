#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/logprob/linear_head.hpp>
#include <prefopt/logprob/linear_work.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Token log-probs from hidden states and the output matrix, as token_logprobs of logits = hidden weight^T + bias.
///     memory     chunks of tokens, as large as options.memory_budget allows; rows with an ignored label cost nothing. A
///                workspace that the caller keeps spares all calls but the first its pages
///     ranks      with options.shard the vocabulary lies on several, see vocabulary_shard
///     product    eigen_product, cblas_product, onednn_product (in adapter/), or one of the host's. Factors are
///                converted to float, piece by piece, unless the product takes 16-bit ones
///     error      that of the product, sums in T: width 2^-24 sum |h w| in float, and then as token_logprobs
///     throws     as token_logprobs; a memory_budget that is too small for one row of logits; and what the product
///                throws
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprobs(linear_head<U> const& head, std::type_identity_t<column<std::int64_t>> const& labels,
                           token_logprob_outputs<detail::computed_of<U>> const& outputs, Product const& product,
                           linear_options const& options = {}) {
  constexpr char const* where = "linear_token_logprobs";
  using factor = detail::factor_of<Product, U>;
  using T = detail::computed_of<U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  auto const stored = detail::stored_head(head);
  work::check(where, stored, labels, {}, options);
  work::telling(options.shard, [&] { detail::check_row_outputs(where, outputs, labels.size()); });
  auto const put = [&](std::size_t row, auto const& seen) noexcept { detail::put(outputs, row, seen); };
  work{stored,
       labels,
       {},
       options,
       detail::product_ref<factor, T>{product},
       detail::linear_kernels_for<Arch, factor, T>()}
      .forward(detail::wants_statistics(outputs) || (options.shard.all_reduce && !outputs.highest.empty()), put);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == options.ignore_index) detail::put_ignored(outputs, row);
  }
}

/// The gradients by hidden states, weight and bias, from those by each row's log_prob and, if given, entropy, as
/// token_logprob_gradients. Logits are computed again, chunk by chunk.
///     slopes     as linear_token_logprobs gave log_sum_exp and entropy
///     rows       with an ignored label have gradient 0
///     error      that of the products, in T; with a product that takes 16-bit factors the gradient by the logits is
///                rounded to that type before it is multiplied. With options.filter what that one's report says
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprob_gradients(linear_head<U> const& head,
                                    std::type_identity_t<column<std::int64_t>> const& labels,
                                    token_logprob_slopes<std::type_identity_t<detail::computed_of<U>>> const& slopes,
                                    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
                                    linear_options const& options = {}) {
  constexpr char const* where = "linear_token_logprob_gradients";
  using T = detail::computed_of<U>;
  using factor = detail::factor_of<Product, U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  auto const stored = detail::stored_head(head);
  work::check(where, stored, labels, gradients, options);
  work::telling(options.shard, [&] { detail::check_slopes(where, slopes, labels.size()); });
  auto const transform = detail::checked_transform(where, options.transform);
  work chunks{stored,
              labels,
              gradients,
              options,
              detail::product_ref<factor, T>{product},
              detail::linear_kernels_for<Arch, factor, T>()};
  chunks.meet(false);
  chunks.backward(
      options.gradient,
      [&](std::size_t row) noexcept { return detail::softmax_of<T>(slopes.log_sum_exp[row], transform); },
      [&](std::size_t row) noexcept {
        return detail::slopes_of_row(slopes.d_log_prob, slopes.d_entropy, slopes.entropy, row);
      });
}

/// Of log-probs alone.
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprob_gradients(linear_head<U> const& head,
                                    std::type_identity_t<column<std::int64_t>> const& labels,
                                    column<double> const& log_sum_exp,
                                    std::type_identity_t<column<detail::computed_of<U>>> const& d_log_prob,
                                    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
                                    linear_options const& options = {}) {
  using T = detail::computed_of<U>;
  linear_token_logprob_gradients<Arch>(head, labels,
                                       token_logprob_slopes<T>{.log_sum_exp = log_sum_exp, .d_log_prob = d_log_prob},
                                       gradients, product, options);
}

}  // namespace prefopt::inline PREFOPT_ABI
