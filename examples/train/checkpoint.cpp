#include "checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr std::string_view first_line = "prefopt_train checkpoint 2\n";

constexpr auto is_finite = [](auto number) { return std::isfinite(number); };

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

void checkpoint_file::check_state(run_setup const& setup, std::uint64_t sft_epochs, std::size_t candidates,
                                  std::size_t annotators) const {
  bool const has_reference = !state_.ref_logp.empty();
  if (state_.setup.size() != setup.size()) read_.damaged("its options are not those of any run");
  if (has_reference ? state_.sft_epochs != sft_epochs || state_.ref_logp.size() != candidates
                    : state_.sft_epochs > sft_epochs || state_.epochs != 0) {
    read_.damaged("its epochs and the reference's log-probs do not fit together");
  }
  if (!std::ranges::all_of(state_.ref_logp, is_finite)) read_.damaged("a log-prob of the reference is not finite");

  std::uint64_t const rows = state_.rows.size();
  if (rows < state_.sft_epochs || rows - state_.sft_epochs != (has_reference ? state_.epochs + 1 : 0)) {
    read_.damaged("it has metrics of " + std::to_string(rows) + " epochs, which are not those that are done");
  }
  for (std::uint64_t i = 0; i < rows; ++i) {
    bool const is_sft = i < state_.sft_epochs;
    epoch_metrics const& row = state_.rows[i];
    if (row.phase != (is_sft ? training_phase::sft : training_phase::preference) ||
        row.epoch != (is_sft ? i + 1 : i - state_.sft_epochs)) {
      read_.damaged("its epochs are out of order");
    }
  }
  if (!state_.reliability.empty() &&
      (state_.reliability.size() != annotators ||
       !std::ranges::all_of(state_.reliability, [](double r) { return r >= 0 && r <= 1; }))) {
    read_.damaged("its reliabilities are not those of " + std::to_string(annotators) + " annotators");
  }
}

void checkpoint_file::load_policy(std::vector<std::span<float>> const& policy) {
  for (auto const array : policy) read_(array);
  read_.finish();
  for (auto const array : policy) {
    if (!std::ranges::all_of(array, is_finite))
      read_.fail("has weights that are not finite: there is no going on from them");
  }
}
