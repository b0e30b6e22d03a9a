#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// The structs of DLPack 1.x, as its header has them.
namespace newer {

enum DLDeviceType : std::int32_t { kDLCPU = 1, kDLCUDA = 2, kDLCUDAHost = 3, kDLROCMHost = 11, kDLCUDAManaged = 13 };

struct DLDevice {
  DLDeviceType device_type;
  std::int32_t device_id;
};

struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};

struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};

struct DLPackVersion {
  std::uint32_t major, minor;
};

struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  DLTensor dl_tensor;
};

}  // namespace newer

enum dtype_code : std::uint8_t {
  int_code = 0,
  uint_code = 1,
  float_code = 2,
  bfloat_code = 4,
  complex_code = 5,
  bool_code = 6
};

/// A tensor with its shape and strides, on the CPU.
template <class Tensor = newer::DLTensor>
struct tensor_of {
  std::vector<std::int64_t> shape, strides;
  Tensor tensor{};

  tensor_of(void* data, dtype_code code, std::size_t bits, std::vector<std::int64_t> dimensions,
            std::vector<std::int64_t> steps = {})
      : shape{std::move(dimensions)}, strides{std::move(steps)} {
    tensor.data = data;
    tensor.device = {static_cast<decltype(tensor.device.device_type)>(1), 0};
    tensor.ndim = static_cast<int>(shape.size());
    tensor.dtype = {code, static_cast<std::uint8_t>(bits), 1};
    tensor.shape = shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
  }
  tensor_of(tensor_of const&) = delete;
  tensor_of& operator=(tensor_of const&) = delete;
};
