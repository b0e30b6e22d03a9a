#pragma once

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/train/assigned_gradients.hpp>
#include <prefopt/engine/ranks.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/chain/evaluate_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
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
//     gradients  go to the policy's log-probs or logits alone, and only if they require them: references, weights and
//                all other columns are constants, whatever they require. Under torch::NoGradGuard none are computed
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
  at::Tensor weight{}, margin{}, label{}, reliability{};
};

/// Groups of candidates as tensors, see list_batch.
struct torch_groups {
  at::Tensor logp{};  ///< gets the gradient
  at::Tensor ref_logp{}, length{}, reward{}, target{}, weight{};
  at::Tensor offsets{};  ///< integers, groups + 1 of them
};

/// A policy's logits: [sequences, tokens, vocabulary], or [tokens, vocabulary] of sequences one behind the other.
/// float32, float64, float16 or bfloat16, on the CPU, read where they lie if the vocabulary's stride is 1.
struct torch_logits {
  at::Tensor logits{};   ///< get the gradient
  at::Tensor labels{};   ///< integers of the shape without vocabulary: the token that the row predicts, or ignore_index
  at::Tensor offsets{};  ///< integers, sequences + 1 of them: of logits with two dimensions
  std::int64_t ignore_index = -100;
};

/// Preference pairs among the sequences of logits, see policy_pairs.
struct torch_policy_pairs {
  at::Tensor chosen{}, rejected{};  ///< integers; neither given: the first half, and the second in order
  at::Tensor ref_log_prob{};        ///< one a sequence
  at::Tensor weight{}, margin{}, label{}, reliability{};  ///< one a pair
};

/// The sequences of logits as groups of candidates, see policy_groups.
struct torch_policy_groups {
  at::Tensor offsets{};  ///< integers, groups + 1 of them
  at::Tensor ref_log_prob{}, reward{}, target{}, weight{};
  bool per_token = false;
};

/// What the loss says. A tensor that there is nothing for is undefined.
struct torch_loss {
  at::Tensor loss{};  ///< with its grad_fn: one number, or under reduction::none one a pair or group
  at::Tensor chosen_reward{}, rejected_reward{}, posterior{};  ///< one a pair, without gradients
  at::Tensor log_prob{}, length{};                             ///< of logits, see torch_sequences
  prefopt::report report{};
};

