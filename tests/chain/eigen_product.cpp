// Hidden states to log-probs and back, with Eigen's products.
#include <prefopt/adapter/eigen_product.hpp>

#include "linear_checks.hpp"

TEST_CASE("a head in chunks agrees with long double, by Eigen's products") {
  check_every_chunk<double, prefopt::eigen_product>({11, 13, 5}, "double, Eigen");
  check_every_chunk<float, prefopt::eigen_product>({11, 13, 5}, "float, Eigen");
  check_every_chunk<prefopt::bfloat16, prefopt::eigen_product>({11, 13, 5}, "bfloat16, Eigen");
  // Longer sums than Eigen's own blocks, more than one part of the vocabulary and of the width.
  check_every_chunk<float, prefopt::eigen_product>({9, 1100, 300}, "float, Eigen, large", {}, 1);
}

TEST_CASE("Eigen's products of small shapes") {
  check_small_products<float, prefopt::eigen_product>();
  check_small_products<double, prefopt::eigen_product>();
}

TEST_CASE("Eigen's products: the bits do not depend on the number of threads") {
  check_threads<float, prefopt::eigen_product>("float");
}

TEST_CASE("Eigen's own 16-bit types are hidden states and weights") {
  linear_data<prefopt::bfloat16> const data{7, 9, 4};
  std::vector<Eigen::bfloat16> hidden, weight;
  auto const copy = [](auto const& from, std::vector<Eigen::bfloat16>& to) {
    for (auto const x : from) to.push_back(Eigen::numext::bit_cast<Eigen::bfloat16>(x.bits));
  };
  copy(data.hidden, hidden);
  copy(data.weight, weight);
  prefopt::linear_head<Eigen::bfloat16> const head{
      .hidden = {hidden.data(), data.rows, data.width, static_cast<std::ptrdiff_t>(data.hidden_stride())},
      .weight = {weight.data(), data.vocabulary, data.width, static_cast<std::ptrdiff_t>(data.weight_stride())},
      .bias = data.bias};
  std::vector<float> ours(data.rows), theirs(data.rows);
  linear_token_logprobs(data.head(), data.labels, {.log_prob = ours}, prefopt::eigen_product{});
  linear_token_logprobs(head, data.labels, {.log_prob = theirs}, prefopt::eigen_product{});
  CHECK(same_numbers(ours, theirs));
}
