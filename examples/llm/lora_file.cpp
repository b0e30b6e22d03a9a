// An adapter in the format of llama.cpp's LoRA files.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "gguf_file.hpp"
#include "input_error.hpp"
#include "lora_adapter.hpp"
#include "number_text.hpp"
#include "replace_file.hpp"

namespace {

std::string weight_name(std::size_t layer, block_matrix matrix) {
  return "blk." + std::to_string(layer) + '.' + gguf_name(matrix) + ".weight";
}

void expect(gguf_file const& file, char const* key, char const* expected) {
  auto const got = file.text(key);
  if (got != expected) {
    file.refuse((got ? "its " + std::string{key} + " is " + in_quotes(*got) : "has no " + std::string{key}) +
                ", expected " + expected + " in a LoRA adapter");
  }
}

/// The matrices that the first block has, and their rank.
lora_options options_in(gguf_file& file, llama_shape const& shape) {
  auto const alpha = file.number("adapter.lora.alpha");
  if (!alpha) file.refuse("has no adapter.lora.alpha");
  lora_options options{.rank = 0, .alpha = static_cast<double>(*alpha), .matrices = {}};
  for (auto const which : block_matrices_of("all")) {
    auto const* const a = file.find(weight_name(0, which) + ".lora_a");
    if (a == nullptr) continue;
    options.matrices.push_back(which);
    if (options.rank == 0) options.rank = static_cast<std::size_t>(a->ne[1]);
  }
  if (options.matrices.empty()) file.refuse("has no blk.0.*.weight.lora_a over a matrix that is trained here");
  if (options.rank == 0 || options.rank > shape.width) {
    file.refuse("is an adapter of rank " + std::to_string(options.rank) + ", expected 1 to the model's width, " +
                std::to_string(shape.width));
  }
  if (!(options.alpha > 0 && std::isfinite(options.alpha))) {
    file.refuse("is an adapter with alpha " + number_text(options.alpha) + ", expected a finite number > 0");
  }
  return options;
}

/// The tensor's numbers, row by row.
void read_into(gguf_file& file, std::string const& name, std::size_t columns, std::size_t rows,
               std::span<float> values) {
  auto const* const tensor = file.find(name);
  if (tensor == nullptr) file.refuse("has no tensor " + name);
  bool const fits = tensor->ne[0] == static_cast<std::int64_t>(columns) &&
                    tensor->ne[1] == static_cast<std::int64_t>(rows) && tensor->ne[2] == 1 && tensor->ne[3] == 1;
  if (!fits || tensor->type != GGML_TYPE_F32) {
    file.refuse("its tensor " + name + " is " + ggml_type_name(tensor->type) + ' ' + std::to_string(tensor->ne[0]) +
                " x " + std::to_string(tensor->ne[1]) + ", expected f32 " + std::to_string(columns) + " x " +
                std::to_string(rows));
  }
  std::memcpy(values.data(), tensor->data, values.size_bytes());
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    file.refuse("its tensor " + name + " has numbers that are not finite");
  }
}

}  // namespace

lora_adapter lora_adapter::load(std::filesystem::path const& path, llama_shape const& shape) {
  gguf_file file{path};
  expect(file, "general.type", "adapter");
  expect(file, "general.architecture", "llama");
  expect(file, "adapter.type", "lora");
  lora_adapter adapter{shape, options_in(file, shape)};
  std::size_t const rank = adapter.options_.rank;
  for (auto const& [layer, matrix, inputs, outputs, a, b] : adapter.matrices_) {
    auto const name = weight_name(layer, matrix);
    read_into(file, name + ".lora_a", inputs, rank, adapter.values().subspan(a, rank * inputs));
    read_into(file, name + ".lora_b", rank, outputs, adapter.values().subspan(b, outputs * rank));
  }
  if (auto const other = file.unread(); !other.empty()) {
    file.refuse("has a tensor " + on_one_line(other) + " that does not belong to a model of this shape");
  }
  return adapter;
}

void lora_adapter::save(std::filesystem::path const& path) const {
  gguf_context_ptr const file{gguf_init_empty()};
  gguf_set_val_str(file.get(), "general.type", "adapter");
  gguf_set_val_str(file.get(), "general.architecture", "llama");
  gguf_set_val_str(file.get(), "adapter.type", "lora");
  gguf_set_val_f32(file.get(), "adapter.lora.alpha", static_cast<float>(options_.alpha));
  ggml_context_ptr const tensors{
      ggml_init({.mem_size = 2 * matrices_.size() * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})};
  auto const add = [&](std::string const& name, std::size_t columns, std::size_t rows) {
    auto* const tensor = ggml_new_tensor_2d(tensors.get(), GGML_TYPE_F32, static_cast<std::int64_t>(columns),
                                            static_cast<std::int64_t>(rows));
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(file.get(), tensor);
  };
  for (auto const& matrix : matrices_) {
    auto const name = weight_name(matrix.layer, matrix.matrix);
    add(name + ".lora_a", matrix.inputs, options_.rank);
    add(name + ".lora_b", options_.rank, matrix.outputs);
  }
  std::string content(gguf_get_meta_size(file.get()), '\0');
  gguf_get_meta_data(file.get(), content.data());
  std::size_t const begin = content.size();
  auto const append = [&](std::int64_t id, std::size_t first, std::size_t count) {
    content.resize(begin + gguf_get_tensor_offset(file.get(), id), '\0');
    content.append(reinterpret_cast<char const*>(values_.data() + first), count * sizeof(float));
  };
  std::int64_t id = 0;
  for (auto const& matrix : matrices_) {
    append(id++, matrix.a, options_.rank * matrix.inputs);
    append(id++, matrix.b, matrix.outputs * options_.rank);
  }
  content.resize(begin + GGML_PAD(content.size() - begin, gguf_get_alignment(file.get())), '\0');
  replace_file(path.string(), content);
}
