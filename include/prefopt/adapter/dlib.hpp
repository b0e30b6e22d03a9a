#pragma once

#include <dlib/dnn.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <istream>
#include <optional>
#include <ostream>
#include <prefopt/contract/parameter_values.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What dlib calls the label of a sample: the columns of a batch that go with it, each given for all or for none of a
/// mini-batch. Of dlib_pair_loss two samples are a pair, the chosen one first, and what is the pair's is given with that
/// one; of dlib_unpaired_loss each sample is a completion, and all is its own.
struct dlib_label {
  std::optional<float> reference{};                             ///< log-prob under the reference policy
  std::optional<float> length{};                                ///< tokens in the completion
  std::optional<float> weight{};                                ///< the pair's
  std::optional<float> margin{};                                ///< the pair's
  std::optional<float> label{};                                 ///< the pair's
  std::optional<float> reliability{};                           ///< the pair's
  std::optional<float> target{}, scale{}, rationale{}, gold{};  ///< the pair's
  std::optional<float> kl{}, deviation{}, sign{};               ///< the completion's own
  std::optional<float> kl_logp{}, ref_kl_logp{};                ///< of unpaired_batch
};

namespace detail {

template <class L>
parameter_values values_of_loss(L const& loss) {
  if constexpr (is_any_loss<L>) {
    return loss.parameters();
  } else {
    return values_of(parameters_of<L>, &loss);
  }
}

template <class L>
std::string name_of_loss(L const& loss) {
  return std::string{facts_of_any(loss).name};
}

/// A member of dlib_label: a value for each sample, or one for each pair; of which batch it is a column.
struct dlib_column {
  std::string_view name;
  std::optional<float> dlib_label::*member;
  bool is_of_pair, is_of_pairs = true, is_of_unpaired = false;
};

inline constexpr std::array<dlib_column, 15> dlib_columns{
    {{"reference", &dlib_label::reference, false, true, true},
     {"length", &dlib_label::length, false, true, true},
     {"weight", &dlib_label::weight, true, true, true},
     {"margin", &dlib_label::margin, true},
     {"label", &dlib_label::label, true, true, true},
     {"reliability", &dlib_label::reliability, true},
     {"target", &dlib_label::target, true, true, true},
     {"scale", &dlib_label::scale, true},
     {"rationale", &dlib_label::rationale, true},
     {"gold", &dlib_label::gold, true},
     {"kl", &dlib_label::kl, false},
     {"deviation", &dlib_label::deviation, false},
     {"sign", &dlib_label::sign, false},
     {"kl_logp", &dlib_label::kl_logp, false, false, true},
     {"ref_kl_logp", &dlib_label::ref_kl_logp, false, false, true}}};

}  // namespace detail

/// A loss as the loss layer of a dlib network with one output a sample: the sequence's log-prob, or its reward.
///     dlib::add_loss_layer<prefopt::dlib_pair_loss<prefopt::bradley_terry>, dlib::fc<1, dlib::input<...>>>
///     dlib::add_loss_layer<prefopt::dlib_unpaired_loss<prefopt::kto>, dlib::fc<1, dlib::input<...>>>
/// Of a pair loss, samples 2i and 2i + 1 of a mini-batch are the chosen and the rejected one of pair i: keep mini-batches
/// even, and do not shuffle samples but pairs. The network computes in float, and so does the loss.
///     reads      the network's output where it lies, and the labels
///     writes     the gradient of the reduced loss by the output, as dlib expects it, and returns that loss
///     throws     std::invalid_argument, before anything is written: an odd number of samples for pairs; an output that
///                is not 1 x 1 x 1 a sample; a column in some labels only, or of the other kind of batch;
///                gradient_write::accumulate; and what `evaluate` refuses. Out of the thread of dlib::dnn_trainer it
///                comes by one of the next calls, not always by the very next
template <class L>
  requires(evaluable_pair_loss<L> || evaluable_unpaired_loss<L>)
class dlib_loss {
  static constexpr bool is_paired = evaluable_pair_loss<L>;

 public:
  using training_label_type = dlib_label;
  using output_label_type = float;

