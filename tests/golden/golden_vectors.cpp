#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <prefopt/loss/simpo.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "golden/folder.hpp"
#include "golden/vectors.hpp"
#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"

// Vectors computed by other libraries' own code, from the folder golden/ beside the project.

namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::real;

/// The loss that a file's first line describes, if the library has it.
std::optional<named_loss> loss_of(golden::vectors const& v) {
  auto const given = [&](char const* name) { return v.parameter(name); };
  double const smoothing = v.parameter("label_smoothing", 0);
  auto const with_smoothing = [&](named_loss const& base) {
    return smoothing == 0 ? base : modified("smoothed", base, {{"epsilon", smoothing}});
  };
  if (v.loss == "dpo" || v.loss == "dpo_weighted") return named_loss{"dpo", {{"beta", given("beta")}}};
  if (v.loss == "cdpo" || v.loss == "rdpo") {
    return named_loss{v.loss, {{"beta", given("beta")}, {"epsilon", smoothing}}};
  }
  if (v.loss == "ipo_sum") return named_loss{"ipo", {{"tau", given("beta")}}};
  if (v.loss == "ipo_mean") return named_loss{"ipo_mean", {{"tau", given("beta")}}};
  if (v.loss == "simpo") return with_smoothing({"simpo", {{"beta", given("beta")}, {"gamma", given("gamma")}}});
  if (v.loss == "simpo_ratio") {
    auto const [beta, gamma] = prefopt::simpo::with_ratio(given("beta"), given("gamma_beta_ratio"));
    return with_smoothing({"simpo", {{"beta", beta}, {"gamma", gamma}}});
  }
  if (v.loss == "sigmoid_norm") return named_loss{"ln_dpo", {{"beta", given("beta")}}};
  if (v.loss == "hinge") return named_loss{"hinge", {{"beta", given("beta")}}};
  if (v.loss == "cpo") return with_smoothing({"cpo", {{"beta", given("beta")}, {"sft", 0}}});
  if (v.loss == "bt") {
    return named_loss{"bradley_terry", {{"temperature", 1}, {"center", given("center_rewards_coefficient")}}};
  }
  if (v.loss == "adpo_pair") return modified("labelled", {"dpo", {{"beta", 1 / given("tau")}}});
  if (v.loss == "lcpo_dpo") return modified("lcpo", {"dpo", {{"beta", given("beta")}}});
  if (v.loss == "lcpo_ipo_sum") return modified("lcpo", {"ipo", {{"tau", given("beta")}}});
  if (v.loss == "lcpo_ipo_mean") return modified("lcpo", {"ipo_mean", {{"tau", given("beta")}}});
  if (v.loss == "lcpo_simpo") {
    return modified("lcpo", {"simpo", {{"beta", given("beta")}, {"gamma", given("gamma")}}});
  }
  if (v.loss == "lcpo_cpo") return modified("lcpo", {"cpo", {{"beta", given("beta")}, {"sft", 1}}});
  return std::nullopt;
}

std::vector<oracle::pair> pairs_of(golden::vectors const& v) {
  std::vector<double> reliabilities;
  if (v.parameters.count("eta") != 0) {
    for (auto const& eta : golden::split(v.parameters.at("eta"), ',')) reliabilities.push_back(std::stod(eta));
  }
  std::vector<oracle::pair> pairs(v.rows);
  for (std::size_t i = 0; i < v.rows; ++i) {
    auto const value = [&](char const* column, real otherwise) {
      return v.has(column) ? static_cast<real>(v.columns.at(column)[i]) : otherwise;
    };
    pairs[i] = {
        .chosen = value("chosen", 0),
        .rejected = value("rejected", 0),
        .ref_chosen = value("ref_chosen", 0),
        .ref_rejected = value("ref_rejected", 0),
        .chosen_length = value("chosen_length", 1),
        .rejected_length = value("rejected_length", 1),
        .margin = value("margin", 0),
        .label = value("label", 1),
        .reliability = reliabilities.empty() ? 1 : reliabilities.at(static_cast<std::size_t>(value("annotator", 0)))};
  }
  return pairs;
}

