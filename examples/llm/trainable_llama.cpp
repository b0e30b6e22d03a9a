#include "trainable_llama.hpp"

#include <ggml-cpu.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "adapter_tensors.hpp"
#include "backward_graph.hpp"
#include "gguf_file.hpp"
#include "head_rounding.hpp"
#include "input_error.hpp"
#include "llama_graph.hpp"
#include "llama_weights.hpp"

namespace {

void allocate(ggml_gallocr_t allocator, ggml_cgraph* graph) {
  if (!ggml_gallocr_alloc_graph(allocator, graph)) throw std::runtime_error("not enough memory for the model's graph");
}

}  // namespace

/// An adapter with its tensors, which point into it.
struct placed_adapter {
  placed_adapter(lora_adapter given, std::size_t layers) : adapter{std::move(given)}, tensors{adapter, layers} {}

  lora_adapter adapter;
  adapter_tensors tensors;
};

/// What forward() keeps for backward().
struct kept_pass {
  llama_graph graph;
  ggml_cgraph* backward;
  std::size_t numbers;  ///< of hidden states
};

struct trainable_llama::state {
  state(std::filesystem::path const& path, int thread_count)
      : file{path}, shape{shape_of(file)}, weights{file, shape}, backend{ggml_backend_cpu_init()} {
    set_threads(thread_count);
  }

  void set_threads(int count) {
    threads = std::max(1, count);
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
  }

  void check(packed_tokens tokens, std::size_t numbers, with_adapter use) const;
  [[nodiscard]] llama_graph graph_of(packed_tokens tokens, with_adapter use) const {
    return {shape, weights, use == with_adapter::yes ? &adapter->tensors : nullptr, tokens, backend.get()};
  }

  void compute(ggml_cgraph* graph) const {
    if (ggml_backend_graph_compute(backend.get(), graph) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("ggml could not compute the model's graph");
    }
  }

  void read(llama_graph const& graph, std::span<float> rows) const {
    ggml_backend_tensor_get(graph.hidden(), rows.data(), 0, rows.size_bytes());
    if (rounds_for_head) round_for(weights.head->type, rows, shape.width);
  }

  gguf_file file;
  llama_shape shape;
  bool rounds_for_head = true;
  llama_weights weights;
  int threads = 1;
  ggml_backend_ptr backend;
  ggml_gallocr_ptr memory{ggml_gallocr_new(ggml_backend_cpu_buffer_type())};  ///< of the last graph alone
  std::unique_ptr<placed_adapter> adapter;
  std::optional<kept_pass> kept;
  std::vector<float> head;
  std::optional<std::uint64_t> checksum;
};

void trainable_llama::state::check(packed_tokens tokens, std::size_t numbers, with_adapter use) const {
  if (use == with_adapter::yes && !adapter) throw input_error{"there is no adapter over the model, and one is wanted"};
  auto const offsets = tokens.offsets;
  if (offsets.size() < 2 || offsets.back() != tokens.ids.size() ||
      std::adjacent_find(offsets.begin(), offsets.end(), std::greater_equal{}) != offsets.end()) {
    throw input_error{"offsets of sequences that do not rise to the number of tokens, " +
                      std::to_string(tokens.ids.size())};
  }
  for (std::size_t i = 0; i < tokens.sequences(); ++i) {
    if (std::size_t const length = tokens.shared() + offsets[i + 1] - offsets[i]; length > shape.context_length) {
      throw input_error{"a sequence of " + std::to_string(length) + " tokens, expected at most the model's " +
                        std::to_string(shape.context_length)};
    }
  }
  for (auto const id : tokens.ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= shape.vocabulary) {
      throw input_error{"a token " + std::to_string(id) + ", expected 0 to " + std::to_string(shape.vocabulary - 1)};
    }
  }
  if (numbers != tokens.ids.size() * shape.width) {
    throw input_error{"room for " + std::to_string(numbers) + " numbers of hidden states, expected " +
                      std::to_string(tokens.ids.size()) + " rows of " + std::to_string(shape.width)};
  }
}

