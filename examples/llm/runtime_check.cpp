#include "runtime_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "completion_rows.hpp"

double runtime_difference(llama_runtime& runtime, std::size_t vocabulary, sequence_list sequences,
                          std::span<double const> logp) {
  double largest = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto const& [ids, boundary] = *sequences[i];
    auto const logits = runtime.logits(ids);
    double sum = 0;
    for (std::size_t token = boundary; token < ids.size(); ++token) {
      auto const row = logits.subspan((token - 1) * vocabulary, vocabulary);
      auto const highest = static_cast<double>(*std::ranges::max_element(row));
      double exponentials = 0;
      for (float const logit : row) exponentials += std::exp(static_cast<double>(logit) - highest);
      sum += static_cast<double>(row[static_cast<std::size_t>(ids[token])]) - highest - std::log(exponentials);
    }
    largest = std::max(largest, std::abs(sum - logp[i]) / std::abs(logp[i]));
  }
  return largest;
}
