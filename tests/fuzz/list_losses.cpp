// Every loss on groups by name.
#include "batch_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static auto const names = names_of(prefopt::list_loss_cards());
  fuzz_input in{data, size};
  run_batch_target<prefopt::list_family>(
      in, names, [](auto const& of, auto const& values) { return prefopt::make_list_loss(of.name, values); });
  return 0;
}
