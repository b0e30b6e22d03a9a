#include "llm_checkpoint.hpp"

#include <span>
#include <string_view>

#include "input_error.hpp"

namespace {

constexpr std::string_view llm_checkpoint_first = "prefopt_llm checkpoint 1\n";

}  // namespace

void save_llm_checkpoint(std::string const& path, llm_checkpoint const& state,
                         std::vector<std::span<float const>> const& arrays) {
  state_writer write{llm_checkpoint_first};
  write_setup(write, state.setup);
  write(state.steps);
  write(std::span{state.rows});
  write(std::span{state.reliability});
  for (auto const array : arrays) write(array);
  write.write_to(path);
}

llm_checkpoint_file::llm_checkpoint_file(std::string const& path) : read_{path, llm_checkpoint_first, "prefopt_llm"} {
  state_.setup = read_setup(read_);
  read_(state_.steps);
  read_(state_.rows);
  read_(state_.reliability);
  if (state_.rows.size() != state_.steps + 1) throw error_at(path, 0, "", "is damaged: its parts do not fit together");
}

void llm_checkpoint_file::load(std::vector<std::span<float>> const& arrays) {
  for (auto const array : arrays) read_(array);
}
