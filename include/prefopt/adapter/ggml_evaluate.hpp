#pragma once

#include <cstddef>
#include <optional>
#include <prefopt/adapter/ggml_numbers.hpp>
#include <prefopt/adapter/ggml_rows.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// The output matrix behind the hidden states that a graph ends in, [width, vocabulary]: the graph computes no logits. It
/// is read when this is made: floats in host memory are viewed, all else is copied as float, once. Product multiplies
/// matrices, see matrix_product.hpp.
template <detail::ggml_tensor_like Tensor, class Product>
class ggml_head {
 public:
  ///     gradient   of the loss by the matrix, f32, of its shape: for an optimizer's step. Null: the matrix is frozen
  explicit ggml_head(Tensor const* weight, Product const& product, std::type_identity_t<Tensor>* gradient = nullptr,
                     std::size_t memory_budget = linear_options{}.memory_budget)
      : weight_{weight}, tensor_{weight}, product_{product}, gradient_{gradient}, memory_budget_{memory_budget} {}

  [[nodiscard]] Tensor const& tensor() const noexcept { return *tensor_; }
  [[nodiscard]] Tensor* gradient() const noexcept { return gradient_; }
  [[nodiscard]] linear_policy<float, Product> policy(row_major<float const> const& hidden, token_rows const& tokens,
                                                     logit_transform const& transform) const {
    return {.head = {.hidden = hidden, .weight = weight_.rows()},
            .tokens = tokens,
            .memory_budget = memory_budget_,
            .product = product_,
            .transform = transform};
  }

 private:
  ggml_rows<Tensor> weight_;
  Tensor const* tensor_;
  Product product_;
  Tensor* gradient_;
  std::size_t memory_budget_;
};

namespace detail {

/// A leaf that a gradient goes into, or none.
template <class Tensor>
class ggml_target {
 public:
  ggml_target(std::string_view where, Tensor* tensor, Tensor const& like) {
    if (tensor == nullptr) return;
    gradient_.emplace(tensor);
    bool same = true;
    for (int i = 0; i < 4; ++i) same = same && tensor->ne[i] == like.ne[i];
    if (!same) {
      fail_tensor(where, *tensor, "is " + shape_of(*tensor) + ", what it is the gradient by is " + shape_of(like));
    }
  }

  [[nodiscard]] row_major<float> rows() { return gradient_ ? gradient_->rows() : row_major<float>{}; }
  void store() {
    if (gradient_) gradient_->store();
  }

 private:
  std::optional<ggml_gradient<Tensor>> gradient_{};
};

/// The log-probs of a policy's sequences, without a reference or a gradient.
template <class Arch, class Policy>
std::vector<float> sequence_log_probs_of(std::string_view where, Policy const& policy, executor const& run) {
  policy.check(where, gradient_write::assign);
  typename Policy::state kept;
  std::vector<float> log_prob(policy.sequences());
  read_sequences<float>(policy_ref<float>{std::type_identity<Arch>{}, policy, kept}, {.log_prob = log_prob}, run);
  return log_prob;
}

}  // namespace detail

/// The log-probs of sequences from a graph's logits [vocabulary, tokens], once it has been computed: the reference's, or
/// those of a held-out set. Row i predicts tokens.labels[i].
///     logits     of any type and strides that ggml_rows takes
///     errors     as ggml_rows and logit_policy
template <class Arch = default_instruction_set, detail::ggml_tensor_like Tensor>
std::vector<float> ggml_log_probs(Tensor const* logits, token_rows const& tokens, logit_transform const& transform = {},
                                  executor const& run = {}) {
  ggml_rows<Tensor> const seen{logits};
  return detail::sequence_log_probs_of<Arch>(
      "ggml_log_probs", logit_policy<float>{.logits = seen.rows(), .tokens = tokens, .transform = transform}, run);
}

/// The same from hidden states [width, tokens].
template <class Arch = default_instruction_set, detail::ggml_tensor_like Tensor, class Product>
std::vector<float> ggml_log_probs(Tensor const* hidden, ggml_head<std::type_identity_t<Tensor>, Product> const& head,
                                  token_rows const& tokens, logit_transform const& transform = {},
                                  executor const& run = {}) {
  ggml_rows<Tensor> const seen{hidden};
  return detail::sequence_log_probs_of<Arch>("ggml_log_probs", head.policy(seen.rows(), tokens, transform), run);
}

/// A loss from a graph's logits [vocabulary, tokens], once the graph has been computed up to there, and the loss's gradient
/// by them. The log-probs are computed from the logits, however far apart these are.
///     logits     of any type and strides that ggml_rows takes
///     gradient   a leaf, f32 without gaps, of the logits' shape: that of ggml_expand_backward, or of ggml_surrogate. Null:
///                none, for a held-out set
///     batch      as evaluate takes it: policy_pairs, policy_groups or policy_completions, with ref_log_prob
///     errors     as ggml_rows, ggml_gradient and evaluate, with nothing written
template <class Arch = default_instruction_set, evaluable_loss L, detail::ggml_tensor_like Tensor>
report ggml_evaluate(L const& loss, Tensor const* logits, std::type_identity_t<Tensor>* gradient,
                     token_rows const& tokens, detail::policy_batch_of<L, logit_policy<float>> const& batch,
                     detail::policy_outputs_of<L, logit_policy<float>> const& outputs = {}, options const& options = {},
                     logit_transform const& transform = {}) {
  ggml_rows<Tensor> const seen{logits};
  detail::ggml_target<Tensor> d{"ggml_evaluate", gradient, *logits};
  auto const report = evaluate<Arch>(
      loss, logit_policy<float>{.logits = seen.rows(), .tokens = tokens, .d_logits = d.rows(), .transform = transform},
      batch, outputs, options);
  d.store();
  return report;
}

/// The same from hidden states [width, tokens] and the matrix behind them, by which the head's gradient is taken, too, if
/// it has one. Logits exist some rows at a time.
template <class Arch = default_instruction_set, evaluable_loss L, detail::ggml_tensor_like Tensor, class Product>
report ggml_evaluate(L const& loss, Tensor const* hidden, ggml_head<std::type_identity_t<Tensor>, Product> const& head,
                     std::type_identity_t<Tensor>* gradient, token_rows const& tokens,
                     detail::policy_batch_of<L, logit_policy<float>> const& batch,
                     detail::policy_outputs_of<L, logit_policy<float>> const& outputs = {}, options const& options = {},
                     logit_transform const& transform = {}) {
  ggml_rows<Tensor> const seen{hidden};
  detail::ggml_target<Tensor> d_hidden{"ggml_evaluate", gradient, *hidden};
  detail::ggml_target<Tensor> d_weight{"ggml_evaluate", head.gradient(), head.tensor()};
  auto policy = head.policy(seen.rows(), tokens, transform);
  policy.gradients = {.hidden = d_hidden.rows(), .weight = d_weight.rows()};
  auto const report = evaluate<Arch>(loss, policy, batch, outputs, options);
  d_hidden.store();
  d_weight.store();
  return report;
}

}  // namespace prefopt::inline PREFOPT_ABI
