#include "token_statistics.hpp"

namespace {

constexpr std::ptrdiff_t outputs = gru_policy<float>::output_count;

/// A column of outputs is a row of logits; the value stands behind them.
template <class U>
prefopt::row_major<U> logits_of(U* outputs_of_tokens, std::size_t tokens) {
  return {outputs_of_tokens, tokens, std::size_t{byte_alphabet::size}, outputs};
}

}  // namespace

void token_statistics::append(sample_group const& group, gru_policy<float>::pass const& kept) {
  std::size_t const first = log_prob.size(), count = group.tokens();
  for (auto* of : {&log_prob, &entropy, &value}) of->resize(first + count);
  log_sum_exp.resize(first + count);
  auto const labels = group.labels();
  prefopt::token_logprobs(logits_of(kept.outputs.data(), count), labels,
                          {.log_prob = {log_prob.data() + first, count},
                           .log_sum_exp = {log_sum_exp.data() + first, count},
                           .entropy = {entropy.data() + first, count}});
  for (std::size_t i = 0; i < count; ++i) {
    value[first + i] = kept.outputs(byte_alphabet::size, static_cast<Eigen::Index>(i));
  }
}

void output_gradient(sample_group const& group, gru_policy<float>::pass const& kept, token_statistics const& seen,
                     std::size_t first, std::vector<float> const& d_log_prob, std::vector<float> const& d_value,
                     gru_policy<float>::matrix& d_outputs) {
  std::size_t const count = group.tokens();
  d_outputs.resize(kept.outputs.rows(), kept.outputs.cols());
  auto const labels = group.labels();
  prefopt::token_logprob_gradients(logits_of(kept.outputs.data(), count), labels,
                                   {seen.log_sum_exp.data() + first, count}, {d_log_prob.data() + first, count},
                                   logits_of(d_outputs.data(), count));
  for (std::size_t i = 0; i < count; ++i) {
    d_outputs(byte_alphabet::size, static_cast<Eigen::Index>(i)) = d_value.empty() ? 0 : d_value[first + i];
  }
}
