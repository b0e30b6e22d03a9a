// Every loss on pairs by name, and every modifier over each.
#include "batch_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static auto const names = names_of(prefopt::pair_loss_cards());
  fuzz_input in{data, size};
  run_batch_target<prefopt::pair_family>(
      in, names, [](auto const& of, auto const& values) { return prefopt::make_pair_loss(of.name, values, of.base); });
  return 0;
}
