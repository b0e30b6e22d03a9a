// Tensors of DLPack as columns, outputs, matrices and rows.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <prefopt/adapter/dlpack.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/simpo.hpp>
#include <random>
#include <refusal.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <vector>
#include "tensors.hpp"

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#define HAS_DLPACK_HEADER
#endif

using namespace prefopt;

namespace {

static_assert(dlpack_tensor<newer::DLTensor> && dlpack_tensor<newer::DLManagedTensor> &&
              dlpack_tensor<newer::DLManagedTensorVersioned>);
static_assert(!dlpack_tensor<int> && !dlpack_tensor<newer::DLTensor*> && !dlpack_tensor<newer::DLDevice> &&
              !dlpack_tensor<std::vector<float>>);
#ifdef HAS_DLPACK_HEADER
static_assert(dlpack_tensor<DLTensor> && dlpack_tensor<DLManagedTensor>);
#endif

template <class T>
std::vector<double> values_of(column<T> const& column) {
  std::vector<double> values;
  for (std::size_t i = 0; i < column.size(); ++i) values.push_back(static_cast<double>(column[i]));
  return values;
}

template <class T>
std::vector<double> values_of(matrix<T> const& matrix) {
  std::vector<double> values;
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (double const value : values_of(matrix[row])) values.push_back(value);
  }
  return values;
}

constexpr bool read = false, written = true;

/// What a float32 tensor of these dimensions is refused for, or "no error".
std::string refused(std::vector<std::int64_t> shape, std::vector<std::int64_t> strides = {}, bool target = read) {
  static std::array<float, 64> memory{};
  tensor_of<> const made{memory.data() + 32, float_code, 32, std::move(shape), std::move(strides)};
  return refusal([&] {
    if (target) {
      static_cast<void>(dlpack_output<float>(made.tensor));
    } else {
      static_cast<void>(dlpack_column<float>(made.tensor));
    }
  });
}

}  // namespace

TEMPLATE_TEST_CASE("a tensor of each version of the struct is the same column", "", newer::DLTensor
#ifdef HAS_DLPACK_HEADER
                   ,
                   DLTensor
#endif
) {
  std::vector<float> memory{1, 2, 3, 4, 5, 6};
  tensor_of<TestType> made{memory.data(), float_code, 32, {3}, {2}};
  CHECK(values_of(dlpack_column<float>(made.tensor)) == std::vector<double>{1, 3, 5});
  made.tensor.byte_offset = 4;
  CHECK(values_of(dlpack_column<float>(made.tensor)) == std::vector<double>{2, 4, 6});
  CHECK(values_of(dlpack_column<double>(made.tensor)) == std::vector<double>{2, 4, 6});
  dlpack_output<float>(made.tensor).commit(0, 3, std::vector<float>{7, 8, 9}.data());
  CHECK(memory == std::vector<float>{1, 7, 3, 8, 5, 9});
}

#ifdef HAS_DLPACK_HEADER
TEST_CASE("a managed tensor of the installed header") {
  std::vector<double> memory{1, 2, 3};
  tensor_of<DLTensor> made{memory.data(), float_code, 64, {3}};
  DLManagedTensor const managed{made.tensor, nullptr, nullptr};
  CHECK(dlpack_column<double>(managed).in_place() == memory.data());
  CHECK(dlpack_output<double>(managed).in_place() == memory.data());
}
#endif