/// How far a number may be from a vector's. In double: 1e-12 of it, over a floor. The floor is what the vectors
/// themselves are good for: 1.5e-14 (1 + |y|) if they come out of other libraries' arithmetic, as their README says,
/// and nothing if they were evaluated from the formula with 500 digits. In float: the oracle's bound for inputs rounded
/// to float (half an epsilon each), over the same floor.
template <class T>
struct tolerance {
  real bound;
  real floor;
  [[nodiscard]] real of(real vector) const {
    real const relative = std::is_same_v<T, double> ? 1e-12L * std::fabs(vector) : bound;
    return relative + floor * (1 + std::fabs(vector));
  }
};

/// A file's vectors against the library in T; how many numbers were compared.
template <class T>
std::size_t compare(golden::vectors const& v) {
  auto const found = loss_of(v);
  if (!found) return 0;
  named_loss const& loss = *found;
  auto const reads = oracle::facts_of_pair_loss(loss).reads;
  // A column that the loss does not read would go unnoticed.
  for (auto const& [name, values] : v.columns) {
    if (name == "margin") REQUIRE(reads.margin);
    if (name == "label") REQUIRE(reads.label);
    if (name == "ref_chosen") REQUIRE(reads.reference);
    if (name == "annotator") REQUIRE(reads.reliability);
  }
  auto const pairs = pairs_of(v);
  std::vector<T> weight(v.rows, T(1));
  if (v.has("weight")) {
    std::transform(v.columns.at("weight").begin(), v.columns.at("weight").end(), weight.begin(),
                   [](double x) { return static_cast<T>(x); });
  }
  auto const got = oracle::results_of<T>(loss, pairs, weight);
  oracle::pair_oracle const by_paper{loss};
  std::size_t compared = 0;
  real const floor = v.is_closed_form() ? 0 : 1.5e-14L;
  for (std::size_t i = 0; i < v.rows; ++i) {
    // The vectors' inputs are doubles: in float they were rounded first.
    oracle::pair const seen = oracle::as_read<double>(pairs[i], reads);
    auto const bound = by_paper.template expected<T>(seen, std::is_same_v<T, float> ? 0.5L : 0).bound;
    real const w = v.has("weight") ? v.columns.at("weight")[i] : 1;
    auto const check = [&](char const* column, T number, real within) {
      ++compared;
      real const right = v.columns.at(column)[i];
      real const off = std::fabs(static_cast<real>(number) - right), allowed = tolerance<T>{within, floor}.of(right);
      if (off <= allowed) return;
      INFO(v.file << " row " << i + 1 << ": " << column << " is off by " << off << ", allowed are " << allowed
                  << "; of the value " << off / std::fabs(right));
      CHECK(static_cast<real>(number) == right);
    };
    check("loss", got.loss[i], w * bound.loss);
    check("d_chosen", got.d_chosen[i], w * bound.d_chosen);
    check("d_rejected", got.d_rejected[i], w * bound.d_rejected);
    if (v.has("w")) check("w", got.posterior.at(i), bound.posterior);
  }
  return compared;
}

template <class T>
void compare_all() {
  std::map<std::string, std::size_t> files, numbers;
  std::size_t others = 0;
  for (auto const& path : golden::files_or_skip()) {
    auto const v = golden::read(path);
    CAPTURE(v.file);
    std::size_t const compared = compare<T>(v);
    if (compared == 0) {
      ++others;
      continue;
    }
    CHECK(compared == v.rows * (v.has("w") ? 4 : 3));
    ++files[v.loss];
    numbers[v.loss] += compared;
  }
  std::size_t total = 0;
  for (auto const& [loss, count] : numbers) {
    std::printf("%-14s %2zu files, %4zu numbers\n", loss.c_str(), files[loss], count);
    total += count;
  }
  std::printf("%zu numbers compared as %s; %zu files belong to losses that are not here\n", total,
              std::is_same_v<T, float> ? "float" : "double", others);
  for (char const* loss :
       {"dpo", "dpo_weighted", "cdpo", "rdpo", "ipo_sum", "ipo_mean", "simpo", "simpo_ratio", "sigmoid_norm", "hinge",
        "cpo", "bt", "adpo_pair", "lcpo_dpo", "lcpo_ipo_sum", "lcpo_ipo_mean", "lcpo_simpo", "lcpo_cpo"}) {
    CAPTURE(loss);
    CHECK(numbers[loss] >= 3 * 64);
  }
}

}  // namespace

TEST_CASE("the losses agree with other libraries' numbers: double") { compare_all<double>(); }

TEST_CASE("the losses agree with other libraries' numbers: float") { compare_all<float>(); }
