#pragma once

// Graphs of ggml's for the tests.

#include <ggml-cpp.h>
#include <ggml-cpu.h>

#include <cstddef>
#include <functional>
#include <prefopt/adapter/ggml.hpp>
#include <random>
#include <string>
#include <vector>

namespace graphs {

inline ggml_context_ptr make_context(std::size_t bytes, bool no_alloc = true) {
  return ggml_context_ptr{ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = no_alloc})};
}

inline void upload(ggml_tensor* tensor, std::vector<float> const& values) {
  if (tensor->type == GGML_TYPE_F32) {
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
    return;
  }
  std::vector<std::byte> stored(ggml_nbytes(tensor));
  ggml_quantize_chunk(tensor->type, values.data(), stored.data(), 0, ggml_nrows(tensor), tensor->ne[0], nullptr);
  ggml_backend_tensor_set(tensor, stored.data(), 0, stored.size());
}

inline std::vector<float> download(ggml_tensor const* tensor) {
  prefopt::ggml_rows const seen{tensor};
  std::vector<float> all;
  for (std::size_t row = 0; row < seen.rows().rows(); ++row) {
    all.insert(all.end(), seen.rows()[row], seen.rows()[row] + seen.rows().columns());
  }
  return all;
}

/// Numbers with 1 of 0 and 1 between, the same ones each time.
inline std::vector<float> numbers(std::size_t count, unsigned seed, float scale = 1) {
  std::minstd_rand random{seed};
  std::vector<float> all(count);
  for (auto& value : all) value = scale * (static_cast<float>(random() % 2001) / 1000 - 1);
  return all;
}

inline bool is_before(char const* release) {
  return prefopt::detail::release_of("test", ggml_version()) < prefopt::detail::release_of("test", release);
}

/// Tensors in memory of their own, and a graph over them that is computed in two parts.
class training_graph {
 public:
  using training = prefopt::ggml_training<ggml_cgraph, ggml_tensor>;

  ggml_tensor* leaf(ggml_type type, std::vector<std::int64_t> const& shape, std::vector<float> values,
                    bool is_parameter = false) {
    auto* const made = ggml_new_tensor(leafs.get(), type, static_cast<int>(shape.size()), shape.data());
    if (is_parameter) ggml_set_param(made);
    values_.emplace_back(made, std::move(values));
    return made;
  }
  ggml_tensor* parameter(std::vector<std::int64_t> const& shape, unsigned seed, float scale = 1) {
    std::size_t count = 1;
    for (auto const size : shape) count *= static_cast<std::size_t>(size);
    return leaf(GGML_TYPE_F32, shape, numbers(count, seed, scale), true);
  }
  ggml_tensor* integers(std::vector<std::int32_t> const& values) {
    auto* const made = ggml_new_tensor_1d(leafs.get(), GGML_TYPE_I32, static_cast<std::int64_t>(values.size()));
    integers_.emplace_back(made, values);
    return made;
  }

  /// Of a graph that ends in x, with memory. Optimizer's steps can be added by `more`.
  training expand(ggml_tensor* x, bool by_allocator, std::function<void(training const&)> const& more = {}) {
    ggml_build_forward_expand(graph, x);
    auto const made = prefopt::ggml_expand_backward(
        context.get(), graph, x, ggml_version(),
        by_allocator ? prefopt::ggml_allocation::of_graph : prefopt::ggml_allocation::of_each_tensor);
    if (more) more(made);
    leafs_buffer_.reset(ggml_backend_alloc_ctx_tensors(leafs.get(), backend.get()));
    if (by_allocator) {
      allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend.get())));
      if (!ggml_gallocr_alloc_graph(allocator_.get(), graph)) throw std::runtime_error("no memory for the graph");
    } else {
      buffer_.reset(ggml_backend_alloc_ctx_tensors(context.get(), backend.get()));
      // What is not written must not be right by chance.
      ggml_backend_buffer_clear(buffer_.get(), 0x7f);
    }
    for (auto const& [tensor, values] : values_) upload(tensor, values);
    for (auto const& [tensor, values] : integers_) {
      ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(std::int32_t));
    }
    return made;
  }

  void compute(ggml_cgraph* part) {
    if (ggml_backend_graph_compute(backend.get(), part) != GGML_STATUS_SUCCESS)
      throw std::runtime_error("not computed");
  }

  /// d value / d element by four points.
  double slope(ggml_tensor* parameter, std::size_t element, float step, std::function<double()> const& value) {
    float before = 0;
    ggml_backend_tensor_get(parameter, &before, element * sizeof before, sizeof before);
    auto const at = [&](float moved) {
      float const there = before + moved;
      ggml_backend_tensor_set(parameter, &there, element * sizeof there, sizeof there);
      return value();
    };
    double const near = at(step) - at(-step), far = at(2 * step) - at(-2 * step);
    at(0);
    return (8 * near - far) / (12 * static_cast<double>(step));
  }

  ggml_backend_ptr backend = [] {
    ggml_backend_ptr made{ggml_backend_cpu_init()};
    ggml_backend_cpu_set_n_threads(made.get(), 1);
    return made;
  }();
  ggml_context_ptr leafs = make_context(64 * ggml_tensor_overhead());
  ggml_context_ptr context = make_context(1 << 20);
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), 512, true);

 private:
  ggml_backend_buffer_ptr leafs_buffer_, buffer_;
  ggml_gallocr_ptr allocator_;
  std::vector<std::pair<ggml_tensor*, std::vector<float>>> values_;
  std::vector<std::pair<ggml_tensor*, std::vector<std::int32_t>>> integers_;
};

}  // namespace graphs