TEST_CASE("a versioned tensor: its flags and its version") {
  std::vector<float> memory{1, 2, 3, 4};
  tensor_of<> made{memory.data(), float_code, 32, {2, 2}};
  newer::DLManagedTensorVersioned managed{{1, 3}, nullptr, nullptr, 0, made.tensor};
  CHECK(dlpack_column<float>(managed).in_place() == memory.data());
  CHECK(dlpack_rows<float>(managed).data() == memory.data());
  // Copied, and what later versions may add: nothing to refuse.
  managed.flags = ~std::uint64_t{1};
  CHECK(dlpack_output<float>(managed).in_place() == memory.data());

  managed.flags = 1;
  CHECK(dlpack_column<float>(managed).size() == 4);
  CHECK(dlpack_matrix<float>(managed).rows() == 2);
  CHECK(dlpack_rows<float const>(managed).rows() == 2);
  std::string const read_only = ": the tensor is read-only, expected one that may be written to";
  CHECK(refusal([&] { static_cast<void>(dlpack_output<float>(managed)); }) == "prefopt::dlpack_output" + read_only);
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<float>(managed)); }) == "prefopt::dlpack_rows" + read_only);
  CHECK(refusal([&] { static_cast<void>(dlpack_output_matrix<float>(managed)); }) ==
        "prefopt::dlpack_output_matrix" + read_only);

  // Nothing else of such a tensor may be looked at.
  managed.version = {2, 0};
  managed.dl_tensor.shape = reinterpret_cast<std::int64_t*>(16);
  CHECK(refusal([&] { static_cast<void>(dlpack_column<float>(managed)); }) ==
        "prefopt::dlpack_column: the tensor is of DLPack version 2.0, expected 1.x");
  managed.version = {0, 9};
  CHECK(refusal([&] { static_cast<void>(dlpack_column<float>(managed)); }) ==
        "prefopt::dlpack_column: the tensor is of DLPack version 0.9, expected 1.x");

  newer::DLManagedTensor const legacy{made.tensor, nullptr, nullptr};
  CHECK(dlpack_output<float>(legacy).in_place() == memory.data());
}

namespace {

/// The same three numbers in every type that a column may be made from.
template <class U>
void check_dtype(dtype_code code, std::vector<double> const& numbers) {
  std::vector<U> memory;
  for (double const number : numbers) {
    if constexpr (std::is_class_v<U>) {
      memory.emplace_back(static_cast<float>(number));
    } else {
      memory.push_back(static_cast<U>(number));
    }
  }
  auto const size = static_cast<std::int64_t>(numbers.size());
  tensor_of<> const made{memory.data(), code, 8 * sizeof(U), {size}},
      reversed{memory.data() + size - 1, code, 8 * sizeof(U), {size}, {-1}},
      square{memory.data(), code, 8 * sizeof(U), {size, 1}};
  std::vector<double> const backwards(numbers.rbegin(), numbers.rend());
  CAPTURE(int{code}, sizeof(U));
  CHECK(values_of(dlpack_column<double>(made.tensor)) == numbers);
  CHECK(values_of(dlpack_column<double>(reversed.tensor)) == backwards);
  CHECK(values_of(dlpack_matrix<double>(square.tensor)) == numbers);
  if constexpr (std::is_same_v<U, double>) {
    CHECK(refusal([&] { static_cast<void>(dlpack_column<float>(made.tensor)); }) ==
          "prefopt::dlpack_column: dtype is float64, expected float16, bfloat16, float32, int or uint of 8 to 64 bits "
          "or bool");
  } else {
    CHECK(values_of(dlpack_column<float>(made.tensor)) == numbers);
  }
  if constexpr (std::integral<U>) {
    CHECK(values_of(dlpack_column<std::int64_t>(reversed.tensor)) == backwards);
  } else {
    CHECK(refusal([&] {
            static_cast<void>(dlpack_column<std::int64_t>(made.tensor));
          }).ends_with("expected int or uint of 8 to 64 bits or bool"));
  }
}

}  // namespace

TEST_CASE("every dtype that a column may be made from") {
  check_dtype<double>(float_code, {-1.5, 0, 1e300});
  check_dtype<float>(float_code, {-1.5, 0, 3});
  check_dtype<float16>(float_code, {-1.5, 0, 2048});
  check_dtype<bfloat16>(bfloat_code, {-1.5, 0, 256});
  check_dtype<std::int8_t>(int_code, {-128, 0, 127});
  check_dtype<std::int16_t>(int_code, {-32768, 0, 32767});
  check_dtype<std::int32_t>(int_code, {-100000, 0, 100000});
  check_dtype<std::int64_t>(int_code, {-100000, 0, 100000});
  check_dtype<std::uint8_t>(uint_code, {0, 128, 255});
  check_dtype<std::uint16_t>(uint_code, {0, 32768, 65535});
  check_dtype<std::uint32_t>(uint_code, {0, 1, 8388608});
  check_dtype<std::uint64_t>(uint_code, {0, 1, 8388608});
  check_dtype<std::uint8_t>(bool_code, {0, 1, 1});
}

