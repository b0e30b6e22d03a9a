// Checkpoints of prefopt_train, damaged, and forged with a checksum that is right: refused, or what a run could leave.
#include "checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "checksum.hpp"
#include "in_memory_file.hpp"
#include "input_error.hpp"

namespace {

constexpr std::size_t candidates = 3, annotators = 2;

run_setup const& setup() {
  static run_setup const all{{"loss", "dpo"}, {"seed", "7"}};
  return all;
}

template <class T>
void append(std::string& to, T const& value) {
  to.append(reinterpret_cast<char const*>(&value), sizeof value);
}

template <class T>
void append_array(fuzz_input& in, std::string& to, std::vector<T> const& values, bool is_sound) {
  append(to, is_sound || !in.one_in(12) ? std::uint64_t{values.size()} : in.bits(8));
  for (T const& value : values) append(to, value);
}

void append_text(fuzz_input& in, std::string& to, std::string const& text, bool is_sound) {
  append_array(in, to, std::vector<char>(text.begin(), text.end()), is_sound);
}

/// The parts of a checkpoint, one or the other of which is wrong.
std::string forged(fuzz_input& in, std::uint64_t sft_epochs) {
  bool const is_sound = in.one_in(4);
  auto const is_wrong = [&] { return !is_sound && in.one_in(10); };
  std::string content{"prefopt_train checkpoint 2\n"};
  append(content, is_wrong() ? in.bits(8) : std::uint64_t{setup().size()});
  for (auto const& [name, value] : setup()) {
    append_text(in, content, name, is_sound);
    append_text(in, content, value, is_sound);
  }
  bool const has_reference = in.one_in(2);
  std::uint64_t const epochs = has_reference ? in.below(3) : 0,
                      sft = has_reference ? sft_epochs : in.below(sft_epochs + 1);
  append(content, is_wrong() ? in.bits(8) : sft);
  append(content, is_wrong() ? in.bits(8) : epochs);
  std::vector<epoch_metrics> rows;
  for (std::uint64_t i = 0; i < sft; ++i)
    rows.push_back({training_phase::sft, static_cast<std::uint32_t>(i + 1), {}, {}});
  for (std::uint64_t i = 0; has_reference && i <= epochs; ++i) {
    rows.push_back({training_phase::preference, static_cast<std::uint32_t>(i), {}, {}});
  }
  for (auto& row : rows) {
    if (is_wrong()) row.phase = static_cast<training_phase>(in.bits(4));
    if (is_wrong()) row.epoch = static_cast<std::uint32_t>(in.bits(4));
    row.training.loss = is_wrong() ? in.any<double>() : 0.5;
  }
  append_array(in, content, rows, is_sound);
  std::vector<double> reference(has_reference ? (is_wrong() ? in.below(6) : candidates) : 0, -1.5);
  for (double& x : reference) x = is_wrong() ? in.any<double>() : x;
  append_array(in, content, reference, is_sound);
  std::vector<double> reliability(in.one_in(2) ? (is_wrong() ? in.below(6) : annotators) : 0, 0.75);
  for (double& x : reliability) x = is_wrong() ? in.any<double>() : x;
  append_array(in, content, reliability, is_sound);
  std::vector<float> weights(4, 0.25F);
  for (float& x : weights) x = is_wrong() ? in.any<float>() : x;
  append_array(in, content, weights, is_sound);
  if (is_wrong()) content.append(in.below(9), '\0');
  if (is_wrong()) content.resize(27 + in.below(content.size() - 27));
  if (is_wrong()) content[in.below(content.size())] = static_cast<char>(in.bits(1));
  append(content, in.one_in(16) ? static_cast<std::uint32_t>(in.bits(4)) : checksum_of(content));
  return content;
}

/// A run goes on from it: it must be what one has left.
void check(checkpoint const& state, std::uint64_t sft_epochs, std::span<float const> weights) {
  bool const has_reference = !state.ref_logp.empty();
  promise(state.setup.size() == setup().size(), "a checkpoint of other options is taken");
  promise(state.sft_epochs <= sft_epochs && (!has_reference || state.ref_logp.size() == candidates),
          "a checkpoint of other data is taken");
  promise(state.rows.size() == state.sft_epochs + (has_reference ? state.epochs + 1 : 0),
          "a checkpoint with other epochs' metrics is taken");
  for (double const x : state.ref_logp)
    promise(std::isfinite(x), "a checkpoint whose reference is not finite is taken");
  for (double const x : state.reliability)
    promise(x >= 0 && x <= 1, "a checkpoint with no probability for a reliability is taken");
  for (float const x : weights) promise(std::isfinite(x), "a checkpoint whose weights are not finite is taken");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  fuzz_input in{data, size};
  std::uint64_t const sft_epochs = in.below(3);
  std::string const content = in.one_in(6) ? std::string{in.rest()} : forged(in, sft_epochs);
  try {
    checkpoint_file saved{file.with(content)};
    saved.check_state(setup(), sft_epochs, candidates, annotators);
    std::vector<float> weights(4);
    std::vector<std::span<float>> const policy{weights};
    saved.load_policy(policy);
    check(saved.state(), sft_epochs, weights);
  } catch (input_error const&) {
  }
  return 0;
}
