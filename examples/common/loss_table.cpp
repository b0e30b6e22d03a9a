#include "loss_table.hpp"

#include <span>
#include <string_view>

#include "loss_lines.hpp"

namespace {

struct column_names {
  prefopt::columns kind;
  std::string_view names;
};
constexpr column_names pair_columns[] = {{prefopt::columns::reference, "ref_chosen, ref_rejected"},
                                         {prefopt::columns::length, "chosen_length, rejected_length"},
                                         {prefopt::columns::margin, "margin"},
                                         {prefopt::columns::label, "label"},
                                         {prefopt::columns::reliability, "reliability"},
                                         {prefopt::columns::target, "target (or reward_gap)"},
                                         {prefopt::columns::scale, "scale"},
                                         {prefopt::columns::kl, "chosen_kl, rejected_kl"},
                                         {prefopt::columns::deviation, "chosen_deviation, rejected_deviation"},
                                         {prefopt::columns::sign, "chosen_sign, rejected_sign"},
                                         {prefopt::columns::rationale, "rationale"},
                                         {prefopt::columns::gold, "gold"}};
constexpr column_names unpaired_columns[] = {{prefopt::columns::reference, "ref_logp"},
                                             {prefopt::columns::length, "length"},
                                             {prefopt::columns::label, "label"},
                                             {prefopt::columns::target, "target"},
                                             {prefopt::columns::kl, "kl_logp, ref_kl_logp"}};
constexpr column_names list_columns[] = {{prefopt::columns::reference, "ref_logp"},
                                         {prefopt::columns::length, "length"},
                                         {prefopt::columns::reward, "reward"},
                                         {prefopt::columns::target, "target"}};

constexpr std::string_view pair_notation =
    "  u = chosen - rejected, h = (chosen - ref_chosen) - (rejected - ref_rejected); mean: each log-probability "
    "divided\n"
    "  by its completion's length; softplus(x) = log(1 + exp(x)), sigma(x) = 1 / (1 + exp(-x)). All take a weight,\n"
    "  but aot and aot_unpaired, which sort the batch.\n\n";
constexpr std::string_view list_notation =
    "  s = logp, less ref_logp and per token of length if those columns are given (pro, rrhf: always per token, never\n"
    "  less ref_logp; real: always both). The K candidates come best first: by reward, or without that column as in\n"
    "  the file. lse = log sum exp, CE = cross-entropy, a_ki = r_k - r_i of the rewards (1 with temperatures 0, which\n"
    "  makes reward optional), D = what an exchange costs in discounted gain. All take a weight.\n\n";

constexpr std::string_view unpaired_notation =
    "  a = logp - ref_logp, s = logp; label: 1 desirable, 0 not, between them the probability. All take a weight.\n\n";

std::span<column_names const> columns_of_kind(loss_kind kind) {
  if (kind == loss_kind::pair) return pair_columns;
  return kind == loss_kind::list ? std::span<column_names const>{list_columns}
                                 : std::span<column_names const>{unpaired_columns};
}

std::string columns_of(loss_entry const& loss) {
  std::string text{loss.is_modifier()             ? "those of the base"
                   : loss.kind == loss_kind::pair ? "chosen, rejected"
                                                  : "logp"};
  std::string one_of;
  for (auto const& [kind, names] : columns_of_kind(loss.kind)) {
    if (contains(loss.one_of, kind)) {
      one_of.append(one_of.empty() ? ", " : " or ").append(names);
      continue;
    }
    bool const needed = contains(loss.needs, kind);
    if (!needed && !contains(loss.takes, kind)) continue;
    text.append(", ").append(names).append(needed ? "" : " (optional)");
  }
  return text + one_of;
}

}  // namespace

std::string loss_table(loss_kind kind) {
  std::string text{kind == loss_kind::pair   ? pair_notation
                   : kind == loss_kind::list ? list_notation
                                             : unpaired_notation};
  auto const line = [&](std::string_view label, std::string_view content) { append_loss_line(text, label, content); };
  for (auto const& loss : loss_catalog()) {
    if (loss.kind != kind) continue;
    line(loss.card.name, loss.card.formula);
    line("  parameters", parameters_text(loss.parameters));
    line("  columns", columns_of(loss));
    if (loss.is_modifier()) {
      std::string bases;
      for (auto const base : loss.bases) bases.append(bases.empty() ? "" : ", ").append(base);
      line("  --base", bases);
    }
    line("  source", loss.card.source);
  }
  return text;
}
