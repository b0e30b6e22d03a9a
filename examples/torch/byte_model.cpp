#include "byte_model.hpp"

#include <algorithm>

namespace {

constexpr std::uint8_t mark = 0xff;  // does not occur in UTF-8

std::int64_t length_of(candidate const& text) {
  return static_cast<std::int64_t>(text.prompt.size() + text.completion.size()) + 1;
}

}  // namespace

byte_batch read_texts(std::span<candidate const> texts) {
  std::int64_t longest = 0;
  for (auto const& text : texts) longest = std::max(longest, length_of(text));
  auto const count = static_cast<std::int64_t>(texts.size());
  byte_batch batch{torch::zeros({count, longest}, at::kLong), torch::full({count, longest}, -100, at::kLong)};
  auto* bytes = batch.bytes.data_ptr<std::int64_t>();
  auto* labels = batch.labels.data_ptr<std::int64_t>();
  for (auto const& [prompt, completion] : texts) {
    std::int64_t row = 0;
    std::uint8_t before = mark;
    auto const read = [&](std::uint8_t byte, bool is_predicted) {
      bytes[row] = before;
      if (is_predicted) labels[row] = byte;
      before = byte;
      ++row;
    };
    for (char const c : prompt) read(static_cast<std::uint8_t>(c), false);
    for (char const c : completion) read(static_cast<std::uint8_t>(c), true);
    read(mark, true);
    bytes += longest;
    labels += longest;
  }
  return batch;
}

byte_model::byte_model() {
  register_module("embedding", embedding);
  register_module("units", units);
  register_module("output", output);
}
