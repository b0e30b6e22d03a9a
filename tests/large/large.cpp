// Batches of billions: long columns are one file of 64 MiB that is mapped into memory again and again, so that they are as
// long as they look, and what they hold is known. Beside them little is allocated.
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "counted_allocations.hpp"
#include "oracle/bits.hpp"

namespace {

using namespace prefopt;

constexpr std::size_t period = std::size_t{1} << 24;  ///< floats of a mapping

void fail(std::string const& what) { throw std::runtime_error(what); }

/// So many periods of the same floats, one behind the other.
class repeated {
 public:
  explicit repeated(std::size_t periods) : bytes_{periods * period * sizeof(float)} {
    int const file = memfd_create("prefopt", 0);
    if (file < 0 || ftruncate(file, static_cast<off_t>(period * sizeof(float))) != 0) fail("no file in memory");
    void* const place = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) fail("no addresses for " + std::to_string(bytes_) + " bytes");
    first_ = static_cast<float*>(place);
    for (std::size_t i = 0; i < periods; ++i) {
      void* const part =
          mmap(first_ + i * period, period * sizeof(float), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
      if (part == MAP_FAILED) fail("a file cannot be mapped so often");
    }
    close(file);
  }
  repeated(repeated const&) = delete;
  repeated& operator=(repeated const&) = delete;
  ~repeated() { munmap(first_, bytes_); }

  [[nodiscard]] std::span<float> all() const { return {first_, bytes_ / sizeof(float)}; }
  [[nodiscard]] std::span<float> one() const { return {first_, period}; }

  repeated& fill(std::uint64_t seed, double low, double high) {
    oracle::random_numbers random{seed};
    for (float& x : one()) x = static_cast<float>(random.uniform(low, high));
    return *this;
  }

