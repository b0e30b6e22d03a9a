// Writes a small random Llama for tests of programs, see random_llama.hpp; TENSOR is left out.
//   write_random_llama FILE [SEED [f32|f16|q8_0 [TENSOR]]]

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "random_llama.hpp"

int main(int argc, char** argv) {
  std::string const type = argc > 3 ? argv[3] : "f32";
  for (auto const& [name, of] : {std::pair{"f32", GGML_TYPE_F32}, {"f16", GGML_TYPE_F16}, {"q8_0", GGML_TYPE_Q8_0}}) {
    if (type != name || argc < 2) continue;
    random_llama model{.type = of};
    if (argc > 2) model.seed = std::strtoull(argv[2], nullptr, 10);
    if (argc > 4) model.without = argv[4];
    model.write(argv[1]);
    return 0;
  }
  std::fprintf(stderr, "write_random_llama: expected FILE [SEED [f32|f16|q8_0 [TENSOR]]]\n");
  return 2;
}
