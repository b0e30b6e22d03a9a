#include "gpt2.hpp"

#include <algorithm>
#include <cstddef>
#include <random>

namespace {
float* given_d_losses = nullptr;
}

// gpt2_backward fills the gradient of the losses with 1 / (B T) and passes sizes of type size_t to a function that
// takes int. In C++ this overload fits better: llm.c calls it, and it puts another gradient in that place. A copy of
// llm.c that is one's own needs no such door: there, the line that fills grads_acts.losses is the one to change.
void crossentropy_softmax_backward(float* dlogits, float* dlosses, float* probs, int* targets, std::size_t B,
                                   std::size_t T, std::size_t V, std::size_t Vp);

// Without its main.
#define TESTING
#include <train_gpt2.c>

void crossentropy_softmax_backward(float* dlogits, float*, float* probs, int* targets, std::size_t B, std::size_t T,
                                   std::size_t V, std::size_t Vp) {
  crossentropy_softmax_backward(dlogits, given_d_losses, probs, targets, static_cast<int>(B), static_cast<int>(T),
                                static_cast<int>(V), static_cast<int>(Vp));
}

struct gpt2::host {
  GPT2 model{};
  int sequences = 0, tokens = 0, steps = 0;
};

gpt2::gpt2(shape const& model, int sequences, int tokens) : host_{std::make_unique<host>()} {
  host_->sequences = sequences;
  host_->tokens = tokens;
  auto& made = host_->model;
  made.config = {.max_seq_len = model.longest,
                 .vocab_size = model.vocabulary,
                 .padded_vocab_size = model.padded_vocabulary,
                 .num_layers = model.layers,
                 .num_heads = model.heads,
                 .channels = model.channels};
  made.mean_loss = -1;
  fill_in_parameter_sizes(made.param_sizes, made.config);
  for (std::size_t const size : made.param_sizes) made.num_parameters += size;
  made.params_memory = malloc_and_point_parameters(&made.params, made.param_sizes);
  std::minstd_rand random{7};
  for (auto& parameter : parameters()) parameter = 2e-4F * static_cast<float>(random() % 1000) - 0.1F;
  auto const layers = static_cast<std::size_t>(model.layers), channels = static_cast<std::size_t>(model.channels);
  std::fill_n(made.params.ln1w, layers * channels, 1.0F);
  std::fill_n(made.params.ln2w, layers * channels, 1.0F);
  std::fill_n(made.params.lnfw, channels, 1.0F);
}

gpt2::~gpt2() { gpt2_free(&host_->model); }

void gpt2::forward(std::span<int> inputs, std::span<int> targets) {
  gpt2_forward(&host_->model, inputs.data(), targets.data(), static_cast<std::size_t>(host_->sequences),
               static_cast<std::size_t>(host_->tokens));
}

std::span<float const> gpt2::losses() const {
  return {host_->model.acts.losses, static_cast<std::size_t>(host_->sequences * host_->tokens)};
}

void gpt2::backward(std::span<float> d_losses) {
  gpt2_zero_grad(&host_->model);
  given_d_losses = d_losses.data();
  gpt2_backward(&host_->model);
}

std::span<float const> gpt2::gradient() const { return {host_->model.grads_memory, host_->model.num_parameters}; }

void gpt2::update(float rate) { gpt2_update(&host_->model, rate, 0.9F, 0.999F, 1e-8F, 0, ++host_->steps); }

std::span<float> gpt2::parameters() { return {host_->model.params_memory, host_->model.num_parameters}; }
