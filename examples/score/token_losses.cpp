#include "token_losses.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "loss_lines.hpp"

namespace {

constexpr std::string_view notation =
    "  l = logp, o = old_logp, r = e^(l - o), A = advantage, c k3: the estimate of the KL from ref_logp. Presets\n"
    "  name their aggregation and the --advantages that they go with; surrogates are aggregated by token_mean. Of\n"
    "  gspo and cispo, --loss takes the preset. The terms of --tokens go with every one.\n\n";

}  // namespace

std::vector<prefopt::token_loss_card> const& token_losses() {
  static auto const all = prefopt::token_loss_cards();
  return all;
}

prefopt::token_loss_card const* find_token_loss(std::string_view name) {
  auto const& all = token_losses();
  auto const found = std::ranges::find(all, name, [](auto const& loss) { return loss.card.name; });
  return found == all.end() ? nullptr : &*found;
}

std::string names_of_token_losses() {
  std::string names;
  for (auto const& loss : token_losses()) {
    if (find_token_loss(loss.card.name) != &loss) continue;
    names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}

prefopt::any_token_loss make_token_loss(std::string_view name, prefopt::parameter_values const& parameters) {
  return prefopt::make_token_loss(name, parameters);
}

template <class T>
prefopt::token_report evaluate_tokens(prefopt::any_token_loss const& loss, prefopt::token_batch<T> const& batch,
                                      prefopt::token_outputs<T> const& outputs, prefopt::options const& options) {
  return prefopt::evaluate(loss, batch, outputs, options);
}

template <class T>
std::vector<T> corrections(prefopt::any_token_loss const& loss, prefopt::token_batch<T> const& batch,
                           prefopt::options const& options) {
  static constexpr T log_prob = -1, advantage = 1, entropy = 1;
  std::size_t const size = batch.log_prob.size();
  prefopt::options const plain{.non_finite = options.non_finite};
  // A token counts where its entropy has a gradient; what is dropped or skipped is in no product and no mean.
  auto counted = loss;
  counted.entropy_coefficient = 1;
  counted.aggregation.mode = prefopt::aggregation_mode::token_sum;
  auto seen = batch;
  if (seen.entropy.empty()) seen.entropy = {&entropy, size, 0};
  std::vector<T> mask(size), weights(size);
  evaluate_tokens<T>(counted, seen, {.d_entropy = mask}, plain);
  for (T& value : mask) value = value == 0 ? T(0) : T(1);

  // -A l where l = -1 and A = 1 is 1 times the correction.
  auto ones = batch;
  ones.log_prob = {&log_prob, size, 0};
  ones.advantage = {&advantage, size, 0};
  ones.mask = mask;
  ones.ref_log_prob = ones.entropy = {};
  auto weighted = make_token_loss("reinforce", {});
  weighted.correction = loss.correction;
  weighted.correction.off_policy_limit = std::numeric_limits<double>::infinity();
  weighted.correction.drops_off_policy = false;
  evaluate_tokens<T>(weighted, ones, {.loss = weights}, plain);
  return weights;
}

template prefopt::token_report evaluate_tokens(prefopt::any_token_loss const&, prefopt::token_batch<float> const&,
                                               prefopt::token_outputs<float> const&, prefopt::options const&);
template prefopt::token_report evaluate_tokens(prefopt::any_token_loss const&, prefopt::token_batch<double> const&,
                                               prefopt::token_outputs<double> const&, prefopt::options const&);
template std::vector<float> corrections(prefopt::any_token_loss const&, prefopt::token_batch<float> const&,
                                        prefopt::options const&);
template std::vector<double> corrections(prefopt::any_token_loss const&, prefopt::token_batch<double> const&,
                                         prefopt::options const&);

std::string token_loss_table() {
  std::string text{notation};
  bool in_presets = true;
  for (auto const& loss : token_losses()) {
    if (in_presets && !loss.is_preset) text += "  Surrogates:\n";
    in_presets = loss.is_preset;
    append_loss_line(text, loss.card.name, loss.card.formula);
    append_loss_line(text, "  parameters", parameters_text(loss.parameters));
    append_loss_line(text, "  source", loss.card.source);
  }
  return text;
}