/// Of the sequences of logits.
struct torch_sequences {
  at::Tensor log_prob{};  ///< with its grad_fn: sum over the counted tokens
  at::Tensor length{};    ///< their number
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

inline sequence_indices integer_column(at::Tensor const& tensor) {
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

/// A loss with its gradients by one or two vectors; an undefined gradient is not wanted.
struct torch_known_loss {
  at::Tensor loss{}, d_first{}, d_second{};
  at::Tensor loss_of{};  ///< which loss the element of a vector is in; undefined: all in the one, or each in its own
};

struct torch_loss_function : torch::autograd::Function<torch_loss_function> {
  /// c10's or, in later versions of torch, std's.
  using optional_tensor = torch::autograd::optional_variable_list::value_type;

  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const&, optional_tensor const&,
                            torch_known_loss const& known) {
    context->save_for_backward({known.d_first, known.d_second, known.loss_of});
    return known.loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& d_loss) {
    auto const saved = context->get_saved_variables();
    auto const scaled = [&](at::Tensor const& gradient) {
      if (!gradient.defined()) return gradient;
      at::NoGradGuard const no_gradient;
      return gradient * (saved[2].defined() ? d_loss[0].index_select(0, saved[2]) : d_loss[0]);
    };
    return {torch_second_derivative::guarded(scaled(saved[0])), torch_second_derivative::guarded(scaled(saved[1])), {}};
  }
};

/// The reduced loss as a tensor of type T, or each one's own, with its grad_fn if there is something to differentiate.
template <class T>
at::Tensor with_gradients(at::Tensor const& first, at::Tensor const& second, torch_known_loss known,
                          report const& seen) {
  if (!known.loss.defined()) known.loss = at::scalar_tensor(seen.loss, torch_type<T>);
  if (!known.d_first.defined() && !known.d_second.defined()) return known.loss;
  return torch_loss_function::apply(first, torch_loss_function::optional_tensor{second}, known);
}

inline void check_torch_options(options const& options) {
  check_assigned(torch_evaluate_name, options, "torch adds up gradients itself");
}

template <evaluable_pair_loss L>
bool has_posterior(L const& loss) {
  if constexpr (is_erased_pair_loss<L>) {
    return loss.has_posterior();
  } else {
    return traits_of<L>.has_posterior;
  }
}

inline constexpr std::pair<char const*, at::Tensor torch_pairs::*> torch_pair_columns[] = {
    {"chosen", &torch_pairs::chosen},
    {"rejected", &torch_pairs::rejected},
    {"ref_chosen", &torch_pairs::ref_chosen},
    {"ref_rejected", &torch_pairs::ref_rejected},
    {"chosen_length", &torch_pairs::chosen_length},
    {"rejected_length", &torch_pairs::rejected_length},
    {"weight", &torch_pairs::weight},
    {"margin", &torch_pairs::margin},
    {"label", &torch_pairs::label},
    {"reliability", &torch_pairs::reliability}};

inline constexpr std::pair<char const*, at::Tensor torch_groups::*> torch_group_columns[] = {
    {"logp", &torch_groups::logp},     {"ref_logp", &torch_groups::ref_logp}, {"length", &torch_groups::length},
    {"reward", &torch_groups::reward}, {"target", &torch_groups::target},     {"weight", &torch_groups::weight}};

/// Checks every column, the policy's first; true if it has to be computed in double.
template <class Batch, class Columns>
bool is_double(Batch const& batch, Columns const& columns) {
  bool found = false;
  auto const& [first_name, first_member] = *std::begin(columns);
  at::Tensor const& first = batch.*first_member;
  for (auto const& [name, member] : columns) {
    at::Tensor const& tensor = batch.*member;
    check_column(torch_evaluate_name, name, tensor);
    if (!tensor.defined()) continue;
    if (!first.defined()) fail(torch_evaluate_name, std::string{first_name} + " is not given, " + name + " is");
    // To the engine a column without elements is one that is not given.
    if (tensor.numel() == 0 && first.numel() != 0) {
      fail(torch_evaluate_name, std::string{name} + " has 0 elements, " + first_name + " has " +
                                    text(static_cast<std::size_t>(first.numel())));
    }
    found = found || tensor.scalar_type() == at::kDouble;
  }
  return found;
}

template <class T, class Batch, class Columns>
void bring_to_host(Batch& batch, Columns const& columns) {
  for (auto const& [name, member] : columns) batch.*member = on_host<T>(batch.*member);
}

inline at::Device policy_device(at::Tensor const& tensor) {
  return tensor.defined() ? tensor.device() : at::Device{at::kCPU};
}

template <class T, class L>
torch_loss torch_evaluate_pairs(L const& loss, torch_pairs pairs, options const& options, bool lengths_mark_empty) {
  at::Device const device = policy_device(pairs.chosen);
  bring_to_host<T>(pairs, torch_pair_columns);
  pair_batch<T> const batch{.chosen = view<T>(pairs.chosen),
                            .rejected = view<T>(pairs.rejected),
                            .ref_chosen = view<T>(pairs.ref_chosen),
                            .ref_rejected = view<T>(pairs.ref_rejected),
                            .chosen_length = view<T>(pairs.chosen_length),
                            .rejected_length = view<T>(pairs.rejected_length),
                            .weight = view<T>(pairs.weight),
                            .margin = view<T>(pairs.margin),
                            .label = view<T>(pairs.label),
                            .reliability = view<T>(pairs.reliability)};
  std::size_t const n = batch.chosen.size();
  torch_loss result{.chosen_reward = new_vector<T>(n), .rejected_reward = new_vector<T>(n)};
  if (has_posterior(loss)) result.posterior = new_vector<T>(n);
  torch_known_loss known;
  if (options.reduction == reduction::none) known.loss = new_vector<T>(n);
  if (wants_gradient(pairs.chosen)) known.d_first = new_vector<T>(n);
  if (wants_gradient(pairs.rejected)) known.d_second = new_vector<T>(n);
  result.report = evaluate_with<L, T, xsimd::default_arch>(loss, batch,
                                                           {.loss = writable<T>(known.loss),
                                                            .d_chosen = writable<T>(known.d_first),
                                                            .d_rejected = writable<T>(known.d_second),
                                                            .chosen_reward = writable<T>(result.chosen_reward),
                                                            .rejected_reward = writable<T>(result.rejected_reward),
                                                            .posterior = writable<T>(result.posterior)},
                                                           options, lengths_mark_empty);
  result.loss = with_gradients<T>(pairs.chosen, pairs.rejected, known, result.report).to(device);
  for (at::Tensor* const tensor : {&result.chosen_reward, &result.rejected_reward, &result.posterior}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return result;
}

template <class L>
torch_loss torch_evaluate_pairs(L const& loss, torch_pairs const& pairs, options const& options,
                                bool lengths_mark_empty) {
  check_torch_options(options);
  return is_double(pairs, torch_pair_columns) ? torch_evaluate_pairs<double>(loss, pairs, options, lengths_mark_empty)
                                              : torch_evaluate_pairs<float>(loss, pairs, options, lengths_mark_empty);
}

template <class T, class L>
torch_loss torch_evaluate_groups(L const& loss, torch_groups groups, at::Tensor const& offsets,
                                 options const& options) {
  at::Device const device = policy_device(groups.logp);
  bring_to_host<T>(groups, torch_group_columns);
  list_batch<T> const batch{.logp = view<T>(groups.logp),
                            .ref_logp = view<T>(groups.ref_logp),
                            .length = view<T>(groups.length),
                            .reward = view<T>(groups.reward),
                            .target = view<T>(groups.target),
                            .weight = view<T>(groups.weight),
                            .offsets = integer_column(offsets)};
  torch_known_loss known;
  std::size_t const count = batch.offsets.empty() ? 0 : batch.offsets.size() - 1;
  if (options.reduction == reduction::none) known.loss = new_vector<T>(count);
  if (wants_gradient(groups.logp)) known.d_first = new_vector<T>(batch.logp.size());
  torch_loss result;
  result.report =
      evaluate(loss, batch, {.loss = writable<T>(known.loss), .d_logp = writable<T>(known.d_first)}, options);
  if (known.loss.defined() && known.d_first.defined()) known.loss_of = at::repeat_interleave(offsets.diff());
  result.loss = with_gradients<T>(groups.logp, {}, known, result.report).to(device);
  return result;
}

template <class L>
torch_loss torch_evaluate_groups(L const& loss, torch_groups const& groups, options const& options) {
  check_torch_options(options);
  bool const wide = is_double(groups, torch_group_columns);
  at::Tensor const offsets = integer_vector(torch_evaluate_name, "offsets", groups.offsets);
  return wide ? torch_evaluate_groups<double>(loss, groups, offsets, options)
              : torch_evaluate_groups<float>(loss, groups, offsets, options);
}

inline void check_logit_type(char const* where, at::Tensor const& logits) {
  for (auto const type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    if (logits.scalar_type() == type) return;
  }
  fail(where, std::string{"logits is of type "} + at::toString(logits.scalar_type()) +
                  ", expected float32, float64, float16 or bfloat16");
}

/// Which token each row of logits predicts and which rows make a sequence: contiguous integers that go with the logits.
struct torch_rows {
  at::Tensor labels, offsets;
  std::int64_t ignore_index;

  /// Checks all of what is given.
  torch_rows(char const* where, torch_logits const& given) : ignore_index{given.ignore_index} {
    auto const& logits = given.logits;
    if (!logits.defined()) fail(where, "logits is not given");
    if (!given.labels.defined()) fail(where, "labels is not given");
    check_readable(where, "logits", logits);
    check_logit_type(where, logits);
    if (!logits.is_cpu()) {
      fail(where, "logits is on the device " + logits.device().str() +
                      ", expected cpu: make log-probs of it there, which torch_pairs and torch_groups take");
    }
    bool const is_packed = logits.dim() == 2;
    if (!is_packed && logits.dim() != 3) {
      fail(where, "logits has the shape " + shape(logits) +
                      ", expected [sequences, tokens, vocabulary], or [tokens, vocabulary] and offsets");
    }
    if (given.labels.sizes() != logits.sizes().slice(0, static_cast<std::size_t>(logits.dim() - 1))) {
      fail(where, "labels has the shape " + shape(given.labels) +
                      ", expected one a row of logits, which has the shape " + shape(logits));
    }
    if (is_packed != given.offsets.defined()) {
      fail(where, is_packed ? "offsets is not given, which logits of two dimensions need"
                            : "offsets is given, which logits of three dimensions do without");
    }
    labels = integers(where, "labels", given.labels);
    offsets = is_packed ? integer_vector(where, "offsets", given.offsets)
                        : at::arange(logits.size(0) + 1, at::kLong) * logits.size(1);
    auto const all = integer_column(labels);
    check_labels(where, all, all.size(), static_cast<std::size_t>(logits.size(-1)), ignore_index);
    if (is_packed || offsets.numel() > 1) {
      token_rows{.labels = all, .offsets = integer_column(offsets), .ignore_index = ignore_index}.check(where);
    }
  }

  [[nodiscard]] std::size_t sequences() const {
    return offsets.numel() == 0 ? 0 : static_cast<std::size_t>(offsets.numel() - 1);
  }

  /// All rows in one policy, if they are evenly apart, otherwise a policy for each sequence.
  template <class U>
  [[nodiscard]] std::vector<logit_policy<U>> policies(at::Tensor const& logits, at::Tensor const& d_logits) const {
    bool const is_packed = logits.dim() == 2;
    std::int64_t const outer = is_packed ? 1 : logits.size(0), inner = logits.size(-2);
    bool const is_even = outer <= 1 || inner == 1 || logits.stride(0) == inner * logits.stride(1);
    auto const part = [&](at::Tensor const& tensor, std::int64_t i) {
      std::int64_t const apart = is_packed ? 0 : tensor.stride(0);
      return row_major<U>{tensor.data_ptr<U>() + i * apart, static_cast<std::size_t>(is_even ? outer * inner : inner),
                          static_cast<std::size_t>(tensor.size(-1)),
                          outer > 1 && inner == 1 ? apart : tensor.stride(-2)};
    };
    std::vector<logit_policy<U>> parts;
    for (std::int64_t i = 0; i < (is_even ? 1 : outer); ++i) {
      logit_policy<U> policy{.logits = part(logits, i)};
      policy.tokens = {.labels = {labels.data_ptr<std::int64_t>() + i * inner, policy.logits.rows()},
                       .offsets = {offsets.data_ptr<std::int64_t>(), is_even ? sequences() + 1 : 2},
                       .ignore_index = ignore_index};
      if (d_logits.defined()) policy.d_logits = part(d_logits, i);
      parts.push_back(policy);
    }
    return parts;
  }
};

/// What the forward pass leaves for backward, beside the logits.
template <class U>
struct torch_log_prob_state : torch::CustomClassHolder {
  torch_rows rows;
  prefopt::executor executor;
  std::vector<typename logit_policy<U>::state> parts{};

  torch_log_prob_state(torch_rows const& given, prefopt::executor const& run) : rows{given}, executor{run} {}
};

template <class U>
struct torch_log_prob_function : torch::autograd::Function<torch_log_prob_function<U>> {
  using state = torch_log_prob_state<U>;
  struct known_log_prob {
    at::Tensor values;
    c10::intrusive_ptr<state> kept;
  };

  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& logits,
                            known_log_prob const& known) {
    // Labels and offsets are read again, and may lie where the caller has them: torch sees whether they have changed.
    context->save_for_backward({logits, known.kept->rows.labels, known.kept->rows.offsets});
    context->saved_data["kept"] = c10::IValue::make_capsule(known.kept);
    return known.values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& d_log_prob) {
    at::Tensor const logits = context->get_saved_variables()[0];
    auto const kept = c10::static_intrusive_pointer_cast<state>(context->saved_data["kept"].toCapsule());
    at::Tensor const d_logits = at::empty(logits.sizes(), logits.options().requires_grad(false));
    at::Tensor const d = d_log_prob[0].detach().resolve_neg().contiguous();
    auto const parts = kept->rows.template policies<U>(logits, d_logits);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::size_t const count = parts[i].sequences();
      parts[i].backward(kept->parts[i], {d.data_ptr<computed_of<U>>() + begin, count}, gradient_write::assign,
                        kept->executor);
      begin += count;
    }
    return {torch_second_derivative::guarded(d_logits), {}};
  }
};

