// Every loss on single completions by name.
#include "batch_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static auto const names = names_of(prefopt::unpaired_loss_cards());
  fuzz_input in{data, size};
  run_batch_target<prefopt::unpaired_family>(
      in, names, [](auto const& of, auto const& values) { return prefopt::make_unpaired_loss(of.name, values); });
  return 0;
}