TEST_CASE("every other dtype is refused by its name") {
  std::array<double, 4> memory{};
  auto const refused_dtype = [&](unsigned code, unsigned bits, unsigned lanes) {
    tensor_of<> made{memory.data(), static_cast<dtype_code>(code), bits, {1}};
    made.tensor.dtype.lanes = static_cast<std::uint16_t>(lanes);
    auto const text = refusal([&] { static_cast<void>(dlpack_column<double>(made.tensor)); });
    std::string const begin = "prefopt::dlpack_column: dtype is ";
    REQUIRE(text.starts_with(begin));
    return text.substr(begin.size(), text.find(", expected") - begin.size());
  };
  CHECK(refused_dtype(complex_code, 64, 1) == "complex64");
  CHECK(refused_dtype(float_code, 128, 1) == "float128");
  CHECK(refused_dtype(float_code, 8, 1) == "float8");
  CHECK(refused_dtype(bfloat_code, 32, 1) == "bfloat32");
  CHECK(refused_dtype(int_code, 4, 1) == "int4");
  CHECK(refused_dtype(bool_code, 1, 1) == "bool of bits 1");
  CHECK(refused_dtype(3, 64, 1) == "code 3 of bits 64");
  CHECK(refused_dtype(10, 8, 1) == "code 10 of bits 8");
  CHECK(refused_dtype(float_code, 32, 4) == "float32 in 4 lanes");
  CHECK(refused_dtype(float_code, 32, 0) == "float32 in 0 lanes");

  // A target is of the very type.
  tensor_of<> const narrow{memory.data(), float_code, 32, {2, 2}}, halves{memory.data(), float_code, 16, {2, 2}};
  CHECK(refusal([&] { static_cast<void>(dlpack_output<double>(narrow.tensor)); }) ==
        "prefopt::dlpack_output: dtype is float32, expected float64");
  CHECK(refusal([&] { static_cast<void>(dlpack_output_matrix<float>(halves.tensor)); }) ==
        "prefopt::dlpack_output_matrix: dtype is float16, expected float32");
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<bfloat16 const>(halves.tensor)); }) ==
        "prefopt::dlpack_rows: dtype is float16, expected bfloat16");
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<double const>(narrow.tensor)); }) ==
        "prefopt::dlpack_rows: dtype is float32, expected float64");
}

TEST_CASE("memory of the CPU only") {
  std::array<float, 2> memory{1, 2};
  tensor_of<> made{memory.data(), float_code, 32, {2}};
  auto const refused_device = [&](int device, int id) {
    made.tensor.device = {static_cast<newer::DLDeviceType>(device), id};
    return refusal([&] { static_cast<void>(dlpack_column<float>(made.tensor)); });
  };
  for (int const host : {1, 3, 11}) CHECK(refused_device(host, 0) == "no error");
  std::string const expected = "), expected memory of the CPU, or that CUDA or ROCm pinned for it";
  CHECK(refused_device(2, 1) == "prefopt::dlpack_column: the tensor lies on a CUDA device (id 1" + expected);
  CHECK(refused_device(13, 0) == "prefopt::dlpack_column: the tensor lies on CUDA managed memory (id 0" + expected);
  CHECK(refused_device(8, 0) == "prefopt::dlpack_column: the tensor lies on a Metal device (id 0" + expected);
  CHECK(refused_device(0, 0) == "prefopt::dlpack_column: the tensor lies on a device of type 0 (id 0" + expected);
  CHECK(refused_device(99, -1) == "prefopt::dlpack_column: the tensor lies on a device of type 99 (id -1" + expected);
}