  dlib_loss() requires std::default_initializable<L>
  = default;
  // Not explicit: dlib makes a layer of what a network's constructor is given.
  dlib_loss(L const& loss, prefopt::options const& options = {})  // NOLINT
      : loss_{loss}, options_{options} {}

  [[nodiscard]] L const& loss() const noexcept { return loss_; }
  [[nodiscard]] prefopt::options const& options() const noexcept { return options_; }

  /// Of the last mini-batch: accuracy, margin, rewards and the rest of what dlib has no place for.
  [[nodiscard]] prefopt::report const& report() const noexcept { return report_; }

  /// Each sample's output.
  template <class Subnet, class OutputIterator>
  void to_label(dlib::tensor const& input, Subnet const& subnet, OutputIterator labels) const {
    auto const& scores = subnet.get_output();
    check_output(input, subnet, scores);
    std::copy_n(scores.host(), scores.num_samples(), labels);
  }

  template <class LabelIterator, class Subnet>
  double compute_loss_value_and_gradient(dlib::tensor const& input, LabelIterator labels, Subnet& subnet) const {
    report_ = detail::with_ranks(options_, [&](auto const& own) { return evaluate_batch(input, labels, subnet, own); });
    return report_.loss;
  }

  /// The loss's name and parameters; not the options, which belong to a run.
  friend void serialize(dlib_loss const& item, std::ostream& out) {
    if constexpr (!detail::is_any_loss<L> && !std::is_empty_v<L>) {
      static_assert(
          requires { L::parameters(); } || requires(L loss) { loss.base; },
          "prefopt: a loss with data members names them in parameters(), so that a network can be saved with it");
    }
    dlib::serialize(std::string{version}, out);
    dlib::serialize(detail::name_of_loss(item.loss_), out);
    auto const values = detail::values_of_loss(item.loss_);
    dlib::serialize(static_cast<unsigned long>(values.size()), out);
    for (auto const& [name, value] : values) {
      dlib::serialize(name, out);
      dlib::serialize(value, out);
    }
  }

  /// Takes the parameters over. Throws dlib::serialization_error, and leaves the layer as it was, for another loss,
  /// other parameters than it has, and one out of its range. A loss chosen at run time takes nothing over: its
  /// parameters must be the written ones.
  friend void deserialize(dlib_loss& item, std::istream& in) {
    std::string text;
    dlib::deserialize(text, in);
    if (text != version) refuse("the file holds the layer \"" + text + "\", expected \"" + std::string{version} + '"');
    std::string const expected = detail::name_of_loss(item.loss_);
    dlib::deserialize(text, in);
    if (text != expected) refuse("the file holds the loss " + text + ", expected " + expected);
    unsigned long count = 0;
    dlib::deserialize(count, in);
    auto const own = detail::values_of_loss(item.loss_);
    if (count != own.size()) {
      refuse("the file holds " + detail::text(std::size_t{count}) + " parameters of " + expected + ", expected " +
             detail::text(own.size()));
    }
    parameter_values read(own.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      dlib::deserialize(read[i].first, in);
      dlib::deserialize(read[i].second, in);
      if (read[i].first != own[i].first) {
        refuse("the file holds the parameter " + read[i].first + " of " + expected + ", expected " + own[i].first);
      }
    }
    item.take(read, own);
  }

  friend std::ostream& operator<<(std::ostream& out, dlib_loss const& item) {
    out << "prefopt\t (" << detail::name_of_loss(item.loss_);
    for (auto const& [name, value] : detail::values_of_loss(item.loss_)) out << ", " << name << '=' << value;
    return out << ')';
  }

  friend void to_xml(dlib_loss const& item, std::ostream& out) {
    out << (is_paired ? "<prefopt_pair_loss name='" : "<prefopt_unpaired_loss name='");
    for (char const c : detail::name_of_loss(item.loss_)) {
      if (c == '<') {
        out << "&lt;";
      } else if (c == '>') {
        out << "&gt;";
      } else {
        out << c;
      }
    }
    out << "'>\n";
    for (auto const& [name, value] : detail::values_of_loss(item.loss_)) {
      out << "<parameter name='" << name << "' value='" << detail::text(value) << "'/>\n";
    }
    out << (is_paired ? "</prefopt_pair_loss>\n" : "</prefopt_unpaired_loss>\n");
  }

