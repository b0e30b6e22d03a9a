// The rows of the accuracy table at every float of their ranges, and at random doubles.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "oracle/bits.hpp"
#include "simd/accuracy_table.hpp"

namespace {

using accuracy::lanes;
using accuracy::row;
using oracle::real;

constexpr char manual[] = R"(
Rows are those of tests/simd/accuracy_table.hpp, whose ranges leave out what is flushed to 0 and what the functions are
not for. Formulas are computed in double for floats, in long double for doubles, and errors are in units in the last
place, ULP. Status 1 if an error is larger than the headers state.)";

struct settings {
  std::string names;
  std::uint64_t stride = 1, doubles = 0;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
};

struct largest_error {
  double error = 0, at = 0;

  void see(double seen, double where) {
    // Also a NaN.
    if (!(seen <= error)) error = seen, at = where;
  }
};

/// A float's place among all: neighbours differ by 1.
std::int64_t place_of(float x) {
  auto const magnitude = static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(std::fabs(x)));
  return std::signbit(x) ? -magnitude : magnitude;
}
float at_place(std::int64_t place) {
  auto const size = std::bit_cast<float>(static_cast<std::uint32_t>(place < 0 ? -place : place));
  return place < 0 ? -size : size;
}

/// |got - exact| in units of the spacing of floats around exact; both are finite.
double float_error(float got, double exact) {
  auto const exponent = static_cast<int>(std::bit_cast<std::uint64_t>(exact) >> 52 & 2047) - 1023;
  auto const spacing_bits = static_cast<std::uint64_t>(std::max(exponent, -126) - 23 + 1023) << 52;
  return std::fabs(static_cast<double>(got) - exact) / std::bit_cast<double>(spacing_bits);
}

template <class T>
double error_of(row<T> const& r, T x, T got) {
  if constexpr (sizeof(T) == 4) {
    double const exact = r.exact.in_double(static_cast<double>(x));
    return r.is_absolute ? std::fabs(static_cast<double>(got) - exact) : float_error(got, exact);
  } else {
    real const exact = r.exact.in_long_double(static_cast<real>(x));
    return r.is_absolute ? static_cast<double>(std::fabs(static_cast<real>(got) - exact))
                         : oracle::ulp_error(got, exact);
  }
}