TEST_CASE("shapes and strides of a column") {
  std::vector<float> memory(24);
  std::iota(memory.begin(), memory.end(), 0.0F);
  auto const column_of = [&](std::size_t first, std::vector<std::int64_t> shape,
                             std::vector<std::int64_t> strides = {}) {
    tensor_of<> const made{memory.data() + first, float_code, 32, std::move(shape), std::move(strides)};
    return values_of(dlpack_column<float>(made.tensor));
  };
  using numbers = std::vector<double>;
  CHECK(column_of(0, {3}, {0}) == numbers{0, 0, 0});
  CHECK(column_of(10, {3}, {-5}) == numbers{10, 5, 0});
  // A scalar; a stride that leads nowhere.
  CHECK(column_of(7, {}) == numbers{7});
  CHECK(column_of(7, {1}, {1'000'000}) == numbers{7});
  CHECK(column_of(0, {3, 1}, {2, 77}) == numbers{0, 2, 4});
  CHECK(column_of(0, {1, 3}, {77, 2}) == numbers{0, 2, 4});
  CHECK(column_of(0, {2, 3}) == numbers{0, 1, 2, 3, 4, 5});
  CHECK(column_of(1, {2, 1, 2}, {4, 9, 2}) == numbers{1, 3, 5, 7});
  CHECK(column_of(5, {2, 3}, {-3, -1}) == numbers{5, 4, 3, 2, 1, 0});
  CHECK(column_of(3, {2, 2}, {0, 0}) == numbers{3, 3, 3, 3});

  // A stride of one element is no stride: the numbers are read where they lie.
  tensor_of<> const one{memory.data(), float_code, 32, {1}, {5}};
  CHECK(dlpack_column<float>(one.tensor).in_place() == memory.data());
  CHECK(dlpack_output<float>(one.tensor).in_place() == memory.data());

  CHECK(refused({2, 3}, {4, 1}) ==
        "prefopt::dlpack_column: shape is [2, 3] with strides [4, 1], expected strides that make one of dimensions 0 "
        "to 1");
  CHECK(refused({3, 2}, {1, 3}) ==
        "prefopt::dlpack_column: shape is [3, 2] with strides [1, 3], expected strides that make one of dimensions 0 "
        "to 1");
  CHECK(refused({2, 2}, {0, 1}) ==
        "prefopt::dlpack_column: shape is [2, 2] with strides [0, 1], expected strides that make one of dimensions 0 "
        "to 1");
  CHECK(refused({2, -1}) == "prefopt::dlpack_column: shape is [2, -1], expected numbers >= 0");
  CHECK(refused({1LL << 40, 1LL << 40}) ==
        "prefopt::dlpack_column: shape is [1099511627776, 1099511627776], expected one that fits into memory");
  auto const largest = std::numeric_limits<std::int64_t>::max();
  CHECK(refused({largest, largest, largest}).ends_with("expected one that fits into memory"));
}

TEST_CASE("a tensor that contradicts itself") {
  std::array<float, 4> memory{};
  tensor_of<> made{memory.data(), float_code, 32, {4}};
  auto const refused_now = [&] { return refusal([&] { static_cast<void>(dlpack_column<float>(made.tensor)); }); };
  made.tensor.ndim = -1;
  CHECK(refused_now() == "prefopt::dlpack_column: ndim is -1, expected 0 or more");
  made.tensor.ndim = 1;
  made.tensor.shape = nullptr;
  CHECK(refused_now() == "prefopt::dlpack_column: shape is null, expected 1 numbers");
  made.tensor.shape = made.shape.data();
  made.tensor.data = nullptr;
  CHECK(refused_now() == "prefopt::dlpack_column: data is null, the shape is [4]");
  made.tensor.byte_offset = 4;
  CHECK(refused_now() == "prefopt::dlpack_column: data is null, the shape is [4]");
}

TEST_CASE("elements that are not aligned are refused, whatever the offset is made of") {
  alignas(8) std::array<unsigned char, 64> memory{};
  tensor_of<> floats{memory.data() + 2, float_code, 32, {2}}, doubles{memory.data(), float_code, 64, {2, 2}},
      bytes{memory.data() + 3, uint_code, 8, {2}};
  CHECK(refusal([&] { static_cast<void>(dlpack_column<float>(floats.tensor)); }) ==
        "prefopt::dlpack_column: data + byte_offset lies 2 bytes behind a multiple of 4, expected an aligned float32");
  floats.tensor.byte_offset = 2;
  CHECK(dlpack_column<float>(floats.tensor).size() == 2);
  doubles.tensor.byte_offset = 12;
  if (alignof(double) == 8) {
    CHECK(refusal([&] { static_cast<void>(dlpack_rows<double>(doubles.tensor)); }) ==
          "prefopt::dlpack_rows: data + byte_offset lies 4 bytes behind a multiple of 8, expected an aligned float64");
  }
  CHECK(dlpack_column<float>(bytes.tensor).size() == 2);
}

