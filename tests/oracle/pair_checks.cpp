#include "oracle/pair_checks.hpp"

#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"

namespace oracle {

template <class T>
std::size_t check_against_oracle(named_loss const& loss, std::vector<pair> const& given) {
  pair_oracle const oracle{loss};
  auto const pairs = oracle.admitted(given);
  {
    INFO(describe(loss));
    auto const facts = facts_of_pair_loss(loss);
    CHECK(facts.name == full_name_of(loss));
    CHECK(facts.parameters == all_values_of(loss));
    CHECK(facts.has_posterior == oracle.has_posterior());
    for (auto const& column : pair_column_table) {
      INFO(column.name);
      if (column.kind != nullptr) CHECK(facts.reads.*column.kind == oracle.reads().*column.kind);
    }
    CHECK(facts.gradients_by == oracle.gradients_by());
  }
  auto const got = results_of<T>(loss, pairs);
  std::vector<pair> batch;
  for (pair const& p : pairs) batch.push_back(as_read<T>(p, oracle.reads()));
  oracle.see(batch);
  CHECK(got.posterior.empty() != oracle.has_posterior());
  CHECK(got.count == pairs.size());
  CHECK(got.non_finite == 0);
  CHECK(got.skipped == 0);
  std::size_t compared = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pair const& seen = batch[i];
    auto const [exact, bound] = oracle.template expected<T>(seen);
    auto const check = [&](char const* what, T number, real right, real within) {
      ++compared;
      if (std::fabs(static_cast<real>(number) - right) <= within) return;
      INFO(describe(loss) << ", pair " << i << ": " << what << " is off by " << static_cast<real>(number) - right
                          << ", allowed are " << within << "; chosen " << seen.chosen << " rejected " << seen.rejected
                          << " references " << seen.ref_chosen << " " << seen.ref_rejected << " lengths "
                          << seen.chosen_length << " " << seen.rejected_length << " margin " << seen.margin << " label "
                          << seen.label << " reliability " << seen.reliability);
      CHECK(static_cast<real>(number) == right);
    };
    check("loss", got.loss[i], exact.loss, bound.loss);
    check("d_chosen", got.d_chosen[i], exact.d_chosen, bound.d_chosen);
    check("d_rejected", got.d_rejected[i], exact.d_rejected, bound.d_rejected);
    for (std::size_t c = 0; c < gradient_column_count; ++c) {
      if (got.further[c].empty()) continue;
      check("a gradient by a further column", got.further[c][i], exact.further[c], bound.further[c]);
      CHECK(std::isfinite(got.further[c][i]));
    }
    CHECK((std::isfinite(got.loss[i]) && std::isfinite(got.d_chosen[i]) && std::isfinite(got.d_rejected[i])));
    if (got.posterior.empty()) continue;
    check("posterior", got.posterior[i], exact.posterior, bound.posterior);
    CHECK((got.posterior[i] >= 0 && got.posterior[i] <= 1));
  }
  CHECK(compared == pairs.size() * ((oracle.has_posterior() ? 4 : 3) + oracle.gradients_by().size()));
  return compared;
}

template <class T>
void check_every_loss_against_oracle(random_numbers& random) {
  auto pairs = random_pairs(203, random);
  for (pair const& p : extreme_pairs<T>()) pairs.push_back(p);
  std::vector<pair> few;
  for (std::size_t i = 0; i < pairs.size(); i += 6) few.push_back(pairs[i]);
  struct {
    std::size_t losses = 0, numbers = 0;
  } whole, apart;
  for (named_loss const& standard : every_pair_loss()) {
    if (sorts_batch(standard)) continue;
    bool const is_apart = goes_apart(standard);
    auto& tally = is_apart ? apart : whole;
    ++tally.losses;
    for (named_loss const& loss : variants_of(standard, is_apart ? 1 : 3, random)) {
      tally.numbers += check_against_oracle<T>(loss, is_apart ? few : pairs);
    }
  }
  std::printf("%s: %zu losses and modifiers, %zu numbers; %zu modifiers over numbers, %zu numbers\n",
              sizeof(T) == 4 ? "float" : "double", whole.losses, whole.numbers, apart.losses, apart.numbers);
  CHECK(whole.losses >= 57 + 40);
  CHECK(apart.losses >= 100);
}

template std::size_t check_against_oracle<float>(named_loss const&, std::vector<pair> const&);
template std::size_t check_against_oracle<double>(named_loss const&, std::vector<pair> const&);
template void check_every_loss_against_oracle<float>(random_numbers&);
template void check_every_loss_against_oracle<double>(random_numbers&);

}  // namespace oracle
