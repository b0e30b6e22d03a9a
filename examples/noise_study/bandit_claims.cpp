#include "bandit_claims.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corruption.hpp"
#include "mean_interval.hpp"
#include "text_table.hpp"

namespace {

using measure = double bandit_score::*;

/// How one method does against another under one corruption, both on the same data.
struct comparison {
  double ratio;  ///< of the means
  mean_interval difference;

  bool is_ahead() const { return difference.mean > 0; }
  bool is_surely_ahead() const { return difference.mean > difference.half_width; }
  bool is_surely_behind() const { return -difference.mean > difference.half_width; }
};

comparison compare(bandit_results const& results, std::size_t corruption, std::string_view one, std::string_view other,
                   measure what) {
  auto const values = [&](std::string_view name) {
    auto const place = std::ranges::find(results.names, name) - results.names.begin();
    return results.values(corruption, static_cast<std::size_t>(place), what);
  };
  auto const ours = values(one), theirs = values(other);
  std::vector<double> differences;
  double our_sum = 0, their_sum = 0;
  for (std::size_t seed = 0; seed < ours.size(); ++seed) {
    differences.push_back(ours[seed] - theirs[seed]);
    our_sum += ours[seed];
    their_sum += theirs[seed];
  }
  return {our_sum / their_sum, mean_interval_of(differences)};
}

/// Under every corruption at every strength.
using comparisons = std::array<comparison, corruption_kinds * corruption_strengths>;

comparisons compare_everywhere(bandit_results const& results, std::string_view one, std::string_view other,
                               measure what) {
  comparisons all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = compare(results, i, one, other, what);
  return all;
}

/// "1.16+ 1.03  0.97-" for the strengths of a corruption; the sign where the difference's interval is off zero.
std::string ratios_text(comparison const* first) {
  std::string text;
  for (std::size_t i = 0; i < corruption_strengths; ++i) {
    if (i != 0) text += "  ";
    text += decimals(first[i].ratio, 2);
    text += first[i].is_surely_ahead() ? '+' : first[i].is_surely_behind() ? '-' : ' ';
  }
  return text;
}

std::string joined(std::vector<std::string> const& names) {
  std::string text;
  for (auto const& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "none" : text;
}

struct claim_tables {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> held, not_held;
};

void add_row(claim_tables& claim, std::string const& name, comparisons const& all, bool held) {
  std::vector<std::string> row{name};
  for (std::size_t kind = 0; kind < corruption_kinds; ++kind)
    row.push_back(ratios_text(&all[kind * corruption_strengths]));
  auto const ahead = std::ranges::count_if(all, &comparison::is_ahead);
  row.push_back(std::to_string(ahead) + " of " + std::to_string(all.size()));
  claim.rows.push_back(std::move(row));
  (held ? claim.held : claim.not_held).push_back(name);
}

claim_tables claims_on_anchors(bandit_results const& results, measure what) {
  claim_tables claim;
  for (std::string const name : {"dpo", "adpo_pairwise", "adpo_listwise", "adpo_kde"}) {
    auto const all = compare_everywhere(results, name, name + "_unanchored", what);
    add_row(claim, name, all, std::ranges::all_of(all, &comparison::is_ahead));
  }
  return claim;
}

claim_tables claims_on_lists(bandit_results const& results, measure what) {
  claim_tables claim;
  for (std::string const pairwise : {"dpo", "adpo_pairwise"}) {
    for (std::string const listwise : {"adpo_listwise", "adpo_kde"}) {
      auto const all = compare_everywhere(results, listwise, pairwise, what);
      auto const flips = all.end() - corruption_strengths;
      bool const held = std::all_of(flips, all.end(), [](auto const& one) { return one.is_ahead(); }) &&
                        std::none_of(all.begin(), flips, [](auto const& one) { return one.is_ahead(); });
      add_row(claim, listwise + " / " + pairwise, all, held);
    }
  }
  return claim;
}

std::string described(std::string const& title, claim_tables claim) {
  std::vector<std::string> header{title};
  for (std::size_t kind = 0; kind < corruption_kinds; ++kind)
    header.emplace_back(name_of(corruptions()[kind * corruption_strengths].kind));
  header.push_back("ahead in");
  claim.rows.insert(claim.rows.begin(), std::move(header));
  return text_table(claim.rows) + "held for: " + joined(claim.held) + "; not for: " + joined(claim.not_held) + "\n";
}

}  // namespace

std::string claims_report(bandit_results const& results) {
  std::string text =
      "Ratios of means, for the three strengths of each corruption; + and - where the 95 % interval of the difference\n"
      "between the two, on the same data, is above or below zero.\n";
  struct {
    measure what;
    char const* name;
  } const measures[] = {{&bandit_score::win_mass, "WinMass"},
                        {&bandit_score::first_choice, "share of contexts whose best candidate is the first choice"}};
  for (auto const& [what, name] : measures) {
    text.append("\n").append(name).append("\n\nClaim: an anchored loss beats the same without anchor, in 12 of 12\n");
    text += described("anchored / unanchored", claims_on_anchors(results, what));
    text += "\nClaim: listwise losses beat anchored pairwise ones under flips, and only there\n";
    text += described("listwise / pairwise", claims_on_lists(results, what));
  }
  return text;
}