template <class U>
torch_sequences log_probs_of(torch_rows const& rows, at::Tensor const& given, executor const& run) {
  using function = torch_log_prob_function<U>;
  using T = computed_of<U>;
  at::Tensor const plain = given.resolve_neg();
  at::Tensor const logits = plain.stride(-1) == 1 || plain.size(-1) <= 1 ? plain : plain.contiguous();
  bool const wanted = wants_gradient(logits);
  torch_sequences const result{.log_prob = new_vector<T>(rows.sequences()), .length = new_vector<T>(rows.sequences())};
  auto const kept = c10::make_intrusive<typename function::state>(rows, run);
  // A gradient in place of the logits: the forward pass keeps what one needs, and does not write.
  auto const parts = rows.policies<U>(logits, wanted ? logits : at::Tensor{});
  std::size_t begin = 0;
  for (auto const& part : parts) {
    std::size_t const count = part.sequences();
    part.log_probs(kept->parts.emplace_back(),
                   {.log_prob = {result.log_prob.data_ptr<T>() + begin, count},
                    .length = {result.length.data_ptr<T>() + begin, count}},
                   run);
    begin += count;
  }
  if (!wanted) return result;
  return {function::apply(logits, typename function::known_log_prob{result.log_prob, kept}), result.length};
}

