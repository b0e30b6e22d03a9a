// Two shared libraries with kernels in one program: each has its own, and both run on the CPU at hand.
#include <cstdio>
#include <string>

void const* first_library(std::string& said);
void const* second_library(std::string& said);

int main() {
  std::string first, second;
  bool const apart = first_library(first) != second_library(second);
  std::printf("%s%s%s", first.c_str(), second.c_str(), apart ? "" : "they share their kernels\n");
  return apart && first == second ? 0 : 1;
}
