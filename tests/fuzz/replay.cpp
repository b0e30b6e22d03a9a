// What runs a fuzz target where there is no libFuzzer: the inputs of its folder, then inputs made of a seed, half of them
// random bytes and half changed inputs of the folder.
//   fuzz_NAME FOLDER RUNS [SEED]
// RUNS is a number of inputs, or how long: 90s.
// An input that ends the program is left in crash-NAME in the working directory.
#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz_input.hpp"

extern "C" [[gnu::weak]] int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

using bytes = std::vector<std::uint8_t>;

bytes const* current = nullptr;
unsigned long long made = 0;  ///< of a seed
char crash_name[256];

/// Calls nothing that allocates: it runs in signal handlers.
void keep_current() {
  if (current == nullptr) return;
  int const file = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  if (write(file, current->data(), current->size()) < 0) std::perror(crash_name);
  close(file);
  std::fprintf(stderr, "the input is in %s, after those of the folder and %llu made of a seed\n", crash_name, made);
  current = nullptr;
}

void end_on_signal(int signal) {
  keep_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(bytes const& input) {
  // Of exactly its size, so that a byte behind it is found.
  bytes const exact(input);
  current = &exact;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current = nullptr;
}

std::vector<bytes> inputs_of(std::string const& folder) {
  std::vector<std::filesystem::path> paths;
  for (auto const& entry : std::filesystem::directory_iterator{folder}) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<bytes> inputs;
  for (auto const& path : paths) {
    std::ifstream file{path, std::ios::binary};
    inputs.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
  }
  return inputs;
}

/// Some of its bytes are others, some are gone, some are twice.
bytes changed(bytes input, std::mt19937_64& random) {
  for (std::uint64_t left = 1 + random() % 6; left != 0; --left) {
    std::size_t const at = input.empty() ? 0 : static_cast<std::size_t>(random() % input.size());
    auto const place = input.begin() + static_cast<std::ptrdiff_t>(at);
    auto const piece = place + static_cast<std::ptrdiff_t>(std::min<std::size_t>(input.size() - at, random() % 9));
    switch (random() % 5) {
      case 0:
        input.insert(place, static_cast<std::uint8_t>(random()));
        break;
      case 1:
        input.erase(place, piece);
        break;
      case 2: {
        bytes const twice(place, piece);
        input.insert(piece, twice.begin(), twice.end());
        break;
      }
      default:
        if (!input.empty())
          *place = static_cast<std::uint8_t>(random() % 2 == 0 ? random() : *place ^ 1U << random() % 8);
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s FOLDER RUNS [SEED]\n", argv[0]);
    return 2;
  }
  std::string const name = std::filesystem::path{argv[0]}.filename().string();
  std::snprintf(crash_name, sizeof crash_name, "crash-%s", name.c_str());
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&keep_current);
  for (int const signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, &end_on_signal);
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);

  auto const inputs = inputs_of(argv[1]);
  for (bytes const& input : inputs) run(input);
  char* unit = nullptr;
  unsigned long long const runs = std::strtoull(argv[2], &unit, 10);
  bool const is_time = *unit == 's';
  auto const begin = std::chrono::steady_clock::now();
  std::mt19937_64 random{argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1};
  auto const goes_on = [&] {
    if (!is_time) return made < runs;
    return made % 64 != 0 || std::chrono::steady_clock::now() - begin < std::chrono::seconds{runs};
  };
  for (; goes_on(); ++made) {
    if (!inputs.empty() && random() % 2 == 0) {
      run(changed(inputs[static_cast<std::size_t>(random() % inputs.size())], random));
      continue;
    }
    bytes input(static_cast<std::size_t>(8 + random() % 57));
    for (auto& byte : input) byte = static_cast<std::uint8_t>(random());
    run(input);
  }
  std::fprintf(stderr, "%s: %zu inputs of the folder and %llu made of a seed\n", name.c_str(), inputs.size(), made);
}
