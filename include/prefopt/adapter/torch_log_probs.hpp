#pragma once

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/evaluate_batch.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// libtorch: tensors in, a loss with a grad_fn out. Needs Torch 1.13 or later and a compiler that takes its headers in
// C++20 (not Clang before 15).
//
//     tensors    an undefined tensor is a column that is not given. Columns have one dimension, any stride, dtype and
//                device; float32 and float64 are read where they lie, others are copied: float16, bfloat16 and integers
//                to the type computed in, other devices to the host, and gradients go the same way back
//     computed   in float64 if any column is float64, otherwise in float32; the results have that dtype and are on the
//                policy's device
//     gradients  go to the policy's log-probs or logits, and to those further columns by which the loss has a gradient
//                (a margin, a scale, … : `d_` in the table of losses), if they require them: references, weights and all
//                other columns are constants, whatever they require. Under torch::NoGradGuard none are computed
//     twice      the gradient is analytic and cannot be differentiated again: backward through a graph that
//                create_graph made throws std::invalid_argument
//     options    as in evaluate; options.gradient has to be assign, since torch adds up gradients itself
//     throws     std::invalid_argument for what evaluate would refuse, and for tensors of other shapes and types

namespace prefopt::inline PREFOPT_ABI {

/// Preference pairs as tensors of n values, see pair_batch.
struct torch_pairs {
  at::Tensor chosen{}, rejected{};                ///< get gradients
  at::Tensor ref_chosen{}, ref_rejected{};        ///< never do
  at::Tensor chosen_length{}, rejected_length{};  ///< of any integer or floating-point type
  at::Tensor weight{};
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, at::Tensor)
};

/// Groups of candidates as tensors, see list_batch.
struct torch_groups {
  at::Tensor logp{};  ///< gets the gradient
  at::Tensor ref_logp{}, length{}, reward{}, target{}, weight{};
  at::Tensor offsets{};  ///< integers, groups + 1 of them
};

/// Single completions as tensors of n values, see unpaired_batch.
struct torch_unpaired {
  at::Tensor logp{};  ///< gets the gradient
  at::Tensor ref_logp{}, length{}, label{}, target{}, weight{}, kl_logp{}, ref_kl_logp{};
};

/// What the loss says. A tensor that there is nothing for is undefined.
struct torch_loss {
  at::Tensor loss{};  ///< with its grad_fn: one number, or under reduction::none one a pair or group
  at::Tensor chosen_reward{}, rejected_reward{}, posterior{};  ///< one a pair, without gradients
  at::Tensor reward{};                                         ///< one a completion, of unpaired losses
  at::Tensor log_prob{}, length{};                             ///< of logits, see torch_sequences
  prefopt::report report{};
};

namespace detail {

inline constexpr char const* torch_evaluate_name = "torch_evaluate";

inline std::string shape(at::Tensor const& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

inline void check_readable(char const* where, char const* name, at::Tensor const& tensor) {
  if (tensor.layout() != at::kStrided) fail(where, std::string{name} + " is sparse, expected a strided tensor");
  if (tensor.is_meta()) fail(where, std::string{name} + " is on the device meta and has no numbers");
}

inline void check_column(char const* where, char const* name, at::Tensor const& tensor) {
  if (!tensor.defined()) return;
  check_readable(where, name, tensor);
  if (tensor.dim() != 1) {
    fail(where, std::string{name} + " has the shape " + shape(tensor) + ", expected one dimension");
  }
  if (!at::isFloatingType(tensor.scalar_type()) && !at::isIntegralType(tensor.scalar_type(), true)) {
    fail(where, std::string{name} + " is of type " + at::toString(tensor.scalar_type()) + ", expected real numbers");
  }
}

/// As 64-bit integers on the host, contiguous.
inline at::Tensor integers(char const* where, char const* name, at::Tensor const& tensor) {
  if (!tensor.defined()) return tensor;
  check_readable(where, name, tensor);
  if (!at::isIntegralType(tensor.scalar_type(), false)) {
    fail(where, std::string{name} + " is of type " + at::toString(tensor.scalar_type()) + ", expected integers");
  }
  return tensor.to(at::kCPU, at::kLong).resolve_neg().contiguous();
}

inline column<std::int64_t> integer_column(at::Tensor const& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.data_ptr<std::int64_t>(), static_cast<std::size_t>(tensor.numel())};
}

inline at::Tensor integer_vector(char const* where, char const* name, at::Tensor const& tensor) {
  check_column(where, name, tensor);
  return integers(where, name, tensor);
}

template <class T>
inline constexpr at::ScalarType torch_type = std::same_as<T, double> ? at::kDouble : at::kFloat;

/// T on the host; autograd knows the way, if the tensor requires gradients.
template <class T>
at::Tensor on_host(at::Tensor const& tensor) {
  return tensor.defined() ? tensor.to(at::kCPU, torch_type<T>).resolve_neg() : tensor;
}

template <class T>
column<T> view(at::Tensor const& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel()), tensor.stride(0)};
}

