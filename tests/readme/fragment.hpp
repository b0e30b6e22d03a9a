#pragma once

// What the README's fragments take for granted.
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/prefopt.hpp>
#include <span>
#include <vector>

namespace host {

inline std::vector<float> chosen(8), rejected(8), ref_chosen(8), ref_rejected(8), weights(8, 1.0F),
    reliability(8, 0.9F);
inline std::vector<float> loss(8), d_chosen(8), d_rejected(8), posterior(8);
inline std::vector<int> annotators(8), lengths(4, 20), my_offsets{0, 8};
inline std::vector<float> my_rewards(8);
inline std::vector<std::size_t> my_batch(8);
inline prefopt::pair_batch<float> batch{
    .chosen = chosen, .rejected = rejected, .ref_chosen = ref_chosen, .ref_rejected = ref_rejected};

inline constexpr std::size_t vocabulary = 100, width = 16;
inline std::vector<float> logits(4 * 64 * vocabulary), hidden(4 * 64 * width), weight(vocabulary*width),
    d_hidden(4 * 64 * width), d_weight(vocabulary*width);
inline std::vector<float> ref_log_prob(4), rewards(4), log_prob(4 * 64), old_log_prob(4 * 64), d_log_prob(4 * 64),
    entropy(4 * 64);
inline std::vector<int> labels(4 * 64), sequence_offsets{0, 64, 128, 192, 256}, group_offsets{0, 4};

struct host_policy {
  template <class Batch>
  void log_probs(Batch const&, prefopt::pair_log_probs<float> const&) const {}
  template <class Batch>
  void backward(Batch const&, prefopt::pair_gradients<float> const&) {}
  template <class Batch>
  void log_probs(Batch const&, prefopt::list_log_probs<float> const&) const {}
  template <class Batch>
  void backward(Batch const&, prefopt::list_gradients<float> const&) {}
  [[nodiscard]] std::span<std::vector<float>> parameters() { return {&weights_, 1}; }
  [[nodiscard]] std::span<std::vector<float> const> parameters() const { return {&weights_, 1}; }

 private:
  std::vector<float> weights_;
};
inline host_policy my_policy;

}  // namespace host
