#include "adapter_tensors.hpp"

#include <ggml-cpu.h>

#include <cstdint>
#include <span>

namespace {

/// ggml wants a buffer to begin at a multiple of its alignment; the tensors in it need not.
ggml_backend_buffer_ptr buffer_over(std::span<float> numbers) {
  auto const alignment = ggml_backend_buft_get_alignment(ggml_backend_cpu_buffer_type());
  auto* const first = reinterpret_cast<char*>(numbers.data());
  std::size_t const before = reinterpret_cast<std::uintptr_t>(first) % alignment;
  return ggml_backend_buffer_ptr{ggml_backend_cpu_buffer_from_ptr(first - before, before + numbers.size_bytes())};
}

}  // namespace

adapter_tensors::adapter_tensors(lora_adapter& adapter, std::size_t layers)
    : scale_{adapter.scale()},
      context_{ggml_init({.mem_size = 4 * adapter.matrices().size() * ggml_tensor_overhead(),
                          .mem_buffer = nullptr,
                          .no_alloc = true})},
      values_{buffer_over(adapter.values())},
      gradients_{buffer_over(adapter.gradients())},
      layers_(layers) {
  auto const place = [&](ggml_backend_buffer_ptr const& buffer, float* first, std::size_t columns, std::size_t rows) {
    auto* const tensor = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, static_cast<std::int64_t>(columns),
                                            static_cast<std::int64_t>(rows));
    ggml_backend_tensor_alloc(buffer.get(), tensor, first);
    return tensor;
  };
  std::size_t const rank = adapter.options().rank;
  for (auto const& matrix : adapter.matrices()) {
    auto& made = layers_[matrix.layer][static_cast<std::size_t>(matrix.matrix)];
    made.a = place(values_, adapter.values().data() + matrix.a, matrix.inputs, rank);
    made.b = place(values_, adapter.values().data() + matrix.b, rank, matrix.outputs);
    made.d_a = place(gradients_, adapter.gradients().data() + matrix.a, matrix.inputs, rank);
    made.d_b = place(gradients_, adapter.gradients().data() + matrix.b, rank, matrix.outputs);
    ggml_set_param(made.a);
    ggml_set_param(made.b);
  }
}

ggml_tensor* adapter_tensors::gradient_of(ggml_tensor const* parameter) const {
  for (auto const& layer : layers_) {
    for (auto const& matrix : layer) {
      if (matrix.a == parameter) return matrix.d_a;
      if (matrix.b == parameter) return matrix.d_b;
    }
  }
  return nullptr;
}