template <class T>
at::Tensor new_vector(std::size_t size) {
  return at::empty({static_cast<std::int64_t>(size)}, torch_type<T>);
}

template <class T>
output<T> writable(at::Tensor const& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

inline bool wants_gradient(at::Tensor const& tensor) {
  return at::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

/// A gradient in a graph that create_graph has made: the graph goes on, to an error.
struct torch_second_derivative : torch::autograd::Function<torch_second_derivative> {
  static at::Tensor forward(torch::autograd::AutogradContext*, at::Tensor const& gradient) { return gradient; }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list const&) {
    fail(torch_evaluate_name,
         "backward through the gradient of a loss, expected backward through the loss alone: second derivatives are "
         "not known");
  }

  static at::Tensor guarded(at::Tensor const& gradient) {
    if (!at::GradMode::is_enabled() || !gradient.defined()) return gradient;
    return apply(gradient.detach().requires_grad_());
  }
};

/// A loss with its gradients by vectors, in the order of the vectors.
struct torch_known_loss {
  at::Tensor loss{};
  std::vector<at::Tensor> gradients{};
  at::Tensor loss_of{};  ///< which loss the element of a vector is in; undefined: all in the one, or each in its own
};

struct torch_loss_function : torch::autograd::Function<torch_loss_function> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList, torch_known_loss const& known) {
    torch::autograd::variable_list saved{known.loss_of};
    saved.insert(saved.end(), known.gradients.begin(), known.gradients.end());
    context->save_for_backward(std::move(saved));
    return known.loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& d_loss) {
    auto const saved = context->get_saved_variables();
    auto const scaled = [&](at::Tensor const& gradient) {
      at::NoGradGuard const no_gradient;
      return gradient * (saved[0].defined() ? d_loss[0].index_select(0, saved[0]) : d_loss[0]);
    };
    torch::autograd::variable_list result;
    for (std::size_t i = 1; i < saved.size(); ++i) {
      result.push_back(torch_second_derivative::guarded(scaled(saved[i])));
    }
    result.emplace_back();
    return result;
  }
};

/// The reduced loss as a tensor of type T, or each one's own, with its grad_fn if there is something to differentiate.
template <class T>
at::Tensor with_grad_fn(std::vector<at::Tensor> const& by, torch_known_loss known, report const& seen) {
  if (!known.loss.defined()) known.loss = at::scalar_tensor(seen.loss, torch_type<T>);
  if (by.empty()) return known.loss;
  return torch_loss_function::apply(at::TensorList{by}, known);
}

inline void check_torch_options(options const& options) {
  check_assigned(torch_evaluate_name, options, "torch adds up gradients itself");
}

/// A family's columns as tensors, in the order of its table.
template <class Family>
struct torch_columns;
template <>
struct torch_columns<pair_family> {
  using batch = torch_pairs;
#define PREFOPT_TORCH_COLUMN(name, kind, range, neutral, type) &torch_pairs::name,
  static constexpr at::Tensor batch::*members[]{
      &batch::chosen,        &batch::rejected,        &batch::ref_chosen, &batch::ref_rejected,
      &batch::chosen_length, &batch::rejected_length, &batch::weight,     PREFOPT_PAIR_COLUMNS(PREFOPT_TORCH_COLUMN, )};
#undef PREFOPT_TORCH_COLUMN
};
template <>
struct torch_columns<list_family> {
  using batch = torch_groups;
  static constexpr at::Tensor batch::*members[]{&batch::logp,   &batch::ref_logp, &batch::length,
                                                &batch::reward, &batch::target,   &batch::weight};
};

template <>
struct torch_columns<unpaired_family> {
  using batch = torch_unpaired;
  static constexpr at::Tensor batch::*members[]{&batch::logp,   &batch::ref_logp, &batch::length,  &batch::label,
                                                &batch::target, &batch::weight,   &batch::kl_logp, &batch::ref_kl_logp};
};

/// Checks every column, the policy's first; true if it has to be computed in double.
template <class Family>
bool is_double(typename torch_columns<Family>::batch const& batch) {
  bool found = false;
  char const* const first_name = Family::template inputs<float>[0].name;
  at::Tensor const& first = batch.*torch_columns<Family>::members[0];
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    char const* const name = Family::template inputs<float>[c].name;
    at::Tensor const& tensor = batch.*torch_columns<Family>::members[c];
    check_column(torch_evaluate_name, name, tensor);
    if (!tensor.defined()) continue;
    if (!first.defined()) fail(torch_evaluate_name, std::string{first_name} + " is not given, " + name + " is");
    if (tensor.numel() == 0 && first.numel() != 0) {
      fail(torch_evaluate_name, std::string{name} + " has 0 elements, " + first_name + " has " +
                                    text(static_cast<std::size_t>(first.numel())));
    }
    found = found || tensor.scalar_type() == at::kDouble;
  }
  return found;
}

