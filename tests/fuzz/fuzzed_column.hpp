#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/column.hpp>
#include <vector>

#include "fuzz_input.hpp"

/// Memory for values that lie a stride apart, of exactly the bytes that they span. What lies between them is noticed when
/// it changes.
class strided_memory {
 public:
  strided_memory() = default;
  strided_memory(std::size_t size, std::ptrdiff_t stride, std::size_t value_bytes)
      : size_{size},
        stride_{stride},
        value_bytes_{value_bytes},
        bytes_{size == 0 ? 0
                         : ((size - 1) * static_cast<std::size_t>(stride < 0 ? -stride : stride) + 1) * value_bytes},
        memory_{new unsigned char[bytes_]} {
    std::memset(memory_.get(), 0xa5, bytes_);
  }

  [[nodiscard]] std::ptrdiff_t stride() const noexcept { return stride_; }
  [[nodiscard]] void* first() const noexcept {
    return size_ != 0 && stride_ < 0 ? memory_.get() + bytes_ - value_bytes_ : memory_.get();
  }
  [[nodiscard]] unsigned char* at(std::size_t index) const noexcept {
    return static_cast<unsigned char*>(first()) +
           static_cast<std::ptrdiff_t>(index) * stride_ * static_cast<std::ptrdiff_t>(value_bytes_);
  }

  [[nodiscard]] bool has_whole_gaps() const noexcept {
    auto const apart = static_cast<std::size_t>(stride_ < 0 ? -stride_ : stride_) * value_bytes_;
    for (std::size_t i = 0; apart != 0 && i < bytes_; ++i) {
      if (i % apart >= value_bytes_ && memory_.get()[i] != 0xa5) return false;
    }
    return true;
  }

 private:
  std::size_t size_ = 0;
  std::ptrdiff_t stride_ = 1;
  std::size_t value_bytes_ = 1, bytes_ = 0;
  std::shared_ptr<unsigned char[]> memory_{};
};

/// A column of some type and stride, and the values that it has.
template <class T>
class fuzzed_column {
 public:
  fuzzed_column() = default;

  /// The values are rounded to the type that they are stored in, and one may stand for all; but not if they must be exact.
  fuzzed_column(fuzz_input& in, std::vector<T> values, bool is_exact) : values_{std::move(values)}, is_given_{true} {
    constexpr std::ptrdiff_t strides[]{1, 1, 1, 2, -1, -3, 5, 0};
    std::ptrdiff_t const stride = strides[in.below(std::size(strides) - (is_exact ? 1 : 0))];
    if (is_exact) {
      store<T>(stride);
      return;
    }
    if (stride == 0 && !values_.empty()) values_.assign(values_.size(), values_[0]);
    switch (in.below(8)) {
      case 0:
        store<float>(stride);
        break;
      case 1:
        store<prefopt::bfloat16>(stride);
        break;
      case 2:
        store<prefopt::float16>(stride);
        break;
      case 3:
        for (T const value : values_) is_whole_ = is_whole_ && std::fabs(value) < 1e6 && value == std::trunc(value);
        is_whole_ ? store<std::int32_t>(stride) : store<T>(stride);
        break;
      default:
        store<T>(stride);
    }
  }

  [[nodiscard]] bool is_given() const noexcept { return is_given_; }
  [[nodiscard]] std::vector<T> const& values() const noexcept { return values_; }
  [[nodiscard]] prefopt::column<T> const& view() const noexcept { return view_; }
  /// Where outputs may be, too.
  [[nodiscard]] strided_memory const* memory() const noexcept {
    return is_of_own_type_ && memory_.stride() != 0 ? &memory_ : nullptr;
  }

 private:
  template <class U>
  void store(std::ptrdiff_t stride) {
    memory_ = {values_.size(), stride, sizeof(U)};
    is_of_own_type_ = std::is_same_v<U, T>;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      U stored{};
      if constexpr (std::is_class_v<U>) {
        stored = U(static_cast<float>(values_[i]));
        values_[i] = static_cast<T>(static_cast<float>(stored));
      } else {
        stored = static_cast<U>(values_[i]);
        values_[i] = static_cast<T>(stored);
      }
      std::memcpy(memory_.at(i), &stored, sizeof stored);
    }
    view_ = prefopt::column<T>{static_cast<U const*>(memory_.first()), values_.size(), stride};
  }

  std::vector<T> values_;
  strided_memory memory_;
  prefopt::column<T> view_;
  bool is_given_ = false, is_of_own_type_ = false, is_whole_ = true;
};

/// An output of some stride, in memory of its own or in a column's, and what stood there before.
template <class T>
class fuzzed_output {
 public:
  fuzzed_output() = default;

  fuzzed_output(fuzz_input& in, std::size_t size) {
    constexpr std::ptrdiff_t strides[]{1, 1, 1, 2, -1, -3};
    memory_ = {size, strides[in.below(std::size(strides))], sizeof(T)};
    for (std::size_t i = 0; i < size; ++i) {
      T const value = static_cast<T>(in.finite(100));
      std::memcpy(memory_.at(i), &value, sizeof value);
    }
    look(size);
  }
  fuzzed_output(strided_memory const& of_column, std::size_t size) : memory_{of_column} { look(size); }

  [[nodiscard]] prefopt::output<T> const& view() const noexcept { return view_; }
  [[nodiscard]] std::vector<T> const& before() const noexcept { return before_; }
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> now(before_.size());
    for (std::size_t i = 0; i < now.size(); ++i) std::memcpy(&now[i], memory_.at(i), sizeof(T));
    return now;
  }
  [[nodiscard]] bool is_untouched() const {
    return memory_.has_whole_gaps() &&
           (before_.empty() || std::memcmp(values().data(), before_.data(), before_.size() * sizeof(T)) == 0);
  }
  [[nodiscard]] bool has_whole_gaps() const noexcept { return memory_.has_whole_gaps(); }

 private:
  void look(std::size_t size) {
    before_.resize(size);
    before_ = values();
    view_ = prefopt::output<T>{static_cast<T*>(memory_.first()), size, memory_.stride()};
  }

  strided_memory memory_;
  std::vector<T> before_;
  prefopt::output<T> view_;
};
