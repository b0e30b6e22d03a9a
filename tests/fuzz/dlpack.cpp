// Tensors of DLPack whose every member may be anything, as columns, outputs, matrices and rows.
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/adapter/dlpack.hpp>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "adapter/tensors.hpp"
#include "fuzz_input.hpp"

namespace {

constexpr std::size_t memory_bytes = 4096;

/// A tensor over memory of its own.
struct fuzzed_tensor {
  alignas(64) std::array<unsigned char, memory_bytes> memory;
  std::vector<std::int64_t> shape, strides;
  newer::DLManagedTensorVersioned managed{};

  explicit fuzzed_tensor(fuzz_input& in) {
    for (std::size_t i = 0; i < memory_bytes; ++i) memory[i] = static_cast<unsigned char>(i * 29);
    bool const is_wild = in.one_in(3);
    auto const number = [&](std::int64_t low, std::size_t count) {
      if (is_wild && in.one_in(3))
        return static_cast<std::int64_t>(in.one_in(2) ? in.bits(8) : std::uint64_t{1} << in.below(64));
      return low + static_cast<std::int64_t>(in.below(count));
    };
    auto& tensor = managed.dl_tensor;
    std::size_t const dimensions = in.below(5);
    for (std::size_t d = 0; d < dimensions; ++d) {
      shape.push_back(number(0, 6));
      strides.push_back(number(-8, 24));
    }
    constexpr std::uint8_t codes[]{0, 1, 2, 4, 6}, widths[]{8, 16, 32, 64};
    managed.version = {in.one_in(8) ? static_cast<std::uint32_t>(in.bits(4)) : 1,
                       static_cast<std::uint32_t>(in.bits(1))};
    managed.flags = in.one_in(8) ? in.bits(8) : 0;
    tensor.data = in.one_in(16) ? nullptr : memory.data() + (is_wild ? in.below(64) : 1024);
    tensor.device = {static_cast<newer::DLDeviceType>(in.one_in(12) ? static_cast<std::int32_t>(in.bits(1)) : 1), 0};
    tensor.ndim = in.one_in(24) ? -static_cast<std::int32_t>(in.below(9)) : static_cast<std::int32_t>(dimensions);
    tensor.dtype = {in.one_in(8) ? static_cast<std::uint8_t>(in.bits(1)) : codes[in.below(5)],
                    in.one_in(8) ? static_cast<std::uint8_t>(in.bits(1)) : widths[in.below(4)],
                    static_cast<std::uint16_t>(in.one_in(12) ? in.bits(2) : 1)};
    tensor.shape = in.one_in(16) ? nullptr : shape.data();
    tensor.strides = in.one_in(3) ? nullptr : strides.data();
    tensor.byte_offset = is_wild ? (in.one_in(2) ? in.bits(8) : 0 - in.below(4096)) : 8 * in.below(8);
  }

  /// Whether all of it lies in the memory: then it may be read. In 128 bits, that nothing overflows.
  [[nodiscard]] bool lies_inside() const {
    auto const& tensor = managed.dl_tensor;
    __extension__ using wide = __int128;
    wide low = reinterpret_cast<std::intptr_t>(tensor.data) - reinterpret_cast<std::intptr_t>(memory.data());
    low += static_cast<wide>(tensor.byte_offset);
    wide high = low, compact = 1;
    wide const bytes = tensor.dtype.bits / 8;
    for (int d = tensor.ndim; d-- > 0;) {
      wide const size = tensor.shape[d], stride = tensor.strides == nullptr ? compact : wide{tensor.strides[d]};
      compact *= size;
      if (size == 0) return true;
      if (compact > static_cast<wide>(memory_bytes)) return false;
      (stride < 0 ? low : high) += (size - 1) * stride * bytes;
    }
    return low >= 0 && high + bytes <= static_cast<wide>(memory_bytes);
  }
};

/// Views that are made are of memory that may be read, element for element; else std::invalid_argument says why not.
template <class Make>
void check(fuzzed_tensor const& of, Make const& make) {
  try {
    make(of.managed);
    make(of.managed.dl_tensor);
  } catch (std::invalid_argument const&) {
  }
}

template <class T>
double sum_of(prefopt::column<T> const& column) {
  double sum = 0;
  for (std::size_t i = 0; i < column.size(); ++i) sum += static_cast<double>(column[i]);
  return sum;
}

template <class T>
void run_as(fuzz_input& in) {
  fuzzed_tensor const tensor{in};
  check(tensor, [&](auto const& view) {
    auto const column = prefopt::dlpack_column<T>(view);
    if (tensor.lies_inside()) static_cast<void>(sum_of(column));
  });
  check(tensor, [&](auto const& view) {
    auto const matrix = prefopt::dlpack_matrix<T>(view);
    bool const is_read = tensor.lies_inside() && matrix.columns() != 0;
    for (std::size_t row = 0; is_read && row < matrix.rows(); ++row) static_cast<void>(sum_of(matrix[row]));
  });
  if constexpr (std::is_floating_point_v<T>) {
    check(tensor, [&](auto const& view) {
      auto const output = prefopt::dlpack_output<T>(view);
      if (!tensor.lies_inside()) return;
      // No element is another one's: what is written stays.
      for (std::size_t i = 0; i < output.size(); ++i) prefopt::detail::put(output, i, static_cast<double>(i));
      T buffer;
      for (std::size_t i = 0; i < output.size(); ++i) {
        promise(*output.block(i, 1, &buffer, true) == static_cast<T>(i), "elements of a dlpack_output share memory");
      }
    });
    check(tensor, [&](auto const& view) { static_cast<void>(prefopt::dlpack_output_matrix<T>(view)); });
    check(tensor, [&](auto const& view) {
      auto const rows = prefopt::dlpack_rows<T const>(view);
      bool const is_read = tensor.lies_inside() && rows.columns() != 0;
      double sum = 0;
      for (std::size_t row = 0; is_read && row < rows.rows(); ++row) {
        for (std::size_t i = 0; i < rows.columns(); ++i) sum += static_cast<double>(rows[row][i]);
      }
      promise(sum == sum || sum != sum, "");
    });
    check(tensor, [&](auto const& view) { static_cast<void>(prefopt::dlpack_rows<T>(view)); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz_input in{data, size};
  switch (in.below(3)) {
    case 0:
      run_as<float>(in);
      break;
    case 1:
      run_as<double>(in);
      break;
    default:
      run_as<std::int64_t>(in);
  }
  return 0;
}