inline at::Device policy_device(at::Tensor const& tensor) {
  return tensor.defined() ? tensor.device() : at::Device{at::kCPU};
}

/// The family's engine over tensors, in T. `offsets` is of groups.
template <class Family, class T>
torch_loss torch_evaluate_in(any_loss<Family> const& loss, typename torch_columns<Family>::batch tensors,
                             at::Tensor const& offsets, options const& options, bool lengths_mark_empty) {
  constexpr auto& members = torch_columns<Family>::members;
  at::Device const device = policy_device(tensors.*members[0]);
  typename Family::template batch<T> batch{};
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    at::Tensor& tensor = tensors.*members[c];
    tensor = on_host<T>(tensor);
    batch.*Family::template inputs<T>[c].values = view<T>(tensor);
  }
  std::size_t const items = (batch.*Family::template inputs<T>[0].values).size();
  std::size_t examples = items;
  typename Family::template outputs<T> outputs{};
  torch_loss result;
  if constexpr (std::same_as<Family, list_family>) {
    batch.offsets = integer_column(offsets);
    examples = batch.offsets.empty() ? 0 : batch.offsets.size() - 1;
  } else if constexpr (std::same_as<Family, unpaired_family>) {
    result.reward = new_vector<T>(items);
    outputs.reward = writable<T>(result.reward);
  } else {
    result.chosen_reward = new_vector<T>(items);
    result.rejected_reward = new_vector<T>(items);
    if (loss.has_posterior()) result.posterior = new_vector<T>(items);
    outputs.chosen_reward = writable<T>(result.chosen_reward);
    outputs.rejected_reward = writable<T>(result.rejected_reward);
    outputs.posterior = writable<T>(result.posterior);
  }
  torch_known_loss known;
  if (options.reduction == reduction::none) known.loss = new_vector<T>(examples);
  outputs.loss = writable<T>(known.loss);
  std::vector<at::Tensor> by;
  auto const& rows = Family::template results<T>;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].gradient_of < 0 || (rows[r].is_of_some && (loss.facts().writes >> r & 1U) == 0)) continue;
    at::Tensor const& of = tensors.*members[rows[r].gradient_of];
    if (!wants_gradient(of)) continue;
    by.push_back(of);
    outputs.*rows[r].values = writable<T>(known.gradients.emplace_back(new_vector<T>(items)));
  }
  result.report = evaluate_batch<Family, T>(loss.template ref<T>(), batch, outputs, options, lengths_mark_empty);
  if (offsets.defined() && known.loss.defined() && !by.empty()) {
    known.loss_of = at::repeat_interleave(offsets.diff());
  }
  result.loss = with_grad_fn<T>(by, known, result.report).to(device);
  for (at::Tensor* const tensor : {&result.chosen_reward, &result.rejected_reward, &result.posterior, &result.reward}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return result;
}

template <class Family>
torch_loss torch_evaluate_batch(any_loss<Family> const& loss, typename torch_columns<Family>::batch const& tensors,
                                options const& options, bool lengths_mark_empty = false) {
  check_torch_options(options);
  loss.check();
  bool const wide = is_double<Family>(tensors);
  at::Tensor offsets;
  if constexpr (std::same_as<Family, list_family>) {
    offsets = integer_vector(torch_evaluate_name, "offsets", tensors.offsets);
  }
  return wide ? torch_evaluate_in<Family, double>(loss, tensors, offsets, options, lengths_mark_empty)
              : torch_evaluate_in<Family, float>(loss, tensors, offsets, options, lengths_mark_empty);
}

}  // namespace detail

/// A pair loss over log-probs.
template <evaluable_pair_loss L>
torch_loss torch_evaluate(L const& loss, torch_pairs const& pairs, options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::torch_evaluate_batch<pair_family>(loss, pairs, own); });
}

/// A list loss over log-probs.
template <evaluable_list_loss L>
torch_loss torch_evaluate(L const& loss, torch_groups const& groups, options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::torch_evaluate_batch<list_family>(loss, groups, own); });
}

/// An unpaired loss over log-probs.
template <evaluable_unpaired_loss L>
torch_loss torch_evaluate(L const& loss, torch_unpaired const& completions, options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::torch_evaluate_batch<unpaired_family>(loss, completions, own); });
}

}  // namespace prefopt::inline PREFOPT_ABI
