#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

/// The one entry of a target: of libFuzzer, and of replay.cpp where there is none.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

/// A text that is made when it is wanted: hardly ever.
using late_text = std::function<std::string()>;

/// Ends the program, so that the input is kept, where a promise is broken; says so in texts and numbers.
template <class... Parts>
void promise(bool kept, Parts const&... broken) {
  if (kept) return;
  auto const text_of = []<class Part>(Part const& part) -> std::string {
    if constexpr (std::is_arithmetic_v<Part>) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%.17g", static_cast<double>(part));
      return digits;
    } else if constexpr (std::is_invocable_v<Part>) {
      return part();
    } else {
      return std::string{part};
    }
  };
  std::fprintf(stderr, "a promise is broken: %s\n", (... + text_of(broken)).c_str());
  std::abort();
}

/// One input, read as decisions and numbers. Its first eight bytes seed a sequence that goes on where it ends, so that a
/// few bytes decide much, and every input means something.
class fuzz_input {
 public:
  fuzz_input(std::uint8_t const* data, std::size_t size) noexcept : data_{data}, left_{size} {
    for (int i = 0; i < 8; ++i) seed_ = seed_ << 8 | next_byte();
  }

  /// As many bytes, the lowest first.
  std::uint64_t bits(int bytes) noexcept {
    if (left_ == 0) return random() >> (64 - 8 * bytes);
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{next_byte()} << 8 * i;
    return value;
  }

  /// In [0, bound); bound > 0.
  std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(bits(bound <= 256 ? 1 : 4) % bound); }
  bool one_in(std::size_t n) noexcept { return below(n) == n - 1; }
  /// Whether something is to be large, which takes most of the time where it often is.
  bool is_large() noexcept { return one_in(24); }

  /// In [low, high).
  double uniform(double low, double high) noexcept {
    return low + (high - low) * (static_cast<double>(bits(4)) * 0x1p-32);
  }

  /// Any bits at all, and the numbers at the ends more often than these would be.
  template <class T>
  T any() noexcept {
    using limits = std::numeric_limits<T>;
    constexpr T special[]{T(0),
                          -T(0),
                          T(1),
                          -T(1),
                          limits::infinity(),
                          -limits::infinity(),
                          limits::max(),
                          limits::lowest(),
                          limits::min(),
                          limits::denorm_min(),
                          limits::quiet_NaN(),
                          -limits::denorm_min()};
    if (one_in(4)) return special[below(std::size(special))];
    return std::bit_cast<T>(
        static_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(bits(sizeof(T))));
  }

  /// Of either sign, of any magnitude from 1e-4 up to `most`, and 0.
  double finite(double most) noexcept {
    if (one_in(16)) return one_in(2) ? 0 : (one_in(2) ? most : -most);
    double const size = std::min(most, std::exp(uniform(-9.2, std::log(most))));
    return one_in(2) ? size : -size;
  }

  /// What is left of it, as it stands.
  std::string_view rest() noexcept {
    std::string_view const text{reinterpret_cast<char const*>(data_), left_};
    left_ = 0;
    return text;
  }

 private:
  std::uint8_t next_byte() noexcept {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint64_t random() noexcept {
    std::uint64_t z = seed_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  std::uint8_t const* data_;
  std::size_t left_;
  std::uint64_t seed_ = 0;
};

/// Both are NaN, or they have the same bits.
template <class T>
bool is_same(T a, T b) noexcept {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return (a != a && b != b) || std::bit_cast<word>(a) == std::bit_cast<word>(b);
}