/// Of logits that have been checked.
inline torch_sequences log_probs_of_any(torch_rows const& rows, at::Tensor const& logits, executor const& run) {
  switch (logits.scalar_type()) {
    case at::kDouble:
      return log_probs_of<double>(rows, logits, run);
    case at::kHalf:
      return log_probs_of<at::Half>(rows, logits, run);
    case at::kBFloat16:
      return log_probs_of<at::BFloat16>(rows, logits, run);
    default:
      return log_probs_of<float>(rows, logits, run);
  }
}

template <class L>
void check_sequence_reference(L const& loss, at::Tensor const& ref_log_prob, torch_rows const& rows) {
  check_column(torch_evaluate_name, "ref_log_prob", ref_log_prob);
  std::size_t const n = rows.sequences();
  if (!ref_log_prob.defined()) {
    if (n != 0 && needs(loss, columns::reference)) {
      fail(torch_evaluate_name, "the loss needs ref_log_prob, which is not given");
    }
  } else if (static_cast<std::size_t>(ref_log_prob.numel()) != n) {
    fail(torch_evaluate_name, "ref_log_prob has " + elements(static_cast<std::size_t>(ref_log_prob.numel())) +
                                  ", there are " + text(n) + " sequences");
  }
}

inline at::Tensor index_tensor(std::vector<std::size_t> const& indices) {
  at::Tensor const all = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  std::copy(indices.begin(), indices.end(), all.data_ptr<std::int64_t>());
  return all;
}

