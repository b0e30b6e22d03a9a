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
///     memory     memory_budget, the workspace included, some 40 bytes a token and 1 KiB
///     work       one product for the log-probs and one for each gradient; another for those logits, all but the last
///                chunk's, that have to be computed twice. If all logits fit the budget there is only one chunk
///     errors     as linear_token_logprobs; offsets that do not span the rows
template <class U, class Product>
struct linear_policy {
  using value_type = detail::computed_of<U>;
  using factor = detail::factor_of<Product, U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  struct state {
    std::optional<linear_policy::work> work;
    std::vector<detail::kept_softmax<value_type>> softmax;
    std::vector<double> entropy;
  };

  linear_head<U> head{};
  token_rows tokens{};
  linear_gradients<value_type> gradients{};                    ///< any of them, or none
  std::size_t memory_budget = linear_options{}.memory_budget;  ///< bytes
  Product product{};
  logit_transform transform{};
  linear_workspace* workspace = nullptr;  ///< as in linear_options, and so are the next two
  gradient_filter filter{};
  vocabulary_shard shard{};

  [[nodiscard]] std::size_t sequences() const noexcept { return tokens.sequences(); }
  [[nodiscard]] bool wants_gradient() const noexcept {
    return gradients.hidden.given() || gradients.weight.given() || !gradients.bias.empty();
  }

  void check(std::string_view where, gradient_write how) const {
    work::check_own(where, detail::stored_head(head), tokens.labels, gradients, with({}, how));
    tokens.check(where);
  }
  [[nodiscard]] bool is_shared() const noexcept { return static_cast<bool>(shard.all_reduce); }
  [[nodiscard]] bool any_rank_refuses(bool refuses) const { return detail::any_rank_refuses(shard, refuses); }

  [[nodiscard]] token_layout layout() const { return tokens.layout(); }

  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, executor const& run) const {
    log_probs<Arch>(kept, log_prob, {}, run);
  }

  /// With the entropy of each token that counts, unless it is empty; a gradient by it can be taken then.
  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, std::span<double> entropy, executor const& run) const {
    kept.work.emplace(detail::stored_head(head), tokens.labels, gradients, with(run, gradient_write::assign),
                      detail::product_ref<factor, value_type>{product},
                      detail::linear_kernels_for<Arch, factor, value_type>());
    kept.softmax.resize(wants_gradient() ? tokens.labels.size() : 0);
    kept.entropy.resize(wants_gradient() ? entropy.size() : 0);
    kept.work->forward(!entropy.empty(), [&](std::size_t row, detail::row_result<value_type> const& seen) noexcept {
      log_prob[row] = seen.log_prob;
      if (!entropy.empty()) entropy[row] = seen.entropy;
      if (!kept.softmax.empty()) kept.softmax[row] = {seen.softmax};
      if (!kept.entropy.empty()) kept.entropy[row] = seen.entropy;
    });
  }

  void backward(state& kept, std::span<double const> d_log_prob, gradient_write how, executor const& run) const {
    backward(kept, d_log_prob, {}, how, run);
  }

  /// The gradients by log-probs and entropies in one pass; those by entropies may be empty.
  void backward(state& kept, std::span<double const> d_log_prob, std::span<double const> d_entropy, gradient_write how,
                executor const&) const {
    kept.work->backward(
        how, [&](std::size_t row) noexcept { return kept.softmax[row]; },
        [&](std::size_t row) noexcept { return detail::slopes_of_row(d_log_prob, d_entropy, kept.entropy, row); });
  }

 private:
  [[nodiscard]] linear_options with(executor const& run, gradient_write how) const noexcept {
    return {.ignore_index = tokens.ignore_index,
            .gradient = how,
            .memory_budget = memory_budget,
            .executor = run,
            .transform = transform,
            .workspace = workspace,
            .filter = filter,
            .shard = shard};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
