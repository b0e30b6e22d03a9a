#include <algorithm>
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "oracle/list_results.hpp"

// Every list loss, or LOSS_NAME in the environment, where a log-prob is no finite number.

namespace {

using oracle::candidate_list;
using oracle::list_candidate;
using oracle::list_given;
using oracle::list_results_of;
using oracle::named_loss;
using oracle::same_bits;

std::vector<std::string> losses_asked_for() {
  char const* const name = std::getenv("LOSS_NAME");
  return name == nullptr ? oracle::list_losses() : std::vector<std::string>{name};
}

/// The columns that the loss with its standard parameters reads, all of them.
list_given all_columns_of(std::string const& name) {
  bool const has_target = oracle::has_target(name);
  return {.reference = !oracle::is_per_token(name),
          .length = true,
          .reward = !has_target && !oracle::is_square(name),
          .target = has_target};
}

/// The loss with the parameters that select other code.
std::vector<named_loss> kinds_of(std::string const& name) {
  std::vector<named_loss> kinds{{name}};
  if (name == "plackett_luce") {
    kinds.push_back({name, {{"beta", 0.5}, {"top_k", 2}}});
    kinds.push_back({name, {{"mean", 1}}});
    kinds.push_back({name, {{"smoothing", 0.25}}});
  } else if (name == "pro") {
    kinds.push_back({name, {{"sft", 0}}});
    kinds.push_back({name, {{"temperatures", 0}, {"sft", 0}}});
    kinds.push_back({name, {{"sft", 0}, {"eps_compat", 1}}});
    kinds.push_back({name, {{"temperatures", 0}, {"sft", 0}, {"eps_compat", 1}}});
  } else if (name == "adpo") {
    kinds.push_back({name, {{"standardize", 1}, {"kl", 1}, {"adapt", 0.5}}});
  } else if (name == "rrhf") {
    kinds.push_back({name, {{"sft", 0}}});
  }
  return kinds;
}

/// Groups of several sizes with distinct rewards; the first candidate is the best.
std::vector<candidate_list> sound_groups(bool square) {
  oracle::random_numbers random{61};
  std::vector<candidate_list> groups;
  for (std::size_t const size : {4u, 2u, 3u, 9u, 4u, 5u, 64u, 16u, 65u, 81u, 100u, 9u}) {
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
    if (square && side * side != size) continue;
    candidate_list group(size);
    for (list_candidate& c : group) {
      c.reference = -8 + random.normal();
      c.logp = c.reference + random.normal();
      c.length = 1 + static_cast<double>(random.bits() % 4);
      c.reward = random.normal();
      c.target = random.uniform();
    }
    std::sort(group.begin(), group.end(), [](auto const& a, auto const& b) { return a.reward > b.reward; });
    oracle::real total = 0;
    for (list_candidate const& c : group) total += c.target;
    for (list_candidate& c : group) c.target /= total;
    groups.push_back(group);
  }
  return groups;
}

/// No group but one is other than before, bit for bit.
template <class T>
bool others_are_same(std::size_t bad, oracle::list_results<T> const& r, oracle::list_results<T> const& before) {
  for (std::size_t g = 0; g < r.loss.size(); ++g) {
    if (g == bad) continue;
    if (!same_bits(r.loss[g], before.loss[g])) return false;
    for (std::size_t i = 0; i < r.d_logp[g].size(); ++i) {
      if (!same_bits(r.d_logp[g][i], before.d_logp[g][i])) return false;
    }
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("a log-prob of -infinity is the limit of ever lower ones", "", float, double) {
  using T = TestType;
  for (std::string const& name : losses_asked_for()) {
    auto const groups = sound_groups(oracle::is_square(name));
    for (named_loss const& loss : kinds_of(name)) {
      for (list_given const& given : oracle::ways_of(loss)) {
        auto const before = list_results_of<T>(loss, groups, given);
        for (std::size_t g = 0; g < groups.size(); ++g) {
          std::size_t const size = groups[g].size();
          for (std::size_t const at : {std::size_t{0}, size / 2, size - 1}) {
            auto infinite = groups, low = groups;
            infinite[g][at].logp = -infinity<double>;
            // Far beyond what rounding leaves of the others, and no product of it overflows.
            low[g][at].logp = -1e30;
            auto const r = list_results_of<T>(loss, infinite, given), limit = list_results_of<T>(loss, low, given);
            CAPTURE(oracle::describe_list(loss, given), size, at, limit.loss[g], r.loss[g]);
            CHECK(others_are_same(g, r, before));
            CHECK(!std::isnan(r.loss[g]));
            if (limit.loss[g] > T(1e20)) {
              CHECK(r.loss[g] == std::numeric_limits<T>::infinity());
            } else {
              CHECK(r.loss[g] == limit.loss[g]);
            }
            for (std::size_t i = 0; i < size; ++i) {
              CAPTURE(i);
              CHECK(r.d_logp[g][i] == limit.d_logp[g][i]);
            }
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a single candidate has loss 0 at -infinity", "", float, double) {
  using T = TestType;
  for (std::string const& name : losses_asked_for()) {
    for (named_loss loss : kinds_of(name)) {
      // RRHF has its likelihood even of one.
      if (name == "rrhf") loss.given = {{"sft", 0}};
      for (list_given const& given : oracle::ways_of(loss)) {
        auto const r = list_results_of<T>(loss, {{{.logp = -infinity<double>, .target = 1}}}, given);
        CAPTURE(oracle::describe_list(loss, given));
        CHECK(r.loss[0] == 0);
        CHECK(r.d_logp[0][0] == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("a single candidate has loss NaN at NaN", "", float, double) {
  using T = TestType;
  for (std::string const& name : losses_asked_for()) {
    for (named_loss const& loss : kinds_of(name)) {
      for (list_given const& given : oracle::ways_of(loss)) {
        CAPTURE(oracle::describe_list(loss, given));
        auto const r = list_results_of<T>(loss, {{{.logp = not_a_number<double>, .target = 1}}}, given);
        CHECK(std::isnan(r.loss[0]));
      }
    }
  }
}

TEMPLATE_TEST_CASE("NaN in one candidate gives NaN in its own group, and leaves the others as they were", "", float,
                   double) {
  using T = TestType;
  for (std::string const& name : losses_asked_for()) {
    auto const groups = sound_groups(oracle::is_square(name));
    for (named_loss const& loss : kinds_of(name)) {
      std::vector<list_given> ways{all_columns_of(name)};
      if (oracle::has_target(name)) ways.push_back({.reference = true, .length = true, .reward = true});
      for (list_given const& given : ways) {
        auto const before = list_results_of<T>(loss, groups, given);
        struct column {
          char const* what;
          oracle::real list_candidate::*values;
          bool is_given;
        };
        std::array<column, 4> const columns{{{"logp", &list_candidate::logp, true},
                                             {"ref_logp", &list_candidate::reference, given.reference},
                                             {"reward", &list_candidate::reward, given.reward},
                                             {"target", &list_candidate::target, given.target}}};
        for (auto const& [what, values, is_given] : columns) {
          if (!is_given) continue;
          for (std::size_t g = 0; g < groups.size(); ++g) {
            std::size_t const size = groups[g].size();
            for (std::size_t const at : {std::size_t{0}, size / 2, size - 1}) {
              // What is between the best and the worst, this loss does not look at.
              bool const unread =
                  name == "best_versus_worst" && at != 0 && at != size - 1 && values != &list_candidate::reward;
              auto broken = groups;
              broken[g][at].*values = not_a_number<double>;
              auto const r = list_results_of<T>(loss, broken, given);
              CAPTURE(oracle::describe_list(loss, given), what, size, at);
              CHECK(others_are_same(g, r, before));
              if (unread) continue;
              CHECK(std::isnan(r.loss[g]));
              CHECK(std::any_of(r.d_logp[g].begin(), r.d_logp[g].end(), [](T x) { return std::isnan(x); }));
            }
          }
        }
      }
    }
  }
}
