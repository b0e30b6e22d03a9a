#include "bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "input_error.hpp"
#include "number_text.hpp"
#include "parallel_for.hpp"
#include "win_graph.hpp"

namespace {

constexpr double outside = 0.025;  // on each side
constexpr double equal = 1e-9;     // worths nearer to each other differ by rounding

/// As many rankings as there are, drawn with replacement: a multinomial count of each, from one binomial after the other.
std::vector<double> drawn_counts(rankings const& data, std::uint64_t seed, std::size_t round) {
  std::seed_seq sequence{seed & 0xffffffff, seed >> 32, std::uint64_t{round} & 0xffffffff, std::uint64_t{round} >> 32};
  std::mt19937_64 generator{sequence};
  std::vector<double> counts;
  auto draws = static_cast<long long>(data.total);
  double left = data.total;
  for (ranking const& r : data.ranked) {
    long long drawn = draws;
    if (r.count < left && draws > 0) drawn = std::binomial_distribution<long long>{draws, r.count / left}(generator);
    counts.push_back(static_cast<double>(drawn));
    draws -= drawn;
    left -= r.count;
  }
  return counts;
}

void refuse_fractions(rankings const& data) {
  constexpr double largest_whole = 9007199254740992;
  for (ranking const& r : data.ranked) {
    if (r.count != std::floor(r.count)) {
      throw input_error{"--bootstrap draws whole rankings, and a count is " + number_text(r.count)};
    }
  }
  if (data.total > largest_whole)
    throw input_error{"--bootstrap: the counts add up to " + number_text(data.total) + ", expected at most 2^53"};
}

/// Between the values of a sorted list, as numpy's and R's default.
double percentile(std::vector<double> const& sorted, double part) {
  double const at = part * static_cast<double>(sorted.size() - 1);
  auto const below = static_cast<std::size_t>(at);
  double const above = sorted[std::min(below + 1, sorted.size() - 1)];
  return sorted[below] + (at - static_cast<double>(below)) * (above - sorted[below]);
}

}  // namespace

bootstrap_result bootstrap(rankings const& data, choices const& terms, prior const& before, fit_settings fit,
                           bootstrap_settings const& settings, std::function<void(std::size_t)> const& finished) {
  refuse_fractions(data);
  fit.wants_errors = false;
  std::vector<std::vector<double>> worths(settings.rounds);  // none of a round without a maximum
  parallel_for(
      settings.rounds, settings.threads,
      [&](std::size_t round) {
        auto const counts = terms.counts(drawn_counts(data, settings.seed, round));
        if (before.kind == prior::form::none && why_no_maximum(terms, counts, data.items)) return;
        try {
          worths[round] = fit_worths(terms, counts, before, fit).worth;
        } catch (input_error const&) {  // of ties, which is no matter of who won
        }
      },
      finished);

  bootstrap_result result;
  result.rounds_without_maximum = std::erase_if(worths, [](auto const& of_round) { return of_round.empty(); });
  // Of such a round some worths are infinite: where there are more of them than lie outside, no percentile is known.
  if (static_cast<double>(result.rounds_without_maximum) > outside * static_cast<double>(settings.rounds)) {
    throw input_error{"--bootstrap: in " + std::to_string(result.rounds_without_maximum) + " of " +
                      std::to_string(settings.rounds) +
                      " rounds the likelihood has no maximum, too many for intervals; with --prior ghost it has one"};
  }
  std::size_t const items = data.items.size();
  std::vector<std::vector<double>> by_item(items, std::vector<double>(worths.size()));
  for (std::size_t round = 0; round < worths.size(); ++round) {
    for (std::size_t item = 0; item < items; ++item) by_item[item][round] = worths[round][item];
  }
  double const nearly_all = (1 - outside) * static_cast<double>(worths.size());
  result.rank.assign(items, 1);
  for (std::size_t item = 0; item < items; ++item) {
    for (std::size_t other = 0; other < items; ++other) {
      std::size_t better = 0;
      for (std::size_t round = 0; round < worths.size(); ++round)
        better += by_item[other][round] > by_item[item][round] + equal ? 1 : 0;
      if (static_cast<double>(better) >= nearly_all) ++result.rank[item];
    }
  }
  for (auto& values : by_item) {
    std::ranges::sort(values);
    result.lower.push_back(percentile(values, outside));
    result.upper.push_back(percentile(values, 1 - outside));
  }
  return result;
}