 private:
  static constexpr char const* layer = is_paired ? "dlib_pair_loss" : "dlib_unpaired_loss";
  static constexpr std::string_view version = is_paired ? "prefopt_pair_loss_1" : "prefopt_unpaired_loss_1";

  [[noreturn]] static void fail(std::string const& what) { detail::fail(layer, what); }
  [[noreturn]] static void refuse(std::string const& what) {
    throw dlib::serialization_error(std::string{"prefopt::"} + layer + ": " + what);
  }

  /// The labels' values, a column after the other, for the samples of a mini-batch.
  class label_columns {
   public:
    template <class LabelIterator>
    label_columns(LabelIterator label, std::size_t samples) {
      for (std::size_t sample = 0; sample < samples; ++sample, ++label) {
        dlib_label const& given = *label;
        for (std::size_t c = 0; c < detail::dlib_columns.size(); ++c) {
          auto const& [name, member, is_of_pair, is_of_pairs, is_of_unpaired] = detail::dlib_columns[c];
          std::optional<float> const& value = given.*member;
          if (value && !(is_paired ? is_of_pairs : is_of_unpaired)) refuse_of_other(name, sample);
          if (is_paired && is_of_pair && sample % 2 != 0) {
            if (value) refuse_of_rejected(name, sample);
            continue;
          }
          if (sample != 0 && value.has_value() == values_[c].empty()) refuse_mixed(name, sample, value.has_value());
          if (value) values_[c].push_back(*value);
        }
      }
    }

    [[nodiscard]] column<float> of_chosen(std::optional<float> dlib_label::*member) const noexcept {
      auto const& values = values_of(member);
      return values.empty() ? column<float>{} : column<float>{values.data(), values.size() / 2, 2};
    }
    [[nodiscard]] column<float> of_rejected(std::optional<float> dlib_label::*member) const noexcept {
      auto const& values = values_of(member);
      return values.empty() ? column<float>{} : column<float>{values.data() + 1, values.size() / 2, 2};
    }
    [[nodiscard]] column<float> of_all(std::optional<float> dlib_label::*member) const noexcept {
      return detail::column_if(!values_of(member).empty(), values_of(member));
    }

   private:
    [[noreturn]] static void refuse_of_other(std::string_view name, std::size_t sample) {
      fail("the label of sample " + detail::text(sample) + " has a value for " + std::string{name} +
           (is_paired ? ", which pairs do not have" : ", which single completions do not have"));
    }
    [[nodiscard]] std::vector<float> const& values_of(std::optional<float> dlib_label::*member) const noexcept {
      std::size_t c = 0;
      while (detail::dlib_columns[c].member != member) ++c;
      return values_[c];
    }
    [[noreturn]] static void refuse_mixed(std::string_view name, std::size_t sample, bool given) {
      fail("the label of sample " + detail::text(sample) + (given ? " has a" : " has no") + " value for " +
           std::string{name} + (given ? ", those before have none" : ", those before have one"));
    }
    [[noreturn]] static void refuse_of_rejected(std::string_view name, std::size_t sample) {
      fail("the label of sample " + detail::text(sample) + ", a rejected one, has a value for " + std::string{name} +
           ", which is the pair's and expected with the chosen one");
    }

    std::array<std::vector<float>, detail::dlib_columns.size()> values_;
  };