TEST_CASE("offsets and strides that lead beyond all addresses are refused") {
  std::array<float, 6> memory{};
  tensor_of<> numbers{memory.data(), float_code, 32, {2, 3}};
  auto const refused = [&] { return refusal([&] { static_cast<void>(dlpack_rows<float>(numbers.tensor)); }); };
  auto const largest = std::numeric_limits<std::uint64_t>::max();
  for (std::uint64_t const offset :
       {largest, largest - 3, largest - reinterpret_cast<std::uintptr_t>(memory.data()) + 1}) {
    numbers.tensor.byte_offset = offset;
    CHECK(refused() ==
          "prefopt::dlpack_rows: byte_offset is " + std::to_string(offset) + ", which lies beyond all addresses");
  }
  numbers.tensor.byte_offset = 0;
  std::int64_t const far = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t const stride : {far, far / 8 + 1, -far - 1}) {
    std::array<std::int64_t, 2> strides{stride, 1};
    numbers.tensor.strides = strides.data();
    CHECK(refused() == "prefopt::dlpack_rows: shape is [2, 3] with strides [" + std::to_string(stride) +
                           ", 1], expected one that fits into memory");
  }
  // As far as it goes, and where a stride leads nowhere.
  for (auto const& [shape, stride] : {std::pair<std::int64_t, std::int64_t>{2, far / 8}, {3, far / 16}, {1, far}}) {
    tensor_of<> const wide{memory.data(), float_code, 32, {shape}, {stride}};
    CHECK(dlpack_column<float>(wide.tensor).size() == static_cast<std::size_t>(shape));
  }
}

TEST_CASE("empty tensors are empty, with or without memory and strides") {
  float number = 0;
  for (void* const data : {static_cast<void*>(nullptr), static_cast<void*>(&number),
                           static_cast<void*>(reinterpret_cast<char*>(&number) + 1)}) {
    for (auto const& strides : {std::vector<std::int64_t>{}, {1, 1, 1}, {0, 0, 0}, {9, -4, 7}}) {
      for (auto const& shape : {std::vector<std::int64_t>{0, 2, 3}, {2, 0, 3}, {2, 3, 0}, {0, 0, 0}}) {
        tensor_of<> const made{data, float_code, 32, shape, strides};
        CHECK(dlpack_column<float>(made.tensor).empty());
        CHECK(dlpack_column<double>(made.tensor).empty());
        CHECK(dlpack_column<double>(made.tensor).is_given());
        CHECK(dlpack_output<float>(made.tensor).empty());
        auto const size_of = [](auto const& of) { return std::pair{of.rows(), of.columns()}; };
        std::pair const expected{static_cast<std::size_t>(shape[0] * shape[1]), static_cast<std::size_t>(shape[2])};
        CHECK(size_of(dlpack_matrix<float>(made.tensor)) == expected);
        CHECK(size_of(dlpack_output_matrix<float>(made.tensor)) == expected);
        CHECK(size_of(dlpack_rows<float>(made.tensor)) == expected);
      }
    }
  }
  // Of another type or device it is still refused: the next batch will not be empty.
  tensor_of<> made{nullptr, float_code, 64, {0}};
  CHECK(refusal([&] { static_cast<void>(dlpack_column<float>(made.tensor)); }).find("float64") != std::string::npos);
  made.tensor.device.device_type = newer::kDLCUDA;
  CHECK(refusal([&] { static_cast<void>(dlpack_column<double>(made.tensor)); }).find("CUDA") != std::string::npos);
}

