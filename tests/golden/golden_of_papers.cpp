#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <prefopt/prefopt.hpp>
#include <string>
#include <vector>

#include "golden/folder.hpp"
#include "golden/vectors.hpp"
#include "oracle/front.hpp"

// Vectors of the losses of the papers, from the folder golden2/ beside the project: the formulas evaluated with 400
// digits and rounded once. Every loss by its name, every column of every file.

namespace of_papers {
namespace {

using prefopt::pair_family;
using prefopt::parameter_values;
using prefopt::unpaired_family;

bool is_in(std::vector<prefopt::listed_loss_card> const& cards, std::string const& name) {
  return std::any_of(cards.begin(), cards.end(), [&](auto const& card) { return card.card.name == name; });
}

/// By the library's names; trainers call every smoothing one.
parameter_values parameters_of(golden::vectors const& v) {
  parameter_values values;
  for (auto const& [name, value] : v.parameters) {
    values.emplace_back(name == "label_smoothing" ? "epsilon"
                        : name == "discopop_tau"  ? "tau"
                                                  : name,
                        std::stod(value));
  }
  return values;
}

/// The loss of a file, if it is of that family.
std::optional<prefopt::any_pair_loss> pair_loss_of(golden::vectors const& v) {
  if (v.loss == "nll_mix") {
    parameter_values const values{
        {"beta", v.parameter("beta")}, {"nll", v.parameter("alpha")}, {"nll_mode", v.parameter("mode")}};
    return front::make_pair_loss("with_nll", values, "dpo");
  }
  if (v.loss == "mpo") {
    parameter_values const beta{{"beta", v.parameter("beta")}};
    return prefopt::mixture<pair_family>(
        {{v.parameter("preference"), front::make_pair_loss("dpo", beta)},
         {v.parameter("quality"), front::make_pair_loss("bco_pair", {beta[0], {"delta", v.parameter("delta")}})},
         {v.parameter("generation"), front::make_pair_loss("sft", {{"mode", 1}})}});
  }
  if (!is_in(prefopt::pair_loss_cards(), v.loss)) return std::nullopt;
  return front::make_pair_loss(v.loss, parameters_of(v));
}

std::optional<prefopt::any_unpaired_loss> unpaired_loss_of(golden::vectors const& v) {
  std::string const name = v.loss == "kto_batch" ? "kto" : v.loss;
  if (!is_in(prefopt::unpaired_loss_cards(), name)) return std::nullopt;
  return front::make_unpaired_loss(name, parameters_of(v));
}

/// The file's rows through the library, every column of it read or compared; how many numbers were compared.
template <class Family>
std::size_t compare(golden::vectors const& v, prefopt::any_loss<Family> const& loss) {
  typename Family::template batch<double> batch;
  typename Family::template outputs<double> outputs;
  std::map<std::string, std::vector<double>> got;
  for (auto const& [column, values] : v.columns) {
    std::string const name = column == "reward_gap" ? "target" : column;
    auto const& inputs = Family::template inputs<double>;
    auto const& results = Family::template results<double>;
    auto const input = std::find_if(inputs.begin(), inputs.end(), [&](auto const& row) { return row.name == name; });
    auto const result = std::find_if(results.begin(), results.end(), [&](auto const& row) { return row.name == name; });
    INFO(column);
    // A column that the library does not have would go unnoticed.
    REQUIRE(((input != inputs.end()) != (result != results.end())));
    if (input != inputs.end()) {
      batch.*input->values = values;
    } else {
      got[column].resize(v.rows);
      outputs.*result->values = got[column];
    }
  }
  front::evaluate(loss, batch, outputs, {.reduction = prefopt::reduction::none});
  std::size_t compared = 0;
  for (auto const& [column, values] : got) {
    for (std::size_t i = 0; i < v.rows; ++i) {
      ++compared;
      double const right = v.columns.at(column)[i], off = std::fabs(values[i] - right);
      if (off <= 1e-12 * (1 + std::fabs(right))) continue;
      INFO(v.file << " row " << i + 1 << ": " << column << " is off by " << off << ", of the value "
                  << off / std::fabs(right));
      CHECK(values[i] == right);
    }
  }
  CHECK(got.count("loss") == 1);
  CHECK(got.size() >= 2);
  return compared;
}

}  // namespace

TEST_CASE("the losses of the papers agree with their formulas in 400 digits") {
  std::map<std::string, std::size_t> files, numbers;
  std::size_t others = 0, total = 0;
  for (auto const& path : golden::files_or_skip("golden2")) {
    auto const v = golden::read(path);
    CAPTURE(v.file);
    auto const of_pairs = pair_loss_of(v);
    auto const of_completions = unpaired_loss_of(v);
    if (!of_pairs && !of_completions) {
      ++others;
      continue;
    }
    ++files[v.loss];
    auto const compared = of_pairs ? compare(v, *of_pairs) : compare(v, *of_completions);
    numbers[v.loss] += compared;
    total += compared;
  }
  for (auto const& [loss, count] : numbers)
    std::printf("%-20s %zu files, %4zu numbers\n", loss.c_str(), files[loss], count);
  std::printf("%zu numbers of %zu losses compared; %zu files are not of pairs or completions\n", total, numbers.size(),
              others);
  CHECK(numbers.size() >= 56);
  for (auto const& [loss, count] : numbers) {
    CAPTURE(loss);
    CHECK(count >= 16);
  }
}

TEST_CASE("the losses of the papers agree with the numbers of other libraries that have them") {
  std::map<std::string, std::size_t> numbers;
  for (auto const& path : golden::files_or_skip()) {
    auto v = golden::read(path);
    CAPTURE(v.file);
    if (v.loss == "kto") {
      numbers[v.loss] += compare(v, front::make_unpaired_loss("kto", parameters_of(v)));
    } else if (v.loss == "sppo_hard") {
      v.columns["label"].assign(v.rows, 1);
      numbers[v.loss] += compare(v, front::make_pair_loss("sppo", parameters_of(v)));
    } else if (v.loss == "simpo_hinge") {
      // max(0, 1 - beta (u - ratio)) is beta max(0, 1 / beta + ratio - u).
      double const beta = v.parameter("beta");
      auto const repo = front::make_pair_loss("repo", {{"gamma", 1 / beta + v.parameter("gamma_beta_ratio")}});
      numbers[v.loss] += compare(v, prefopt::mixture<pair_family>({{beta, repo}}));
    } else if (v.loss == "orpo") {
      // Without the likelihood, which its trainer adds elsewhere.
      parameter_values const given{{"beta", v.parameter("beta")}, {"sft", 0}};
      numbers[v.loss] += compare(v, front::make_pair_loss("orpo", given));
    } else if (v.loss == "aot" || v.loss == "aot_unpaired" || v.loss == "apo_zero" || v.loss == "apo_down" ||
               v.loss == "bco_pair" || v.loss == "nca_pair" || v.loss == "exo_pair" || v.loss == "discopop") {
      numbers[v.loss] += compare(v, front::make_pair_loss(v.loss, parameters_of(v)));
    }
  }
  std::size_t total = 0;
  for (auto const& [loss, count] : numbers) total += count;
  std::printf("%zu numbers of %zu losses compared\n", total, numbers.size());
  CHECK(numbers.size() == 12);
  for (auto const& [loss, count] : numbers) {
    CAPTURE(loss);
    CHECK(count >= 128);
  }
}

}  // namespace of_papers