template <class L>
torch_loss torch_evaluate_logits(L const& loss, torch_logits const& logits, torch_policy_pairs const& pairs,
                                 options const& options) {
  check_torch_options(options);
  torch_rows const rows{torch_evaluate_name, logits};
  check_sequence_reference(loss, pairs.ref_log_prob, rows);
  at::Tensor const first = integer_vector(torch_evaluate_name, "chosen", pairs.chosen),
                   second = integer_vector(torch_evaluate_name, "rejected", pairs.rejected);
  paired_sequences const checked{integer_column(first), integer_column(second), rows.sequences()};
  at::Tensor const chosen = index_tensor(checked.chosen), rejected = index_tensor(checked.rejected);
  auto const [log_prob, length] = log_probs_of_any(rows, logits.logits, options.executor);
  torch_pairs batch{.chosen = log_prob.index_select(0, chosen),
                    .rejected = log_prob.index_select(0, rejected),
                    .chosen_length = length.index_select(0, chosen),
                    .rejected_length = length.index_select(0, rejected),
                    .weight = pairs.weight,
                    .margin = pairs.margin,
                    .label = pairs.label,
                    .reliability = pairs.reliability};
  if (pairs.ref_log_prob.defined()) {
    at::Tensor const reference = pairs.ref_log_prob.detach().to(at::kCPU);
    batch.ref_chosen = reference.index_select(0, chosen);
    batch.ref_rejected = reference.index_select(0, rejected);
  }
  torch_loss result = torch_evaluate_pairs(loss, batch, options, true);
  result.log_prob = log_prob;
  result.length = length;
  return result;
}

