// Prints a line for each instruction set that is linked in.
#include <cstdio>
#include <string>

#if defined(HAS_native)
std::string kernel_native();
#endif
#if defined(HAS_haswell)
std::string kernel_haswell();
#endif
#if defined(HAS_x86_64)
std::string kernel_x86_64();
#endif

int main() {
#if defined(HAS_native)
  std::printf("native: %s\n", kernel_native().c_str());
#endif
#if defined(HAS_haswell)
  std::printf("haswell: %s\n", kernel_haswell().c_str());
#endif
#if defined(HAS_x86_64)
  std::printf("x86_64: %s\n", kernel_x86_64().c_str());
#endif
}
