#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "golden/folder.hpp"
#include "golden/vectors.hpp"
#include "oracle/made_loss.hpp"

// Vectors of the list losses, from the folder golden/ beside the project.

namespace {

/// The columns that a file's loss reads.
struct reading {
  bool reference, length, reward;
};

/// The loss that a file's first line describes, and what it reads, handed to f; false if it is none of lists.
bool with_list_loss_of(golden::vectors const& v,
                       std::function<void(oracle::named_loss const&, reading const&)> const& f) {
  bool const reference = v.parameter("reference", 1) != 0, length = v.parameter("length_normalize", 0) != 0;
  if (v.loss == "plackett_luce") {
    double const is_mean = v.parameters.at("reduction") == "mean" ? 1 : 0;
    oracle::named_loss const loss{v.loss, {{"beta", v.parameter("beta")}, {"mean", is_mean}}};
    f(loss, reading{reference, length, true});
    f(loss, reading{reference, length, false});
  } else if (v.loss == "pro") {
    double const eps = v.parameter("eps");
    REQUIRE((eps == 0 || eps == 1e-10));
    double const has_temperatures = v.parameter("temperature") != 0 ? 1 : 0, has_eps = eps != 0 ? 1 : 0;
    oracle::named_loss const loss{
        v.loss, {{"temperatures", has_temperatures}, {"sft", v.parameter("sft_weight")}, {"eps_compat", has_eps}}};
    f(loss, reading{false, true, true});
    if (has_temperatures == 0) f(loss, reading{false, true, false});
  } else if (v.loss == "adpo") {
    f({v.loss, {{"tau", v.parameter("tau")}, {"beta_reward", v.parameter("beta_reward")}}},
      reading{reference, length, true});
  } else {
    return false;
  }
  return true;
}

/// Where the groups of a file begin, and where the last ends. The best of a group comes first, if they are ranked.
std::vector<std::int64_t> offsets_of(golden::vectors const& v, bool is_ranked) {
  auto const &group = v.columns.at("group"), &rank = v.columns.at("rank"), &reward = v.columns.at("reward");
  std::vector<std::int64_t> offsets{0};
  std::set<double> seen{group[0]};
  for (std::size_t i = 1; i < v.rows; ++i) {
    if (group[i] != group[i - 1]) {
      offsets.push_back(static_cast<std::int64_t>(i));
      REQUIRE(seen.insert(group[i]).second);
    } else {
      REQUIRE(rank[i] == rank[i - 1] + 1);
      REQUIRE((!is_ranked || reward[i] <= reward[i - 1]));
    }
  }
  offsets.push_back(static_cast<std::int64_t>(v.rows));
  return offsets;
}

/// The rows in another order inside the groups, where rewards tell it: best last. Ties have no order but the given one.
std::vector<std::size_t> reversed_in_groups(golden::vectors const& v, std::vector<std::int64_t> const& offsets) {
  auto const& reward = v.columns.at("reward");
  std::vector<std::size_t> rows(v.rows);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  for (std::size_t g = 0; g + 1 < offsets.size(); ++g) {
    auto const begin = rows.begin() + offsets[g], end = rows.begin() + offsets[g + 1];
    bool const tied =
        std::adjacent_find(begin, end, [&](std::size_t a, std::size_t b) { return reward[a] == reward[b]; }) != end;
    if (!tied) std::reverse(begin, end);
  }
  return rows;
}

/// To 1e-12, relative, over a floor: what the vectors themselves are good for, 1.5e-14 (1 + |y|), as their README says,
/// and nothing if they were evaluated from the formula with 500 digits. A gradient is a sum over stages, though: where
/// a candidate is pulled up in one and pushed down in another, 4 ULP of the largest gradient of its group stay.
struct comparison {
  std::size_t numbers = 0;
  double worst = 0;  ///< the largest error above the floor, relative