trainable_llama::trainable_llama(std::filesystem::path const& file, int threads)
    : state_{std::make_unique<state>(file, threads)} {}
trainable_llama::trainable_llama(trainable_llama&&) noexcept = default;
trainable_llama& trainable_llama::operator=(trainable_llama&&) noexcept = default;
trainable_llama::~trainable_llama() = default;

llama_shape const& trainable_llama::shape() const { return state_->shape; }

std::uint64_t trainable_llama::checksum() const {
  if (!state_->checksum) state_->checksum = state_->file.checksum();
  return *state_->checksum;
}

int trainable_llama::threads() const { return state_->threads; }
void trainable_llama::set_threads(int threads) { state_->set_threads(threads); }
void trainable_llama::set_rounding(bool is_rounded) { state_->rounds_for_head = is_rounded; }

prefopt::row_major<float const> trainable_llama::head() const {
  auto const& weight = *state_->weights.head;
  auto const numbers = static_cast<std::size_t>(ggml_nelements(&weight));
  if (weight.type == GGML_TYPE_F32) return {static_cast<float const*>(weight.data), vocabulary(), width()};
  if (state_->head.empty()) {
    state_->head.resize(numbers);
    ggml_get_type_traits(weight.type)->to_float(weight.data, state_->head.data(), ggml_nelements(&weight));
  }
  return {state_->head.data(), vocabulary(), width()};
}

void trainable_llama::set_adapter(lora_adapter adapter) {
  auto const fits = [&](lora_matrix const& matrix) {
    auto const expected = extents_of(shape(), matrix.matrix);
    return matrix.layer < layers() && matrix.inputs == expected.inputs && matrix.outputs == expected.outputs;
  };
  if (!std::all_of(adapter.matrices().begin(), adapter.matrices().end(), fits)) {
    throw input_error{"an adapter over a model of another shape"};
  }
  state_->kept.reset();
  state_->adapter = std::make_unique<placed_adapter>(std::move(adapter), layers());
}

void trainable_llama::remove_adapter() {
  state_->kept.reset();
  state_->adapter.reset();
}

bool trainable_llama::has_adapter() const { return state_->adapter != nullptr; }
lora_adapter& trainable_llama::adapter() { return state_->adapter->adapter; }
lora_adapter const& trainable_llama::adapter() const { return state_->adapter->adapter; }

void trainable_llama::hidden_states(packed_tokens tokens, with_adapter use, std::span<float> rows) {
  state_->check(tokens, rows.size(), use);
  state_->kept.reset();
  auto const graph = state_->graph_of(tokens, use);
  auto* const forward = forward_graph_of(graph);
  allocate(state_->memory.get(), forward);
  state_->compute(forward);
  state_->read(graph, rows);
}

void trainable_llama::forward(packed_tokens tokens, std::span<float> rows) {
  state_->check(tokens, rows.size(), with_adapter::yes);
  state_->kept.reset();
  auto graph = state_->graph_of(tokens, with_adapter::yes);
  auto const graphs = trained_graphs_of(graph, state_->adapter->tensors);
  allocate(state_->memory.get(), graphs.both);
  state_->compute(graphs.forward);
  state_->read(graph, rows);
  state_->kept.emplace(kept_pass{std::move(graph), graphs.backward, rows.size()});
}

void trainable_llama::backward(std::span<float const> d_rows) {
  if (!state_->kept) throw std::logic_error("a backward pass without a forward pass before it");
  if (d_rows.size() != state_->kept->numbers) {
    throw input_error{"a gradient by " + std::to_string(d_rows.size()) + " numbers of hidden states, expected " +
                      std::to_string(state_->kept->numbers)};
  }
  ggml_backend_tensor_set(state_->kept->graph.d_hidden(), d_rows.data(), 0, d_rows.size_bytes());
  state_->compute(state_->kept->backward);
  state_->kept.reset();
}
