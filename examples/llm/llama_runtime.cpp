#include "llama_runtime.hpp"

#include <llama-cpp.h>

#include <algorithm>
#include <stdexcept>

#include "input_error.hpp"
#include "loaded_by_llama.hpp"
#include "quiet_ggml.hpp"

struct llama_runtime::state {
  state() = default;
  state(state const&) = delete;
  state& operator=(state const&) = delete;
  ~state() {
    quiet_ggml const quiet{llama_log_set};
    context.reset();
  }

  llama_model_ptr model;
  llama_adapter_lora_ptr adapter;
  llama_context_ptr context;
  std::size_t vocabulary = 0, context_length = 0;

  /// All of these tokens behind what is there already.
  void decode(std::span<std::int32_t const> ids, std::size_t position, bool all_logits) {
    auto batch = llama_batch_init(static_cast<std::int32_t>(ids.size()), 0, 1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      batch.token[i] = ids[i];
      batch.pos[i] = static_cast<llama_pos>(position + i);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = all_logits || i + 1 == ids.size();
    }
    batch.n_tokens = static_cast<std::int32_t>(ids.size());
    auto const status = llama_decode(context.get(), batch);
    llama_batch_free(batch);
    if (status != 0) throw std::runtime_error("llama.cpp could not compute " + std::to_string(ids.size()) + " tokens");
  }

  void begin(std::span<std::int32_t const> ids) {
    if (ids.empty() || ids.size() > context_length) {
      throw input_error{"a sequence of " + std::to_string(ids.size()) + " tokens, expected 1 to " +
                        std::to_string(context_length)};
    }
    llama_memory_clear(llama_get_memory(context.get()), true);
  }
};

llama_runtime::llama_runtime(std::filesystem::path const& model, std::optional<std::filesystem::path> const& adapter,
                             int threads, std::size_t context_length, runtime_kind kind)
    : state_{std::make_unique<state>()} {
  auto model_parameters = llama_model_default_params();
  model_parameters.n_gpu_layers = 0;
  // Repacked weights are multiplied in another order, and where activations are rounded to 8 bits, the last bit of a sum
  // grows into a hundredth of a logit within some layers.
  model_parameters.use_extra_bufts = kind == runtime_kind::usual;
  state_->model.reset(
      loaded_by_llama(model, "a model", [&] { return llama_model_load_from_file(model.c_str(), model_parameters); }));
  if (adapter) {
    state_->adapter.reset(loaded_by_llama(*adapter, "an adapter of this model", [&] {
      return llama_adapter_lora_init(state_->model.get(), adapter->c_str());
    }));
  }
  auto parameters = llama_context_default_params();
  // Whole sequences at a time.
  parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = static_cast<std::uint32_t>(context_length);
  parameters.n_seq_max = 1;
  parameters.n_threads = parameters.n_threads_batch = std::max(1, threads);
  if (kind == runtime_kind::exact) {
    parameters.type_k = parameters.type_v = GGML_TYPE_F32;
    parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  }
  state_->context.reset(
      loaded_by_llama(model, "a context", [&] { return llama_init_from_model(state_->model.get(), parameters); }));
  quiet_ggml const quiet{llama_log_set};
  if (adapter) {
    auto* const given = state_->adapter.get();
    float scale = 1;
    auto* pointer = given;
    if (llama_set_adapters_lora(state_->context.get(), &pointer, 1, &scale) != 0) {
      throw error_at(adapter->string(), 0, "", "llama.cpp cannot lay it over the model");
    }
  }
  state_->vocabulary = static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(state_->model.get())));
  state_->context_length = context_length;
}

llama_runtime::llama_runtime(llama_runtime&&) noexcept = default;
llama_runtime& llama_runtime::operator=(llama_runtime&&) noexcept = default;
llama_runtime::~llama_runtime() = default;

std::span<float const> llama_runtime::logits(std::span<std::int32_t const> ids) {
  quiet_ggml const quiet{llama_log_set};
  state_->begin(ids);
  state_->decode(ids, 0, true);
  return {llama_get_logits(state_->context.get()), ids.size() * state_->vocabulary};
}

std::vector<std::int32_t> llama_runtime::sample(std::span<std::int32_t const> ids, sampling_options const& options) {
  quiet_ggml const quiet{llama_log_set};
  llama_sampler_ptr const sampler{llama_sampler_chain_init(llama_sampler_chain_default_params())};
  if (options.temperature > 0) {
    llama_sampler_chain_add(sampler.get(), llama_sampler_init_temp(options.temperature));
    llama_sampler_chain_add(sampler.get(), llama_sampler_init_dist(options.seed));
  } else {
    llama_sampler_chain_add(sampler.get(), llama_sampler_init_greedy());
  }
  auto const* const vocabulary = llama_model_get_vocab(state_->model.get());
  state_->begin(ids);
  state_->decode(ids, 0, false);
  std::vector<std::int32_t> said;
  while (said.size() < options.most_tokens && ids.size() + said.size() < state_->context_length) {
    auto const next = llama_sampler_sample(sampler.get(), state_->context.get(), -1);
    if (llama_vocab_is_eog(vocabulary, next)) break;
    said.push_back(next);
    state_->decode(std::span{&said.back(), 1}, ids.size() + said.size() - 1, false);
  }
  return said;
}
