#pragma once

#include <cstddef>
#include <optional>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A policy's hidden states for a batch of sequences and its output matrix, and where the gradients by them go: the
/// logits never exist whole. U is float, double or a 16-bit type; Product multiplies matrices, see matrix_product.hpp.
///     memory     memory_budget, and some 40 bytes a token
///     work       one product for the log-probs and one for each gradient; another for those chunks of logits, all but
///                the last, that have to be computed twice. If all logits fit the budget there is only one chunk
///     errors     as linear_token_logprobs; offsets that do not span the rows
template <class U, class Product>
struct linear_policy {
  using value_type = detail::computed_of<U>;
  using factor = detail::factor_of<Product, U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  struct state {
    std::optional<linear_policy::work> work;
    std::vector<detail::kept_softmax<value_type>> softmax;
  };

  linear_head<U> head{};
  token_rows tokens{};
  linear_gradients<value_type> gradients{};                    ///< any of them, or none
  std::size_t memory_budget = linear_options{}.memory_budget;  ///< bytes
  Product product{};

  [[nodiscard]] std::size_t sequences() const noexcept { return tokens.sequences(); }
  [[nodiscard]] bool wants_gradient() const noexcept {
    return gradients.hidden.given() || gradients.weight.given() || !gradients.bias.empty();
  }

  void check(std::string_view where, gradient_write how) const {
    work::check(where, detail::stored_head(head), tokens.labels, gradients, with({}, how));
    tokens.check(where);
  }

  [[nodiscard]] token_layout layout() const { return tokens.layout(); }

  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, executor const& run) const {
    kept.work.emplace(detail::stored_head(head), tokens.labels, gradients, with(run, gradient_write::assign),
                      detail::product_ref<factor, value_type>{product},
                      detail::linear_kernels_for<Arch, factor, value_type>());
    kept.softmax.resize(wants_gradient() ? tokens.labels.size() : 0);
    kept.work->forward(false, [&](std::size_t row, detail::row_result<value_type> const& seen) noexcept {
      log_prob[row] = seen.log_prob;
      if (!kept.softmax.empty()) kept.softmax[row] = {seen.softmax};
    });
  }

  void backward(state& kept, std::span<double const> d_log_prob, gradient_write how, executor const&) const {
    kept.work->backward(
        how, [&](std::size_t row) noexcept { return kept.softmax[row]; },
        [&](std::size_t row) noexcept { return d_log_prob[row]; });
  }

 private:
  [[nodiscard]] linear_options with(executor const& run, gradient_write how) const noexcept {
    return {.ignore_index = tokens.ignore_index, .gradient = how, .memory_budget = memory_budget, .executor = run};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
