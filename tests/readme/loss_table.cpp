// Prints the README's tables of losses from the lists.

#include <cstdio>
#include <initializer_list>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/engine/make_token_loss.hpp>
#include <string>

namespace {

struct column_name {
  prefopt::columns kind;
  char const* name;
};

/// "name | formula | parameters".
template <class Card>
std::string beginning_of_row(Card const& loss, std::string const& name) {
  std::string parameters, formula;
  for (auto const& p : loss.parameters) {
    parameters += (parameters.empty() ? "" : ", ") + std::string{p.name} + " " + p.valid.text() + " (" +
                  prefopt::detail::text(p.standard) + ")";
  }
  // A bar ends a cell.
  for (char const c : loss.card.formula) formula.append(c == '|' ? "\\" : "").push_back(c);
  return "| `" + name + "` | " + formula + " | " + parameters + " | ";
}

/// Of a pair loss or a list loss; the columns in the order in which they are named.
template <class Card>
std::string row(Card const& loss, std::string const& name, std::initializer_list<column_name> columns) {
  std::string reads;
  bool one_of = false;
  for (auto const& [kind, column] : columns) {
    bool const needed = contains(loss.needs, kind);
    if (!needed && !contains(loss.takes, kind)) continue;
    if constexpr (requires { loss.one_of; }) {
      if (contains(loss.one_of, kind)) {
        reads += (one_of ? " or " : reads.empty() ? "" : ", ") + std::string{column};
        one_of = true;
        continue;
      }
    }
    reads += (reads.empty() ? "" : ", ") + std::string{column} + (needed ? "" : " if given");
  }
  return beginning_of_row(loss, name) + reads + " | " + std::string{loss.card.source} + " |\n";
}

}  // namespace

int main() {
  constexpr char rest_of_head[] = "parameters (default) | reads besides log-probs | source |\n|---|---|---|---|---|\n";
  std::string text = std::string{"| loss | value per pair | "} + rest_of_head;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    text += row(loss, std::string{loss.card.name} + (loss.is_modifier ? "<L>" : ""),
                {{prefopt::columns::reference, "reference"},
                 {prefopt::columns::length, "lengths"},
                 {prefopt::columns::margin, "margin"},
                 {prefopt::columns::label, "label"},
                 {prefopt::columns::reliability, "reliability"},
                 {prefopt::columns::target, "target"},
                 {prefopt::columns::scale, "scale"},
                 {prefopt::columns::kl, "KLs"},
                 {prefopt::columns::deviation, "deviations"},
                 {prefopt::columns::sign, "signs"},
                 {prefopt::columns::rationale, "rationale"},
                 {prefopt::columns::gold, "gold"}});
  }
  text +=
      "\nGroups of K candidates, best first: by reward, or in the given order. s: the log-prob, less the reference's\n"
      "and per token if the batch has those columns (`pro`, `rrhf`: always per token, without reference; `real`: "
      "always\n"
      "both); lse = log sum exp, CE = cross-entropy, a_ki = r_k - r_i of the rewards (1 with `temperatures` 0, and\n"
      "reward only if given), D = what an exchange costs in discounted gain.\n\n";
  text += std::string{"| loss | value per group | "} + rest_of_head;
  for (auto const& loss : prefopt::list_loss_cards()) {
    text += row(loss, std::string{loss.card.name},
                {{prefopt::columns::reference, "reference"},
                 {prefopt::columns::length, "lengths"},
                 {prefopt::columns::reward, "reward"},
                 {prefopt::columns::target, "target"}});
  }
  text +=
      "\nSingle completions. a = logp - ref_logp, s = logp, -+ the sign of a desirable completion and of another; a "
      "label\n"
      "between 0 and 1 mixes the two.\n\n";
  text += std::string{"| loss | value per completion | "} + rest_of_head;
  for (auto const& loss : prefopt::unpaired_loss_cards()) {
    text += row(loss, std::string{loss.card.name},
                {{prefopt::columns::reference, "reference"},
                 {prefopt::columns::length, "lengths"},
                 {prefopt::columns::label, "label"},
                 {prefopt::columns::target, "target"},
                 {prefopt::columns::kl, "kl_logp and ref_kl_logp"}});
  }
  auto const add_tokens = [&](bool presets, std::string const& head) {
    text += head + " | parameters (default) | source |\n|---|---|---|---|\n";
    for (auto const& loss : prefopt::token_loss_cards()) {
      if (loss.is_preset != presets) continue;
      text += beginning_of_row(loss, std::string{loss.card.name}) + std::string{loss.card.source} + " |\n";
    }
  };
  text +=
      "\nTokens of sampled sequences. l = log_prob, o = old_log_prob, r = e^(l - o), A = advantage; c k3: an estimate\n"
      "of the KL from ref_log_prob. A preset is a surrogate, an aggregation, and the advantages that it goes with.\n\n";
  add_tokens(true, "| preset | surrogate, aggregation, advantages");
  text += "\nSurrogates, `surrogate::ppo_clip` and so on, go with any KL estimate, correction and aggregation.\n\n";
  add_tokens(false, "| surrogate | value per token");
  std::fputs(text.c_str(), stdout);
}