  template <class LabelIterator, class Subnet>
  prefopt::report evaluate_batch(dlib::tensor const& input, LabelIterator labels, Subnet& subnet,
                                 prefopt::options const& options) const {
    detail::check_assigned(layer, options, "the gradients of a mini-batch are its own");
    dlib::tensor const& scores = subnet.get_output();
    check_output(input, subnet, scores);
    auto const samples = static_cast<std::size_t>(scores.num_samples());
    if (is_paired && samples % 2 != 0) {
      fail("the mini-batch has " + detail::text(samples) + (samples == 1 ? " sample" : " samples") +
           ", expected an even number: chosen and rejected in turn");
    }
    label_columns const columns{labels, samples};
    dlib::tensor& gradient = subnet.get_gradient_input();
    float const* const score = scores.host();
    float* const d_score = gradient.host();
    if constexpr (is_paired) {
      std::size_t const pairs = samples / 2;
      return evaluate(loss_,
                      pair_batch<float>{.chosen = {score, pairs, 2},
                                        .rejected = {score + 1, pairs, 2},
                                        .ref_chosen = columns.of_chosen(&dlib_label::reference),
                                        .ref_rejected = columns.of_rejected(&dlib_label::reference),
                                        .chosen_length = columns.of_chosen(&dlib_label::length),
                                        .rejected_length = columns.of_rejected(&dlib_label::length),
                                        .weight = columns.of_all(&dlib_label::weight),
                                        .margin = columns.of_all(&dlib_label::margin),
                                        .label = columns.of_all(&dlib_label::label),
                                        .reliability = columns.of_all(&dlib_label::reliability),
                                        .target = columns.of_all(&dlib_label::target),
                                        .scale = columns.of_all(&dlib_label::scale),
                                        .chosen_kl = columns.of_chosen(&dlib_label::kl),
                                        .rejected_kl = columns.of_rejected(&dlib_label::kl),
                                        .chosen_deviation = columns.of_chosen(&dlib_label::deviation),
                                        .rejected_deviation = columns.of_rejected(&dlib_label::deviation),
                                        .chosen_sign = columns.of_chosen(&dlib_label::sign),
                                        .rejected_sign = columns.of_rejected(&dlib_label::sign),
                                        .rationale = columns.of_all(&dlib_label::rationale),
                                        .gold = columns.of_all(&dlib_label::gold)},
                      {.d_chosen = {d_score, pairs, 2}, .d_rejected = {d_score + 1, pairs, 2}}, options);
    } else {
      return evaluate(loss_,
                      unpaired_batch<float>{.logp = {score, samples},
                                            .ref_logp = columns.of_all(&dlib_label::reference),
                                            .length = columns.of_all(&dlib_label::length),
                                            .label = columns.of_all(&dlib_label::label),
                                            .target = columns.of_all(&dlib_label::target),
                                            .weight = columns.of_all(&dlib_label::weight),
                                            .kl_logp = columns.of_all(&dlib_label::kl_logp),
                                            .ref_kl_logp = columns.of_all(&dlib_label::ref_kl_logp)},
                      {.d_logp = {d_score, samples}}, options);
    }
  }

  template <class Subnet>
  static void check_output(dlib::tensor const& input, Subnet const& subnet, dlib::tensor const& output) {
    if (output.k() != 1 || output.nr() != 1 || output.nc() != 1) {
      fail("the network's output is " + std::to_string(output.k()) + " x " + std::to_string(output.nr()) + " x " +
           std::to_string(output.nc()) + " a sample, expected 1 x 1 x 1");
    }
    if (subnet.sample_expansion_factor() != 1 || input.num_samples() != output.num_samples()) {
      fail("the network makes " + std::to_string(output.num_samples()) + " outputs of " +
           std::to_string(input.num_samples()) + " inputs, expected one of each");
    }
  }

  void take(parameter_values const& read, parameter_values const& own) {
    if constexpr (detail::is_any_loss<L>) {
      for (std::size_t i = 0; i < own.size(); ++i) {
        if (read[i].second != own[i].second) {
          refuse("the file holds " + read[i].first + '=' + detail::text(read[i].second) + ", the layer's loss has " +
                 detail::text(own[i].second));
        }
      }
    } else {
      L loss = loss_;
      std::size_t i = 0;
      detail::parameters_of<L>.any(&loss, [&](detail::known_parameter const& p, void* owner, auto const&) {
        double const value = read[i++].second;
        if (!p.valid.contains(value)) {
          refuse("the file holds " + std::string{p.name} + '=' + detail::text(value) + ", expected a number " +
                 p.valid.text());
        }
        p.set(owner, value);
        return false;
      });
      loss_ = loss;
    }
  }

  L loss_;
  prefopt::options options_;
  mutable prefopt::report report_;
};

template <evaluable_pair_loss L>
using dlib_pair_loss = dlib_loss<L>;
template <evaluable_unpaired_loss L>
using dlib_unpaired_loss = dlib_loss<L>;

}  // namespace prefopt::inline PREFOPT_ABI
