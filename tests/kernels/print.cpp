#include <cstdio>
#include <exception>
#include <prefopt/kernels.hpp>
#include <string>

// Prints the instruction set in use.
int main() try {
  std::printf("%s\n", std::string{prefopt::kernels::instruction_set()}.c_str());
} catch (std::exception const& error) {
  std::printf("%s\n", error.what());
  return 1;
}
