#pragma once

#include <torch/torch.h>

#include <array>
#include <cstddef>
#include <prefopt/adapter/torch.hpp>
#include <span>

#include "any_loss.hpp"
#include "candidate_list.hpp"
#include "preference.hpp"

/// Some records as tensors, in float: what the data say of their candidates, one behind the other.
struct record_columns {
  at::Tensor candidates;                            ///< which they are of all
  at::Tensor offsets;                               ///< where the records' candidates begin, and the end of the last
  at::Tensor reward, target;                        ///< one a candidate
  at::Tensor weight, margin, label;                 ///< one a record
  std::array<at::Tensor, further_columns> further;  ///< the same, of pairs

  record_columns(preference_set const& data, candidate_list const& all, std::span<std::size_t const> records);
};

/// A loss and the data that it is computed on.
struct preference_loss {
  any_loss loss;
  preference_set const& data;

  /// The loss of these records by their log-probs. `reference` has a value for every candidate of all records; it is
  /// read if the loss takes it.
  prefopt::torch_loss operator()(record_columns const& records, prefopt::torch_sequences const& sequences,
                                 at::Tensor const& reference) const;
};

/// How far apart two ways to the same numbers are, each as a share of the largest of these numbers.
struct autograd_difference {
  double log_prob, gradient;
  bool knows_formula;  ///< whether the loss, too, was made of torch's functions
};

/// Log-probs and the loss's gradient by the logits, through prefopt, and through torch's log_softmax, gather and
/// autograd in float64, the loss at the same log-probs; for dpo, simpo and adpo the loss is then made of torch's
/// functions as well.
autograd_difference difference_from_autograd(preference_loss const& loss, loss_choice const& choice,
                                             record_columns const& records, at::Tensor const& logits,
                                             at::Tensor const& labels, at::Tensor const& reference);
