#include "sequence_loss.hpp"

#include <algorithm>

#include "input_error.hpp"

namespace {

std::variant<prefopt::any_pair_loss, prefopt::any_unpaired_loss> made(loss_choice const& choice) {
  if (choice.kind == loss_kind::list) {
    throw input_error{"--loss: " + choice.name + " is a loss of ranked lists, expected one of pairs or of single " +
                      "completions"};
  }
  if (choice.kind == loss_kind::unpaired) return make_unpaired_loss(choice);
  return make_pair_loss(choice);
}

}  // namespace

sequence_loss::sequence_loss(loss_choice const& choice) : loss_{made(choice)} {}

std::string sequence_loss::name() const {
  return std::visit([](auto const& loss) { return loss.name(); }, loss_);
}

bool sequence_loss::reads_reference() const {
  return std::visit([](auto const& loss) { return loss.reads(prefopt::columns::reference); }, loss_);
}

std::vector<float> sequence_loss::labels(std::size_t sequences) {
  std::vector<float> all(sequences, 0.0F);
  std::fill_n(all.begin(), sequences / 2, 1.0F);
  return all;
}

prefopt::report sequence_loss::operator()(std::span<float const> log_prob, std::span<float const> reference,
                                          float length, std::span<float> d) const {
  std::size_t const n = log_prob.size() / 2;
  if (auto const* const loss = std::get_if<prefopt::any_pair_loss>(&loss_)) {
    prefopt::pair_batch<float> pairs{.chosen = log_prob.first(n), .rejected = log_prob.last(n)};
    if (reads_reference()) pairs.ref_chosen = reference.first(n), pairs.ref_rejected = reference.last(n);
    prefopt::column<float> const lengths{&length, n, 0};
    if (loss->reads(prefopt::columns::length)) pairs.chosen_length = pairs.rejected_length = lengths;
    float const sure = 1;
    if (loss->reads(prefopt::columns::label)) pairs.label = {&sure, n, 0};
    prefopt::pair_outputs<float> outputs;
    if (!d.empty()) outputs = {.d_chosen = d.first(n), .d_rejected = d.last(n)};
    return prefopt::evaluate(*loss, pairs, outputs);
  }
  auto const& loss = std::get<prefopt::any_unpaired_loss>(loss_);
  prefopt::unpaired_batch<float> completions{.logp = log_prob};
  if (reads_reference()) completions.ref_logp = reference;
  if (loss.reads(prefopt::columns::length)) completions.length = {&length, 2 * n, 0};
  auto const label = labels(2 * n);
  if (loss.reads(prefopt::columns::label)) completions.label = label;
  prefopt::unpaired_outputs<float> outputs;
  if (!d.empty()) outputs.d_logp = d;
  return prefopt::evaluate(loss, completions, outputs);
}
