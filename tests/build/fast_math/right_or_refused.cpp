// Built with options that change arithmetic: what the library gives is right, or it says which option is wrong.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <string>
#include <vector>

namespace {

/// By bits: these options may make the compiler drop isnan.
bool is_nan(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7fffffffffffffffU) > 0x7ff0000000000000U;
}

/// Whether evaluate is right for n pairs, the last of which holds a NaN.
template <class T>
bool is_right(std::size_t n) {
  std::vector<T> a(n), b(n, T(0)), loss(n), d(n);
  for (std::size_t i = 0; i < n; ++i) a[i] = static_cast<T>(static_cast<double>(i) * 0.37 - 3);
  if (n > 0) a[n - 1] = std::numeric_limits<T>::quiet_NaN();
  prefopt::evaluate(prefopt::bradley_terry{}, prefopt::pair_batch<T>{.chosen = a, .rejected = b},
                    {.loss = loss, .d_chosen = d}, {.reduction = prefopt::reduction::sum});
  for (std::size_t i = 0; i + 1 < n; ++i) {
    double const z = static_cast<double>(a[i]), expected = std::log1p(std::exp(-z)), slope = -1 / (1 + std::exp(z));
    double const tolerance = 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (!(std::fabs(static_cast<double>(loss[i]) - expected) <= tolerance * expected)) return false;
    if (!(std::fabs(static_cast<double>(d[i]) - slope) <= -tolerance * slope)) return false;
  }
  return n == 0 || (is_nan(static_cast<double>(loss[n - 1])) && is_nan(static_cast<double>(d[n - 1])));
}

}  // namespace

int main() {
  try {
    for (std::size_t const n : {0U, 1U, 2U, 7U, 64U, 101U}) {
      if (!is_right<float>(n) || !is_right<double>(n)) {
        std::printf("wrong for %zu pairs\n", n);
        return 1;
      }
    }
  } catch (std::invalid_argument const& error) {
    std::string const text = error.what();
    std::printf("%s\n", text.c_str());
    return text.find("-fassociative-math") != std::string::npos || text.find("-fno-honor-nans") != std::string::npos
               ? 0
               : 1;
  }
  std::printf("right\n");
}