/// Of arguments(i) for i < count, each a batch or more at a time by whichever thread is free.
template <class T, class Arguments>
largest_error largest_error_of(row<T> const& r, std::uint64_t count, unsigned threads, Arguments const& arguments) {
  constexpr std::uint64_t block = std::uint64_t{1} << 16;
  std::atomic<std::uint64_t> next{0};
  std::mutex guard;
  largest_error whole;
  auto const work = [&] {
    largest_error own;
    std::vector<T> xs(block), got(block);
    for (;;) {
      std::uint64_t const begin = next.fetch_add(block);
      if (begin >= count) break;
      auto const size = static_cast<std::size_t>(std::min(block, count - begin));
      // The last one is repeated up to whole batches.
      for (std::size_t i = 0; i < block; ++i) xs[i] = arguments(begin + std::min<std::uint64_t>(i, size - 1));
      for (std::size_t i = 0; i < block; i += lanes<T>::size) {
        r.function(lanes<T>::load_unaligned(&xs[i])).store_unaligned(&got[i]);
      }
      for (std::size_t i = 0; i < size; ++i) own.see(error_of(r, xs[i], got[i]), static_cast<double>(xs[i]));
    }
    std::lock_guard const lock{guard};
    whole.see(own.error, own.at);
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  return whole;
}

template <class T>
bool tell(row<T> const& r, char const* type, std::uint64_t count, largest_error const& found) {
  bool const is_right = found.error <= r.stated;
  std::printf("%-18s %-6s [%11.5g, %11.5g] %11llu points, largest error %.4g %s at %.17g, stated %.3g%s\n", r.name,
              type, static_cast<double>(r.low), static_cast<double>(r.high), static_cast<unsigned long long>(count),
              found.error, r.is_absolute ? "absolute" : "ULP", found.at, r.stated, is_right ? "" : "  WRONG");
  std::fflush(stdout);
  return is_right;
}

bool sweep(row<float> const& r, settings const& chosen) {
  std::int64_t const first = place_of(r.low), last = place_of(r.high);
  auto const count = static_cast<std::uint64_t>(last - first) / chosen.stride + 1;
  auto const found = largest_error_of(r, count, chosen.threads, [&](std::uint64_t i) {
    return at_place(first + static_cast<std::int64_t>(i * chosen.stride));
  });
  return tell(r, "float", count, found);
}

/// Splitmix64: any index has its number, whatever thread asks.
std::uint64_t random_bits(std::uint64_t index) {
  std::uint64_t z = (index + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

std::int64_t place_of(double x) {
  auto const size = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(std::fabs(x)));
  return std::signbit(x) ? -size : size;
}
double double_at_place(std::int64_t place) {
  auto const size = std::bit_cast<double>(place < 0 ? -place : place);
  return place < 0 ? -size : size;
}

/// What is larger near the largest error: its neighbours at distances that shrink from 2^36 places to one.
largest_error largest_error_near(row<double> const& r, largest_error found, unsigned threads) {
  constexpr std::int64_t half = 1 << 12;
  for (int shift = 36; shift >= 0; shift -= 4) {
    std::int64_t const middle = place_of(found.at);
    auto const near = largest_error_of(r, 2 * half + 1, threads, [&](std::uint64_t i) {
      std::int64_t const place = middle + (static_cast<std::int64_t>(i) - half) * (std::int64_t{1} << shift);
      return double_at_place(std::clamp(place, place_of(r.low), place_of(r.high)));
    });
    if (near.error > found.error) found = near;
  }
  return found;
}

/// Random bit patterns, random points of the range, and of its middle, where the functions bend; then what is near the worst.
bool sweep(row<double> const& r, settings const& chosen) {
  auto const first = static_cast<std::uint64_t>(place_of(r.low)),
             places = static_cast<std::uint64_t>(place_of(r.high)) - first;
  auto const between = [](double low, double high, double part) {
    return std::clamp(low + (high - low) * part, low, high);
  };
  auto const argument = [&](std::uint64_t i) {
    std::uint64_t const bits = random_bits(i);
    double const part = static_cast<double>(bits >> 11U) * 0x1p-53;
    if (i % 4 == 0) {
      return double_at_place(static_cast<std::int64_t>(first + (places == 0 ? 0 : bits % places)));
    }
    if (i % 4 == 1) return between(std::max(r.low, -1e300), std::min(r.high, 1e300), part);
    return between(std::max(r.low, -8.0), std::min(r.high, 8.0), part);
  };
  // Several hills are climbed.
  std::uint64_t const starts = 16 + (chosen.doubles >> 18U);
  std::uint64_t const count = (chosen.doubles + starts - 1) / starts;
  largest_error whole;
  for (std::uint64_t start = 0; start < starts; ++start) {
    auto const found =
        largest_error_of(r, count, chosen.threads, [&](std::uint64_t i) { return argument(start * count + i); });
    auto const near = largest_error_near(r, found, chosen.threads);
    whole.see(near.error, near.at);
  }
  return tell(r, "double", starts * count, whole);
}

template <class T>
bool sweep_all(settings const& chosen) {
  bool is_right = true;
  for (auto const& r : accuracy::table<T>()) {
    if (std::string{r.name}.find(chosen.names) == std::string::npos) continue;
    is_right = sweep(r, chosen) && is_right;
  }
  return is_right;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The largest errors of the library's functions and links, at every float.", "every_float"};
  app.footer(manual);
  settings chosen;
  app.add_option("--names", chosen.names, "only rows whose names have this in them")->type_name("TEXT");
  app.add_option("--stride", chosen.stride, "every so many-th float")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""))
      ->capture_default_str();
  app.add_option("--doubles", chosen.doubles, "so many doubles a row, too, and what is near the worst")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--threads", chosen.threads, "to compute with")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bool is_right = sweep_all<float>(chosen);
  if (chosen.doubles != 0) is_right = sweep_all<double>(chosen) && is_right;
  return is_right ? 0 : 1;
}
