#include "output_head.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/logprob/sequence_kl.hpp>

namespace {

using head_policy_of_rows = prefopt::linear_policy<float, prefopt::eigen_product>;

prefopt::row_major<float const> rows_of(std::span<float const> values, std::size_t width) {
  return {values.data(), values.size() / width, width};
}

}  // namespace

void output_head::log_probs(completion_rows const& rows, std::span<double> logp) const {
  log_probs(rows, logp, {}, {});
}

void output_head::log_probs(completion_rows const& rows, std::span<double> logp, judge const& of_all,
                            gradients const& d) const {
  head_policy_of_rows policy{.head = {.hidden = rows_of(rows.hidden, width()), .weight = weight_},
                             .tokens = {.labels = rows.labels, .offsets = rows.offsets}};
  if (!d.hidden.empty()) policy.gradients.hidden = {d.hidden.data(), d.hidden.size() / width(), width()};
  if (!d.weight.empty()) policy.gradients.weight = {d.weight.data(), d.weight.size() / width(), width()};
  policy.check("output_head", prefopt::gradient_write::assign);
  prefopt::executor const run{threads_};
  head_policy_of_rows::state state;
  std::vector<double> tokens(rows.rows());
  policy.log_probs(state, tokens, run);
  auto const range = [&](std::size_t sequence) {
    auto const begin = static_cast<std::size_t>(rows.offsets[sequence]);
    return std::span{tokens}.subspan(begin, static_cast<std::size_t>(rows.offsets[sequence + 1]) - begin);
  };
  for (std::size_t i = 0; i < rows.sequences(); ++i) {
    auto const own = range(i);
    logp[i] = std::accumulate(own.begin(), own.end(), 0.0);
  }
  if (!of_all) return;
  std::span<double const> const d_logp = of_all(logp);
  for (std::size_t i = 0; i < rows.sequences(); ++i) std::ranges::fill(range(i), d_logp[i]);
  policy.backward(state, tokens, prefopt::gradient_write::assign, run);
}

void output_head::kl(completion_rows const& rows, output_head const& other, completion_rows const& rows_of_other,
                     std::span<double> kl) const {
  // Here the logits of some rows do exist, of both.
  constexpr std::size_t most = 64;
  std::vector<float> own_logits(most * vocabulary()), other_logits(own_logits.size());
  std::vector<float> of_rows(rows.rows());
  for (std::size_t begin = 0; begin < rows.rows(); begin += most) {
    std::size_t const count = std::min(most, rows.rows() - begin);
    auto const logits = [&](output_head const& head, completion_rows const& of, std::vector<float>& to) {
      auto const hidden = std::span{of.hidden}.subspan(begin * width(), count * width());
      prefopt::eigen_product{}(prefopt::matrix_factor<float>{rows_of(hidden, width())},
                               prefopt::matrix_factor<float>{head.weight_, true},
                               prefopt::row_major<float>{to.data(), count, vocabulary()}, false);
      return rows_of(std::span{to}.first(count * vocabulary()), vocabulary());
    };
    // The function takes the expectation over what it calls the reference.
    prefopt::sequence_kl(logits(*this, rows, own_logits), logits(other, rows_of_other, other_logits),
                         {.labels = std::span{rows.labels}.subspan(begin, count), .tokens_per_sequence = 1},
                         std::span{of_rows}.subspan(begin, count), prefopt::executor{threads_});
  }
  for (std::size_t i = 0; i < rows.sequences(); ++i) {
    kl[i] = std::accumulate(of_rows.begin() + rows.offsets[i], of_rows.begin() + rows.offsets[i + 1], 0.0);
  }
}
