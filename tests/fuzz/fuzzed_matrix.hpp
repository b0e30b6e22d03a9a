#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>
#include <vector>

#include "fuzz_input.hpp"

template <class U>
double as_double(U const& number) {
  if constexpr (std::is_class_v<U>) {
    return static_cast<double>(static_cast<float>(number));
  } else {
    return static_cast<double>(number);
  }
}

/// Half of the distance of 1 to the next number of a type, and its smallest number.
template <class U>
inline constexpr double unit_of = std::is_same_v<U, prefopt::bfloat16>  ? 0x1p-8
                                  : std::is_same_v<U, prefopt::float16> ? 0x1p-11
                                  : std::is_same_v<U, float>            ? 0x1p-24
                                                                        : 0x1p-53;
template <class U>
inline constexpr double smallest_of = std::is_same_v<U, double>             ? std::numeric_limits<double>::min()
                                      : std::is_same_v<U, prefopt::float16> ? 0x1p-24
                                                                            : 0x1p-126;

/// Rows that lie apart, or besides one above the other, or any way, over each other, too.
enum class layout { apart, upwards, any };

/// A matrix of some stride in memory of exactly the size that its rows span.
template <class U>
class fuzzed_matrix {
 public:
  fuzzed_matrix(fuzz_input& in, std::size_t rows, std::size_t columns, layout how) : rows_{rows}, columns_{columns} {
    auto const width = static_cast<std::ptrdiff_t>(columns);
    std::ptrdiff_t const gap = static_cast<std::ptrdiff_t>(in.below(4));
    stride_ = how != layout::upwards && in.one_in(4) ? -width - gap : width + gap;
    if (how == layout::any && in.one_in(8)) stride_ = static_cast<std::ptrdiff_t>(in.below(columns + 1));
    auto const apart = static_cast<std::size_t>(stride_ < 0 ? -stride_ : stride_);
    size_ = rows == 0 || columns == 0 ? 0 : (rows - 1) * apart + columns;
    allocate();
    for (std::size_t i = 0; i < size_; ++i) memory_[i] = mark();
    keep();
  }
  fuzzed_matrix(fuzzed_matrix const& other)
      : rows_{other.rows_}, columns_{other.columns_}, stride_{other.stride_}, size_{other.size_} {
    allocate();
    if (size_ != 0) std::memcpy(static_cast<void*>(memory_.get()), other.memory_.get(), size_ * sizeof(U));
    keep();
  }
  fuzzed_matrix& operator=(fuzzed_matrix const&) = delete;
  [[nodiscard]] fuzzed_matrix copy() const { return *this; }

  template <class Next>
  void fill(Next const& next) {
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::size_t i = 0; i < columns_; ++i) {
        double const number = next();
        if constexpr (std::is_class_v<U>) {
          at(row)[i] = U(static_cast<float>(number));
        } else {
          at(row)[i] = static_cast<U>(number);
        }
      }
    }
    keep();
  }

  [[nodiscard]] prefopt::row_major<U const> view() const { return {first(), rows_, columns_, stride_}; }
  [[nodiscard]] prefopt::row_major<U> writable() { return {first(), rows_, columns_, stride_}; }
  [[nodiscard]] std::vector<U> row(std::size_t index) const {
    return columns_ == 0 ? std::vector<U>{} : std::vector<U>(at(index), at(index) + columns_);
  }
  [[nodiscard]] bool is_apart() const {
    return rows_ < 2 || (stride_ < 0 ? -stride_ : stride_) >= static_cast<std::ptrdiff_t>(columns_);
  }

  [[nodiscard]] bool is_untouched() const {
    return size_ == 0 || std::memcmp(memory_.get(), before_.data(), size_ * sizeof(U)) == 0;
  }
  [[nodiscard]] bool equals(fuzzed_matrix const& other) const {
    return size_ == 0 || std::memcmp(memory_.get(), other.memory_.get(), size_ * sizeof(U)) == 0;
  }
  [[nodiscard]] bool has_whole_gaps() const {
    auto const apart = static_cast<std::size_t>(stride_ < 0 ? -stride_ : stride_);
    for (std::size_t i = 0; apart > columns_ && i < size_; ++i) {
      // Of rows that go down the gap is before each but the first, from the end of the memory on.
      if (i % apart >= columns_ && std::memcmp(&memory_[i], &marked_, sizeof(U)) != 0) return false;
    }
    return true;
  }
  /// The same bits, or both NaN, in every row, whatever the strides.
  [[nodiscard]] bool same_numbers(fuzzed_matrix const& other) const {
    for (std::size_t row_index = 0; row_index < rows_; ++row_index) {
      for (std::size_t i = 0; i < columns_; ++i) {
        U const a = at(row_index)[i], b = other.at(row_index)[i];
        if (std::memcmp(&a, &b, sizeof(U)) != 0 && !(as_double(a) != as_double(a) && as_double(b) != as_double(b)))
          return false;
      }
    }
    return true;
  }

 private:
  static U mark() {
    U number;
    std::memset(static_cast<void*>(&number), 0x25, sizeof number);
    return number;
  }
  void allocate() { memory_.reset(new U[size_]); }
  void keep() { before_.assign(memory_.get(), memory_.get() + size_); }
  [[nodiscard]] U* first() const {
    return size_ != 0 && stride_ < 0 ? memory_.get() + size_ - columns_ : memory_.get();
  }
  [[nodiscard]] U* at(std::size_t row_index) const {
    return first() + static_cast<std::ptrdiff_t>(row_index) * stride_;
  }

  std::size_t rows_, columns_;
  std::ptrdiff_t stride_ = 0;
  std::size_t size_ = 0;
  std::unique_ptr<U[]> memory_;
  std::vector<U> before_;
  U marked_ = mark();
};

/// Calls f with a type that numbers are stored in: of logits, of hidden states.
template <class F>
void with_stored_type(fuzz_input& in, F const& f) {
  switch (in.below(4)) {
    case 0:
      return f(std::type_identity<float>{});
    case 1:
      return f(std::type_identity<double>{});
    case 2:
      return f(std::type_identity<prefopt::bfloat16>{});
    default:
      return f(std::type_identity<prefopt::float16>{});
  }
}
