// Vectors of the folder golden2/ beside the project: margins of vectors, divergences, and the weights of tasks.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <golden/vectors.hpp>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/min_norm_weights.hpp>
#include <prefopt/vectors/distance.hpp>
#include <prefopt/vectors/gaussian_kl.hpp>
#include <prefopt/vectors/skew.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

/// Without the file the test is skipped, visibly. Catch2 2 knows no skipping: CTest goes by the exit status.
golden::vectors read_or_skip(std::string const& name) {
  auto const path = std::filesystem::path{PREFOPT_SHARED_DIR} / "golden2" / name;
  if (!std::filesystem::is_regular_file(path)) {
    std::printf("skipped: there is no file %s\n", path.c_str());
    std::fflush(stdout);
    std::_Exit(skipped_exit_status);
  }
  return golden::read(path);
}

/// The columns NAME_0, NAME_1, … as rows.
std::vector<double> rows_of(golden::vectors const& v, std::string const& name, std::size_t dimension) {
  std::vector<double> rows;
  for (std::size_t i = 0; i < v.rows; ++i) {
    for (std::size_t k = 0; k < dimension; ++k) rows.push_back(v.columns.at(name + "_" + std::to_string(k))[i]);
  }
  return rows;
}

void check_close(std::vector<double> const& got, std::vector<double> const& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i, got[i], expected[i]);
    CHECK(std::fabs(got[i] - expected[i]) <= 1e-12 * (1 + std::fabs(expected[i])));
  }
}

}  // namespace

TEST_CASE("golden2: gpm") {
  auto const v = read_or_skip("gpm_t0.1.csv");
  auto const dimension = static_cast<std::size_t>(v.parameter("dimension"));
  auto const chosen = rows_of(v, "chosen", dimension), rejected = rows_of(v, "rejected", dimension);
  std::vector<double> margin(v.rows), loss(v.rows), d(v.rows), d_chosen(chosen.size()), d_rejected(chosen.size());
  std::vector<double> const zero(v.rows, 0.0);
  skew_pairs<double> const pairs{.chosen = {chosen.data(), v.rows, dimension},
                                 .rejected = {rejected.data(), v.rows, dimension}};
  skew_margins(pairs, margin);
  evaluate(bradley_terry{.temperature = v.parameter("tau")}, pair_batch<double>{.chosen = margin, .rejected = zero},
           {.loss = loss, .d_chosen = d}, {.reduction = reduction::sum});
  skew_gradients(
      pairs, d,
      {.d_chosen = {d_chosen.data(), v.rows, dimension}, .d_rejected = {d_rejected.data(), v.rows, dimension}});
  check_close(loss, v.columns.at("loss"));
  check_close(d_chosen, rows_of(v, "d_chosen", dimension));
  check_close(d_rejected, rows_of(v, "d_rejected", dimension));
}

TEST_CASE("golden2: pal") {
  for (auto const* name : {"pal_scale1_hinge0_margin1.csv", "pal_scale1_hinge1_margin1.csv"}) {
    CAPTURE(name);
    auto const v = read_or_skip(name);
    auto const dimension = static_cast<std::size_t>(v.parameter("dimension"));
    auto const chosen = rows_of(v, "chosen", dimension), rejected = rows_of(v, "rejected", dimension),
               user = rows_of(v, "user", dimension);
    std::vector<double> margin(v.rows), loss(v.rows), d(v.rows);
    std::vector<double> d_chosen(chosen.size()), d_rejected(chosen.size()), d_user(chosen.size());
    std::vector<double> const zero(v.rows, 0.0);
    distance_pairs<double> const pairs{.chosen = {chosen.data(), v.rows, dimension},
                                       .rejected = {rejected.data(), v.rows, dimension},
                                       .user = {user.data(), v.rows, dimension},
                                       .scale = v.parameter("scale")};
    distance_margins(pairs, margin);
    pair_batch<double> batch{.chosen = margin, .rejected = zero};
    pair_outputs<double> const outputs{.loss = loss, .d_chosen = d};
    if (v.parameter("hinge") == 0) {
      evaluate(bradley_terry{}, batch, outputs, {.reduction = reduction::sum});
    } else {
      REQUIRE(v.parameter("margin") == 1);
      batch.ref_chosen = batch.ref_rejected = zero;
      evaluate(hinge{.beta = 1}, batch, outputs, {.reduction = reduction::sum});
    }
    distance_gradients(pairs, d,
                       {.d_chosen = {d_chosen.data(), v.rows, dimension},
                        .d_rejected = {d_rejected.data(), v.rows, dimension},
                        .d_user = {d_user.data(), v.rows, dimension}});
    check_close(loss, v.columns.at("loss"));
    check_close(d_chosen, rows_of(v, "d_chosen", dimension));
    check_close(d_rejected, rows_of(v, "d_rejected", dimension));
    check_close(d_user, rows_of(v, "d_user", dimension));
  }
}

TEST_CASE("golden2: gaussian_kl") {
  auto const v = read_or_skip("gaussian_kl.csv");
  auto const dimension = static_cast<std::size_t>(v.parameter("dimension"));
  auto const mean = rows_of(v, "mean", dimension), log_variance = rows_of(v, "log_variance", dimension);
  std::vector<double> kl(v.rows), d_mean(mean.size()), d_variance(mean.size());
  std::vector<double> const one(v.rows, 1.0);
  gaussian_rows<double> const rows{.mean = {mean.data(), v.rows, dimension},
                                   .log_variance = {log_variance.data(), v.rows, dimension}};
  gaussian_kl(rows, kl);
  gaussian_kl_gradients(
      rows, one,
      {.d_mean = {d_mean.data(), v.rows, dimension}, .d_log_variance = {d_variance.data(), v.rows, dimension}});
  check_close(kl, v.columns.at("loss"));
  check_close(d_mean, rows_of(v, "d_mean", dimension));
  check_close(d_variance, rows_of(v, "d_log_variance", dimension));
}

TEST_CASE("golden2: min_norm") {
  auto const v = read_or_skip("min_norm.csv");
  auto const dimension = static_cast<std::size_t>(v.parameter("dimension"));
  auto const gradients = rows_of(v, "gradient", dimension);
  auto const& group = v.columns.at("group");
  std::size_t groups = 0;
  for (std::size_t begin = 0; begin < v.rows; ++groups) {
    std::size_t end = begin;
    while (end < v.rows && group[end] == group[begin]) ++end;
    std::size_t const tasks = end - begin;
    std::vector<double> gram;
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = begin; j < end; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < dimension; ++k) sum += gradients[i * dimension + k] * gradients[j * dimension + k];
        gram.push_back(sum);
      }
    }
    auto const& weight = v.columns.at("weight");
    CAPTURE(groups);
    check_close(
        min_norm_weights(row_major<double const>{gram.data(), tasks, tasks}),
        {weight.begin() + static_cast<std::ptrdiff_t>(begin), weight.begin() + static_cast<std::ptrdiff_t>(end)});
    begin = end;
  }
  CHECK(groups > 10);
}
