#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

/// Tensors as ggml's, in memory that a program can only reach through the backend, as a graphics card's.
namespace fake {

enum class number { f32 = 0, f16 = 1, q8_0 = 8, i32 = 26, f64 = 28, bf16 = 30 };
enum class operation { none = 0, mul = 7, rms_norm = 25, mul_mat = 29, unary = 85 };

struct device_buffer {
  std::vector<std::byte> bytes;
  bool is_host = false;
  int reads = 0, writes = 0;
};

struct tensor {
  number type = number::f32;
  device_buffer* buffer = nullptr;
  std::int64_t ne[4] = {1, 1, 1, 1};
  std::size_t nb[4] = {4, 4, 4, 4};
  operation op = operation::none;
  std::int32_t op_params[4] = {};
  int flags = 0;
  tensor* src[3] = {};
  tensor* view_src = nullptr;
  void* data = nullptr;
  char name[64] = "";
};

inline char const* ggml_type_name(number type) {
  switch (type) {
    case number::q8_0:
      return "q8_0";
    case number::i32:
      return "i32";
    case number::f64:
      return "f64";
    case number::f16:
      return "f16";
    case number::bf16:
      return "bf16";
    default:
      return "f32";
  }
}

inline bool ggml_is_quantized(number type) { return type == number::q8_0; }

struct type_traits {
  void (*to_float)(void const* from, float* to, std::int64_t count) = nullptr;
};
inline type_traits const* ggml_get_type_traits(number) {
  static constexpr type_traits none{};
  return &none;
}

inline char const* ggml_op_name(operation op) {
  switch (op) {
    case operation::mul:
      return "MUL";
    case operation::rms_norm:
      return "RMS_NORM";
    case operation::mul_mat:
      return "MUL_MAT";
    case operation::unary:
      return "UNARY";
    default:
      return "NONE";
  }
}

/// The number of the operation, in its parameters.
enum class unary_operation { silu, gelu };
inline unary_operation ggml_get_unary_op(tensor const* of) { return static_cast<unary_operation>(of->op_params[0]); }
inline char const* ggml_unary_op_name(unary_operation op) { return op == unary_operation::silu ? "SILU" : "GELU"; }
inline unary_operation ggml_get_glu_op(tensor const* of) { return ggml_get_unary_op(of); }
inline char const* ggml_glu_op_name(unary_operation) { return "SWIGLU"; }

struct graph {
  std::vector<tensor*> nodes;
};
inline int ggml_graph_n_nodes(graph const* of) { return static_cast<int>(of->nodes.size()); }
inline tensor* ggml_graph_node(graph const* of, int i) { return of->nodes[static_cast<std::size_t>(i)]; }

inline std::size_t ggml_nbytes(tensor const* of) {
  std::size_t bytes = of->type == number::f64 ? 8 : of->type == number::f32 ? 4 : 2;
  for (int i = 0; i < 4; ++i) bytes += static_cast<std::size_t>(of->ne[i] - 1) * of->nb[i];
  return bytes;
}

inline bool ggml_backend_buffer_is_host(device_buffer const* buffer) { return buffer->is_host; }

/// A device's addresses mean nothing here: a tensor's data is only ever an offset into the buffer's bytes.
inline std::byte* device_bytes(tensor const* of) {
  auto* const buffer = of->view_src != nullptr ? of->view_src->buffer : of->buffer;
  return buffer->bytes.data() + (reinterpret_cast<std::uintptr_t>(of->data) - 0x1000);
}

inline void ggml_backend_tensor_get(tensor const* from, void* to, std::size_t offset, std::size_t size) {
  ++(from->view_src != nullptr ? from->view_src->buffer : from->buffer)->reads;
  std::memcpy(to, device_bytes(from) + offset, size);
}

inline void ggml_backend_tensor_set(tensor* to, void const* from, std::size_t offset, std::size_t size) {
  ++(to->view_src != nullptr ? to->view_src->buffer : to->buffer)->writes;
  std::memcpy(device_bytes(to) + offset, from, size);
}

}  // namespace fake