 private:
  std::size_t bytes_;
  float* first_ = nullptr;
};

void check(char const* what, double got, double expected, double within) {
  std::printf("  %-34s %.15g, expected %.15g\n", what, got, expected);
  if (!(std::fabs(got - expected) <= within * std::fabs(expected))) fail(std::string{what} + " is wrong");
}

/// Runs what is counted: its time, and what it allocates at most beside what is there.
void measured(std::function<void()> const& call) {
  std::size_t const before = bytes_allocated;
  most_bytes_allocated = before;
  auto const start = std::chrono::steady_clock::now();
  call();
  double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double const mebibytes = static_cast<double>(most_bytes_allocated - before) / (1 << 20);
  std::printf("  %.1f s, allocated at most %.3f MiB\n", seconds, mebibytes);
}

void pairs() {
  constexpr std::size_t periods = 60;
  std::printf("dpo over %zu pairs\n", periods * period);
  repeated chosen{periods}, rejected{periods}, ref_chosen{periods}, ref_rejected{periods}, d_chosen{periods},
      d_rejected{periods};
  chosen.fill(1, -200, -1), rejected.fill(2, -200, -1), ref_chosen.fill(3, -200, -1), ref_rejected.fill(4, -200, -1);
  auto const batch = [&](auto const& part) {
    return pair_batch<float>{.chosen = part(chosen),
                             .rejected = part(rejected),
                             .ref_chosen = part(ref_chosen),
                             .ref_rejected = part(ref_rejected)};
  };
  auto const one = [](repeated const& column) { return column.one(); };
  auto const all = [](repeated const& column) { return column.all(); };
  std::vector<float> expected_chosen(period), expected_rejected(period);
  double const count = static_cast<double>(periods * period);
  auto const right = evaluate(dpo{}, batch(one), {.d_chosen = expected_chosen, .d_rejected = expected_rejected},
                              {.denominator = count});
  report seen;
  measured([&] { seen = evaluate(dpo{}, batch(all), {.d_chosen = d_chosen.all(), .d_rejected = d_rejected.all()}); });
  check("count", static_cast<double>(seen.count), count, 0);
  check("loss", seen.loss, right.loss * periods, 1e-12);
  check("accuracy", seen.accuracy, right.accuracy, 1e-12);
  for (std::size_t i = 0; i < period; ++i) {
    if (d_chosen.one()[i] != expected_chosen[i] || d_rejected.one()[i] != expected_rejected[i]) {
      fail("gradient " + std::to_string(i) + " is another one than in a small batch");
    }
  }
}

void tokens() {
  // Sequences of 2^23 + 1 tokens, beyond 2^32 of them in all.
  constexpr std::size_t periods = 260, length = (std::size_t{1} << 23) + 1, sequences = periods * period / length;
  std::printf("sums over %zu tokens, in %zu sequences; the last begins at %zu\n", sequences * length, sequences,
              (sequences - 1) * length);
  static_assert((sequences - 1) * length > std::size_t{1} << 32);
  repeated log_prob{periods}, d_token{periods};
  // Small whole numbers: every sum is one, too.
  for (std::size_t i = 0; i < period; ++i) log_prob.one()[i] = -static_cast<float>(i % 7);
  std::vector<std::int64_t> offsets;
  for (std::size_t i = 0; i <= sequences; ++i) offsets.push_back(static_cast<std::int64_t>(i * length));
  prefopt::packed_tokens<float> const batch{.log_prob = log_prob.all(), .offsets = offsets};
  std::vector<float> sums(sequences), lengths(sequences);
  measured([&] { sequence_log_probs(batch, {.log_prob = sums, .length = lengths}); });
  double off = 0;
  for (std::size_t i = 0; i < sequences; ++i) {
    double exact = 0;
    for (std::size_t t = i * length; t < (i + 1) * length; ++t) exact -= static_cast<double>(t % period % 7);
    off = std::max(off, std::fabs(static_cast<double>(sums[i]) - static_cast<double>(static_cast<float>(exact))));
    if (lengths[i] != static_cast<float>(length)) fail("length " + std::to_string(i) + " is wrong");
  }
  check("largest difference of a sum, plus 1", 1 + off, 1, 0);
  std::vector<float> d(sequences);
  for (std::size_t i = 0; i < sequences; ++i) d[i] = static_cast<float>(i);
  measured([&] { token_gradients(batch, d, d_token.all()); });
  // Of the last sequence, the last to be written where the periods lie over each other.
  std::size_t const last = sequences * length - 1;
  check("the last gradient", static_cast<double>(d_token.all()[last]), static_cast<double>(sequences - 1), 0);
}

void list() {
  constexpr std::size_t candidates = 100'000'000;
  std::printf("a group of %zu candidates\n", candidates);
  std::vector<double> logp(candidates, -3), reward(candidates), d_logp(candidates);
  // No two alike.
  for (std::size_t i = 0; i < candidates; ++i) reward[i] = static_cast<double>(i * 7919 % candidates);
  std::vector<std::int64_t> const offsets{0, static_cast<std::int64_t>(candidates)};
  list_batch<double> const batch{.logp = logp, .reward = reward, .offsets = offsets};
  report seen;
  // With equal scores the k-th choice of n is one of n - k + 1: the sum of their logarithms.
  measured([&] { seen = evaluate(plackett_luce{}, batch, {.d_logp = d_logp}); });
  check("plackett_luce", seen.loss, std::lgamma(static_cast<double>(candidates) + 1), 1e-9);
  measured([&] { seen = evaluate(info_nce{}, batch, {.d_logp = d_logp}); });
  check("info_nce", seen.loss, std::log(static_cast<double>(candidates)), 1e-9);
  measured([&] { seen = evaluate(adpo{}, batch, {.d_logp = d_logp}); });
  check("adpo", seen.loss, std::log(static_cast<double>(candidates)), 1e-9);
}

void vocabulary() {
  constexpr std::size_t rows = 64, words = 1'000'003;
  std::printf("logits of %zu tokens over %zu words\n", rows, words);
  std::vector<float> logits(rows * words), d_logits(rows * words);
  oracle::random_numbers random{5};
  for (float& x : logits) x = static_cast<float>(4 * random.normal());
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < rows; ++i) labels.push_back(static_cast<std::int64_t>(i * 15'872));
  std::vector<float> log_prob(rows);
  measured([&] {
    token_logprobs_and_gradients(row_major<float const>{logits.data(), rows, words}, labels,
                                 [](std::size_t, float) noexcept { return 1.F; }, {d_logits.data(), rows, words},
                                 {.log_prob = log_prob});
  });
  for (std::size_t i = 0; i < rows; i += 21) {
    long double sum = 0, slopes = 0;
    for (std::size_t v = 0; v < words; ++v) sum += std::exp(static_cast<long double>(logits[i * words + v]));
    for (std::size_t v = 0; v < words; ++v) slopes += static_cast<long double>(d_logits[i * words + v]);
    auto const exact = static_cast<double>(
        static_cast<long double>(logits[i * words + static_cast<std::size_t>(labels[i])]) - std::log(sum));
    check("log-prob of a label", static_cast<double>(log_prob[i]), exact, 1e-6);
    check("sum of a row's gradients, plus 1", 1 + static_cast<double>(slopes), 1, 1e-6);
  }
}

}  // namespace

int main() {
  try {
    pairs();
    tokens();
    list();
    vocabulary();
  } catch (std::exception const& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "large: %s\n", error.what());
    return 1;
  }
}
