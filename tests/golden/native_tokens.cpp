// Vectors of policy-gradient losses and what belongs to them, from the folder golden2/ beside the project: the formulas
// evaluated with 400 digits and rounded once.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "golden/folder.hpp"
#include "golden/vectors.hpp"
#include "token_loss/made.hpp"

using namespace prefopt;

namespace {

using numbers = std::vector<double>;

/// How many numbers differ by more than 1e-12 of 1 and their size; says the first.
std::size_t differing(char const* what, numbers const& got, numbers const& right) {
  REQUIRE(got.size() == right.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::fabs(got[i] - right[i]) <= 1e-12 * (1 + std::fabs(right[i]))) continue;
    if (wrong++ == 0) UNSCOPED_INFO(what << "[" << i << "]: got " << got[i] << ", expected " << right[i]);
  }
  return wrong;
}

std::vector<golden::vectors> files_of(std::string const& beginning) {
  std::vector<golden::vectors> files;
  for (auto const& path : golden::files_or_skip("golden2")) {
    if (path.filename().string().rfind(beginning, 0) == 0) files.push_back(golden::read(path));
  }
  return files;
}

/// Where the runs of rows with equal numbers in a column begin, and the end.
std::vector<std::int64_t> runs_of(numbers const& keys, numbers const& outer_keys) {
  std::vector<std::int64_t> begins{0};
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (keys[i] != keys[i - 1] || outer_keys[i] != outer_keys[i - 1]) begins.push_back(static_cast<std::int64_t>(i));
  }
  begins.push_back(static_cast<std::int64_t>(keys.size()));
  return begins;
}

}  // namespace

TEST_CASE("policy-gradient losses agree with their formulas in 400 digits") {
  std::size_t files = 0, compared = 0;
  for (auto v : files_of("pg_")) {
    CAPTURE(v.file);
    std::string const aggregation = v.parameters.at("aggregation"), kl = v.parameters.at("kl");
    parameter_values values;
    for (auto const& [name, value] : v.parameters) {
      if (name != "aggregation" && name != "kl" && name != "kl_coefficient" && name != "horizon" && name != "total") {
        values.emplace_back(name, std::stod(value));
      }
    }
    auto loss = made_token_loss(v.loss.substr(3), values);
    loss.aggregation = {aggregation_mode_of(aggregation), v.parameter("horizon")};
    loss.kl = {kl_estimator_of(kl), v.parameter("kl_coefficient")};
    auto& c = v.columns;
    auto const offsets = runs_of(c["sequence"], c["group"]), tokens_of_groups = runs_of(c["group"], c["group"]);
    std::vector<std::int64_t> groups{0};
    for (std::size_t s = 0, group = 1; s < offsets.size(); ++s) {
      if (offsets[s] != tokens_of_groups[group]) continue;
      groups.push_back(static_cast<std::int64_t>(s));
      if (++group == tokens_of_groups.size()) break;
    }
    numbers written(v.rows), gradient(v.rows);
    token_batch<double> batch{.log_prob = c["logp"],
                              .old_log_prob = c["old_logp"],
                              .advantage = c["advantage"],
                              .mask = c["mask"],
                              .offsets = offsets,
                              .group_offsets = groups};
    if (kl != "none") batch.ref_log_prob = c["ref_logp"];
    auto const seen = evaluate(loss, batch, {.loss = written, .d_log_prob = gradient});
    CHECK(differing("loss", written, c["loss"]) == 0);
    CHECK(differing("d_log_prob", gradient, c["d_logp"]) == 0);
    CHECK(differing("total", {seen.loss}, {v.parameter("total")}) == 0);
    // Each has a sequence without a counted token.
    CHECK(seen.empty >= 1);
    ++files;
    compared += 2 * v.rows + 1;
  }
  std::printf("policy-gradient losses: %zu files, %zu numbers\n", files, compared);
  CHECK(files >= 17);
}

