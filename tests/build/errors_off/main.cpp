// Compiled without exceptions and without RTTI, linked with a file that has both.
#include <cstdio>
#include <cstdlib>
#include <prefopt/prefopt.hpp>
#include <string_view>
#include <vector>

/// From a file with exceptions: the loss of the same pair, and whether an error was caught.
double loss_with_exceptions();
bool catches_with_exceptions();

/// From a file without exceptions, compiled for another instruction set.
void fail_elsewhere();

namespace {

[[noreturn]] void on_error(char const* message) {
  constexpr std::string_view expected = "prefopt::dpo: beta is -1, expected a finite number > 0";
  if (message != expected) std::fprintf(stderr, "got: %s\n", message);
  std::exit(message == expected ? 0 : 1);
}

void quiet(char const*) { std::exit(1); }

}  // namespace

int main(int count, char** arguments) {
  std::string_view const mode = count > 1 ? arguments[1] : "";
  std::vector<double> const a{-1}, b{-2}, zero{0};
  prefopt::pair_batch<double> const batch{.chosen = a, .rejected = b, .ref_chosen = zero, .ref_rejected = zero};
  if (mode == "results") {
    bool const same = prefopt::evaluate(prefopt::dpo{}, batch).loss == loss_with_exceptions();
    return same && catches_with_exceptions() ? 0 : 1;
  }
  if (mode == "handler") {
    if (prefopt::set_error_handler(quiet) != nullptr) return 1;
    if (prefopt::set_error_handler(on_error) != quiet) return 1;
  }
  if (mode == "handler elsewhere") {
    prefopt::set_error_handler(on_error);
    fail_elsewhere();
  }
  prefopt::evaluate(prefopt::dpo{.beta = -1}, batch);
  return 1;
}