TEST_CASE("a target's elements share no memory") {
  CHECK(
      refused({3}, {0}, written) ==
      "prefopt::dlpack_output: shape is [3] with strides [0], expected dimensions that nest, so that no elements share "
      "memory");
  CHECK(refused({1}, {0}, written) == "no error");
  CHECK(refused({3}, {-2}, written) == "no error");
  CHECK(refused({2, 2}, {0, 0}, written).ends_with("share memory"));

  std::vector<float> memory(400);
  std::mt19937 engine{5};
  int accepted = 0, turned_down = 0;
  for (int i = 0; i < 4000; ++i) {
    auto const below = [&](unsigned limit) { return static_cast<std::int64_t>(engine() % limit); };
    std::vector<std::int64_t> const shape{1 + below(4), 1 + below(4)}, strides{below(19) - 9, below(19) - 9};
    tensor_of<> const made{memory.data() + 200, float_code, 32, shape, strides};
    std::multiset<std::int64_t> elements;
    for (std::int64_t row = 0; row < shape[0]; ++row) {
      for (std::int64_t column = 0; column < shape[1]; ++column) {
        elements.insert(row * strides[0] + column * strides[1]);
      }
    }
    bool const distinct = std::set<std::int64_t>(elements.begin(), elements.end()).size() == elements.size();
    auto const result = refusal([&] {
      auto const target = dlpack_output_matrix<float>(made.tensor);
      for (std::int64_t row = 0; row < shape[0]; ++row) {
        for (std::int64_t column = 0; column < shape[1]; ++column) {
          auto const at = target[static_cast<std::size_t>(row)];
          float const value = static_cast<float>(row * 10 + column);
          at.commit(static_cast<std::size_t>(column), 1, &value);
          if (at.in_place() != nullptr) at.in_place()[column] = value;
        }
      }
      for (std::int64_t row = 0; row < shape[0]; ++row) {
        for (std::int64_t column = 0; column < shape[1]; ++column) {
          REQUIRE(memory[static_cast<std::size_t>(200 + row * strides[0] + column * strides[1])] ==
                  static_cast<float>(row * 10 + column));
        }
      }
    });
    if (result == "no error") {
      REQUIRE(distinct);
      ++accepted;
    } else {
      // Row by row or column by column, one after the other, would have been accepted.
      bool const rows_nest = std::abs(strides[0]) > (shape[1] - 1) * std::abs(strides[1]) && strides[1] != 0;
      bool const columns_nest = std::abs(strides[1]) > (shape[0] - 1) * std::abs(strides[0]) && strides[0] != 0;
      CAPTURE(shape, strides, result);
      REQUIRE_FALSE((rows_nest || columns_nest));
      ++turned_down;
    }
  }
  CHECK(accepted > 1000);
  CHECK(turned_down > 500);
}

TEST_CASE("matrices of any strides and more dimensions are their elements") {
  std::vector<double> memory(4000);
  std::iota(memory.begin(), memory.end(), 0.0);
  std::mt19937 engine{3};
  int merged = 0;
  for (int i = 0; i < 3000; ++i) {
    auto const below = [&](unsigned limit) { return static_cast<std::int64_t>(engine() % limit); };
    std::vector<std::int64_t> const shape{1 + below(3), 1 + below(3), 1 + below(3)};
    std::vector<std::int64_t> strides{below(40) - 20, below(20) - 10, below(12) - 6};
    if (i % 2 == 0) strides[0] = strides[1] * shape[1];
    tensor_of<> made{memory.data(), float_code, 64, shape, strides};
    made.tensor.byte_offset = 2000 * sizeof(double);
    std::vector<double> expected;
    for (std::int64_t a = 0; a < shape[0]; ++a) {
      for (std::int64_t b = 0; b < shape[1]; ++b) {
        for (std::int64_t c = 0; c < shape[2]; ++c) {
          expected.push_back(static_cast<double>(2000 + a * strides[0] + b * strides[1] + c * strides[2]));
        }
      }
    }
    bool const leads_through = shape[0] == 1 || shape[1] == 1 || strides[0] == strides[1] * shape[1];
    auto const text = refusal([&] {
      auto const dense = dlpack_matrix<double>(made.tensor);
      REQUIRE(dense.rows() == static_cast<std::size_t>(shape[0] * shape[1]));
      REQUIRE(values_of(dense) == expected);
    });
    REQUIRE((text == "no error") == leads_through);
    merged += leads_through;
    auto const rows = refusal([&] {
      auto const contiguous = dlpack_rows<double const>(made.tensor);
      std::size_t at = 0;
      for (std::size_t row = 0; row < contiguous.rows(); ++row) {
        for (std::size_t c = 0; c < contiguous.columns(); ++c) REQUIRE(contiguous[row][c] == expected[at++]);
      }
    });
    REQUIRE((rows == "no error") == (leads_through && (shape[2] == 1 || strides[2] == 1)));
  }
  CHECK(merged > 1500);
  tensor_of<> const flat{memory.data(), float_code, 64, {4}}, turned{memory.data(), float_code, 64, {2, 3}, {1, 2}};
  CHECK(refusal([&] { static_cast<void>(dlpack_matrix<double>(flat.tensor)); }) ==
        "prefopt::dlpack_matrix: shape is [4], expected two dimensions or more");
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<double const>(flat.tensor)); }) ==
        "prefopt::dlpack_rows: shape is [4], expected two dimensions or more");
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<double const>(turned.tensor)); }) ==
        "prefopt::dlpack_rows: the last dimension has a stride of 2, expected 1: rows that are contiguous");
  // Rows that are all the same memory are read, not written.
  tensor_of<> const repeated{memory.data(), float_code, 64, {3, 4}, {0, 1}};
  CHECK(dlpack_rows<double const>(repeated.tensor)[2] == memory.data());
  CHECK(refusal([&] { static_cast<void>(dlpack_rows<double>(repeated.tensor)); }).ends_with("share memory"));
}