TEST_CASE("KL estimators agree with their formulas in 400 digits") {
  std::size_t files = 0;
  for (auto v : files_of("kl_")) {
    CAPTURE(v.file);
    auto loss = made_token_loss("reinforce");
    loss.kl = {kl_estimator_of(v.parameters.at("estimator")), 1};
    loss.aggregation.mode = aggregation_mode::token_sum;
    auto& c = v.columns;
    numbers const nothing(v.rows, 0.0);
    std::vector<std::int64_t> const offsets{0, static_cast<std::int64_t>(v.rows)};
    numbers written(v.rows), gradient(v.rows);
    auto const seen = evaluate(loss,
                               token_batch<double>{.log_prob = c["logp"],
                                                   .old_log_prob = c["old_logp"],
                                                   .ref_log_prob = c["ref_logp"],
                                                   .advantage = nothing,
                                                   .offsets = offsets},
                               {.loss = written, .d_log_prob = gradient});
    CHECK(differing("loss", written, c["loss"]) == 0);
    CHECK(differing("d_log_prob", gradient, c["d_logp"]) == 0);
    // Of a small number its own digits, not only those of 1.
    std::size_t coarse = 0;
    for (std::size_t i = 0; i < v.rows; ++i) {
      coarse += std::fabs(written[i] - c["loss"][i]) <= 1e-13 * std::fabs(c["loss"][i]) ? 0 : 1;
    }
    CHECK(coarse == 0);
    double sum = 0;
    for (double const x : c["loss"]) sum += x;
    CHECK(std::fabs(seen.kl * static_cast<double>(v.rows) - sum) <= 1e-12 * (1 + std::fabs(sum)));
    ++files;
  }
  CHECK(files == 8);
}

TEST_CASE("a sampler's corrections agree with their formulas in 400 digits") {
  std::size_t files = 0;
  for (auto v : files_of("importance_")) {
    CAPTURE(v.file);
    auto loss = made_token_loss("reinforce");
    loss.correction = {correction_mode_of(v.parameters.at("mode")), v.parameter("low"), v.parameter("high")};
    loss.aggregation.mode = aggregation_mode::token_sum;
    auto& c = v.columns;
    auto const offsets = runs_of(c["sequence"], c["sequence"]);
    // -A l is 1: what is left is the weight.
    numbers const ones(v.rows, 1.0), minus(v.rows, -1.0);
    numbers written(v.rows), gradient(v.rows);
    auto const seen = evaluate(loss,
                               token_batch<double>{.log_prob = ones,
                                                   .old_log_prob = c["old_logp"],
                                                   .rollout_log_prob = c["rollout_logp"],
                                                   .advantage = minus,
                                                   .offsets = offsets},
                               {.loss = written, .d_log_prob = gradient});
    CHECK(differing("weight", written, c["weight"]) == 0);
    CHECK(differing("d_log_prob", gradient, c["weight"]) == 0);
    double sum = 0, squares = 0;
    for (double const w : c["weight"]) {
      sum += w;
      squares += w * w;
    }
    auto const rows = static_cast<double>(v.rows);
    CHECK(differing("report", {seen.mean_correction * rows, seen.effective_sample_size},
                    {sum, squares == 0 ? 0 : sum * sum / squares}) == 0);
    ++files;
  }
  CHECK(files == 7);
}

TEST_CASE("advantages agree with their formulas in 400 digits") {
  std::size_t files = 0;
  for (auto v : files_of("advantage_")) {
    CAPTURE(v.file);
    auto const mode = advantage_mode_of(v.parameters.at("mode"));
    auto& c = v.columns;
    auto const groups = runs_of(c["group"], c["group"]);
    numbers written(v.rows);
    advantage_options options{.mode = mode};
    if (v.parameters.count("epsilon") != 0) options.epsilon = v.parameter("epsilon");
    column<double> length;
    if (mode == advantage_mode::length_weighted) length = c["length"];
    advantages<double>(c["reward"], groups, written, options, length);
    CHECK(differing("advantage", written, c["advantage"]) == 0);
    ++files;
  }
  CHECK(files == 8);
}