  void check(golden::vectors const& v, char const* column, std::size_t row, double got, double largest) {
    ++numbers;
    double const right = v.columns.at(column)[row], off = std::fabs(got - right);
    double const floor =
        v.is_closed_form() ? 4 * std::numeric_limits<double>::epsilon() * largest : 1.5e-14 * (1 + std::fabs(right));
    if (off > floor) worst = std::max(worst, (off - floor) / std::fabs(right));
    if (off <= floor + 1e-12 * std::fabs(right)) return;
    INFO(v.file << " row " << row + 1 << ": " << column << " is off by " << off);
    CHECK(got == right);
  }
};

void compare(golden::vectors const& v, oracle::named_loss const& loss, reading const& reads, bool reversed,
             comparison& result) {
  auto const offsets = offsets_of(v, loss.name != "real");
  std::vector<std::size_t> rows(v.rows);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  if (reversed) rows = reversed_in_groups(v, offsets);
  std::map<std::string, std::vector<double>> columns;
  for (auto const& [name, values] : v.columns) {
    for (std::size_t const row : rows) columns[name].push_back(values[row]);
  }
  std::vector<double> value(offsets.size() - 1), d_logp(v.rows);
  prefopt::list_batch<double> batch{.logp = columns.at("logp"), .offsets = offsets};
  if (reads.reference) batch.ref_logp = columns.at("ref_logp");
  if (reads.length) batch.length = columns.at("length");
  if (reads.reward) batch.reward = columns.at("reward");
  auto const report = front::evaluate(oracle::made_list(loss), batch, {.loss = value, .d_logp = d_logp},
                                      {.reduction = prefopt::reduction::sum});
  CHECK(report.count == value.size());
  for (std::size_t g = 0; g + 1 < offsets.size(); ++g) {
    auto const begin = static_cast<std::size_t>(offsets[g]), end = static_cast<std::size_t>(offsets[g + 1]);
    result.check(v, "loss", begin, value[g], 0);
    double largest = 0;
    for (std::size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(v.columns.at("d_logp")[i]));
    for (std::size_t i = begin; i < end; ++i) result.check(v, "d_logp", rows[i], d_logp[i], largest);
  }
}

}  // namespace

TEST_CASE("the list losses agree with other libraries' numbers") {
  std::map<std::string, std::size_t> files;
  std::map<std::string, comparison> compared;
  for (auto const& path : golden::files_or_skip()) {
    auto const v = golden::read(path);
    CAPTURE(v.file);
    bool const is_ours = with_list_loss_of(v, [&](oracle::named_loss const& loss, reading const& reads) {
      compare(v, loss, reads, false, compared[v.loss]);
      if (reads.reward) compare(v, loss, reads, true, compared[v.loss]);
    });
    if (is_ours) ++files[v.loss];
  }
  for (auto const& [loss, result] : compared) {
    std::printf("%-14s %2zu files, %4zu numbers, largest error above the floor %.2e\n", loss.c_str(), files[loss],
                result.numbers, result.worst);
  }
  CHECK(compared["plackett_luce"].numbers >= 1000);
  CHECK(compared["pro"].numbers >= 2000);
  CHECK(compared["adpo"].numbers >= 500);
}

TEST_CASE("the list losses of the papers agree with their formulas in 400 digits") {
  std::map<std::string, comparison> compared;
  for (auto const& path : golden::files_or_skip("golden2")) {
    auto const v = golden::read(path);
    if (!v.has("rank") || !v.has("loss")) continue;
    CAPTURE(v.file);
    oracle::named_loss loss{v.loss, {}};
    for (auto const& [name, value] : v.parameters) loss.given.emplace_back(name, std::stod(value));
    for (bool const reversed : {false, true}) compare(v, loss, {true, true, true}, reversed, compared[v.loss]);
  }
  for (auto const& [loss, result] : compared)
    std::printf("%-14s %4zu numbers, largest error above the floor %.2e\n", loss.c_str(), result.numbers, result.worst);
  CHECK(compared["real"].numbers >= 60);
}
