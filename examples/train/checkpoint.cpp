#include "checkpoint.hpp"

#include <string_view>
#include <utility>

namespace {

constexpr std::string_view first_line = "prefopt_train checkpoint 2\n";

}  // namespace

void write_setup(state_writer& write, run_setup const& setup) {
  write(std::uint64_t{setup.size()});
  for (auto const& [name, value] : setup) {
    write(name);
    write(value);
  }
}

run_setup read_setup(state_reader& read) {
  run_setup setup(read.size(2 * sizeof(std::uint64_t)));
  for (auto& [name, value] : setup) {
    read(name);
    read(value);
  }
  return setup;
}

void save_checkpoint(std::string const& path, checkpoint const& state, std::vector<std::span<float>> const& policy) {
  state_writer write{first_line};
  write_setup(write, state.setup);
  write(state.sft_epochs);
  write(state.epochs);
  write(std::span{state.rows});
  write(std::span{state.ref_logp});
  write(std::span{state.reliability});
  for (auto const array : policy) write(array);
  write.write_to(path);
}

checkpoint_file::checkpoint_file(std::string path) : read_{std::move(path), first_line, "prefopt_train"} {
  state_.setup = read_setup(read_);
  read_(state_.sft_epochs);
  read_(state_.epochs);
  read_(state_.rows);
  read_(state_.ref_logp);
  read_(state_.reliability);
}

void checkpoint_file::load_policy(std::vector<std::span<float>> const& policy) {
  for (auto const array : policy) read_(array);
}