template <class L>
torch_loss torch_evaluate_logits(L const& loss, torch_logits const& logits, torch_policy_groups const& groups,
                                 options const& options) {
  check_torch_options(options);
  torch_rows const rows{torch_evaluate_name, logits};
  check_sequence_reference(loss, groups.ref_log_prob, rows);
  auto const [log_prob, length] = log_probs_of_any(rows, logits.logits, options.executor);
  bool const measured = needs(loss, columns::length) || (groups.per_token && reads(loss, columns::length));
  if (!measured) {
    if (length.scalar_type() == at::kDouble) {
      check_no_sequence_is_empty(view<double>(length), options.empty);
    } else {
      check_no_sequence_is_empty(view<float>(length), options.empty);
    }
  }
  torch_loss result = torch_evaluate_groups(loss,
                                            {.logp = log_prob,
                                             .ref_logp = groups.ref_log_prob,
                                             .length = measured ? length : at::Tensor{},
                                             .reward = groups.reward,
                                             .target = groups.target,
                                             .weight = groups.weight,
                                             .offsets = groups.offsets},
                                            options);
  result.log_prob = log_prob;
  result.length = length;
  return result;
}

}  // namespace detail

/// A pair loss over log-probs.
template <evaluable_pair_loss L>
torch_loss torch_evaluate(L const& loss, torch_pairs const& pairs, options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::torch_evaluate_pairs(loss, pairs, own, false); });
}

/// A list loss over log-probs.
template <evaluable_list_loss L>
torch_loss torch_evaluate(L const& loss, torch_groups const& groups, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) { return detail::torch_evaluate_groups(loss, groups, own); });
}

/// The log-probs of sequences from logits, with their gradient: row i predicts labels[i], so a model whose row t
/// predicts token t + 1 leaves out its last row and the first label. Rows with an ignored label are not read.
///     computed   in float64 for float64 logits, otherwise in float32; the gradient has the type of the logits
///     memory     25 bytes a row are kept for backward beside the logits themselves; then the gradient by these
///     executor   is used in backward, too, and what it refers to has to live until then
inline torch_sequences torch_log_probs(torch_logits const& logits, executor const& run = {}) {
  constexpr char const* where = "torch_log_probs";
  detail::torch_rows const rows{where, logits};
  return detail::log_probs_of_any(rows, logits.logits, run);
}

/// A pair loss over logits, by torch_log_probs. The reference of a frozen policy is its torch_log_probs(...).log_prob.
template <evaluable_pair_loss L>
torch_loss torch_evaluate(L const& loss, torch_logits const& logits, torch_policy_pairs const& pairs,
                          options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::torch_evaluate_logits(loss, logits, pairs, own); });
}

/// A list loss over logits, by torch_log_probs. A candidate without a token is an error unless options.empty is
/// propagate, or skip and the loss reads lengths.
template <evaluable_list_loss L>
torch_loss torch_evaluate(L const& loss, torch_logits const& logits, torch_policy_groups const& groups,
                          options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::torch_evaluate_logits(loss, logits, groups, own); });
}

}  // namespace prefopt::inline PREFOPT_ABI