TEST_CASE("a loss over tensors gives the bits of the same loss over vectors") {
  constexpr std::size_t n = 301;
  std::mt19937 engine{2};
  std::normal_distribution<float> normal{-20, 3};
  std::vector<float> both(2 * n), chosen, rejected;
  for (float& value : both) value = normal(engine);
  for (std::size_t i = 0; i < n; ++i) {
    chosen.push_back(both[2 * i]);
    rejected.push_back(both[2 * i + 1]);
  }
  std::vector<std::int32_t> lengths(n, 7);
  std::vector<std::uint8_t> bytes(n, 9);
  auto const size = static_cast<std::int64_t>(n);
  tensor_of<> const better{both.data(), float_code, 32, {size}, {2}},
      worse{both.data() + 1, float_code, 32, {size, 1}, {2, 1}}, seven{lengths.data(), int_code, 32, {size}},
      nine{bytes.data(), uint_code, 8, {size}};
  std::vector<float> expected(n), gradients(2 * n, 42.0F);
  evaluate(
      simpo{},
      pair_batch<float>{.chosen = chosen, .rejected = rejected, .chosen_length = lengths, .rejected_length = bytes},
      {.d_rejected = expected});
  tensor_of<> const target{gradients.data(), float_code, 32, {size}, {2}};
  evaluate(simpo{},
           pair_batch<float>{.chosen = dlpack_column<float>(better.tensor),
                             .rejected = dlpack_column<float>(worse.tensor),
                             .chosen_length = dlpack_column<float>(seven.tensor),
                             .rejected_length = dlpack_column<float>(nine.tensor)},
           {.d_rejected = dlpack_output<float>(target.tensor)});
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(gradients[2 * i] == expected[i]);
    REQUIRE(gradients[2 * i + 1] == 42.0F);
  }
}

TEMPLATE_TEST_CASE("logits of every type, [sequences, tokens, vocabulary]", "", float, double, bfloat16, float16) {
  constexpr std::size_t tokens = 6, vocabulary = 33;
  std::mt19937 engine{8};
  std::normal_distribution<float> normal{0, 2};
  std::vector<TestType> memory;
  for (std::size_t i = 0; i < tokens * vocabulary; ++i) memory.emplace_back(static_cast<TestType>(normal(engine)));
  std::vector<std::int32_t> ids{3, 0, 32, 8, -100, 1};
  auto const code = std::is_same_v<TestType, bfloat16> ? bfloat_code : float_code;
  tensor_of<> const logits{memory.data(), code, 8 * sizeof(TestType), {2, 3, vocabulary}},
      labels{ids.data(), int_code, 32, {2, 3}};
  using T = detail::computed_of<TestType>;
  std::vector<T> expected(tokens), got(tokens);
  token_logprobs(row_major<TestType const>{memory.data(), tokens, vocabulary}, ids, {.log_prob = expected},
                 {.ignore_index = -100});
  token_logprobs(dlpack_rows<TestType const>(logits.tensor), dlpack_column<std::int64_t>(labels.tensor),
                 {.log_prob = got}, {.ignore_index = -100});
  CHECK(got == expected);
  CHECK(got[0] < 0);
}
