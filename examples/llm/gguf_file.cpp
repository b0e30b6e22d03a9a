#include "gguf_file.hpp"

#include <ggml-cpu.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <utility>

#include "input_error.hpp"
#include "quiet_ggml.hpp"

gguf_file::gguf_file(std::filesystem::path path) : path_{std::move(path)}, file_{path_} {
  auto const bytes = file_.bytes();
  ggml_context* tensors = nullptr;
  std::string said;
  try {
    quiet_ggml const quiet;
    keys_.reset(gguf_init_from_buffer(bytes.data(), bytes.size(), {.no_alloc = true, .ctx = &tensors}));
    said = quiet.last_error();
  } catch (std::exception const& error) {
    said = error.what();
  }
  tensors_.reset(tensors);
  if (!keys_) refuse("is no GGUF file that ggml reads" + (said.empty() ? "" : ": " + on_one_line(said)));
  std::size_t const begin = gguf_get_data_offset(keys_.get());
  for (std::int64_t i = 0; i < gguf_get_n_tensors(keys_.get()); ++i) {
    std::size_t const offset = gguf_get_tensor_offset(keys_.get(), i), size = gguf_get_tensor_size(keys_.get(), i);
    if (begin > bytes.size() || offset > bytes.size() - begin || size > bytes.size() - begin - offset) {
      refuse("ends early: it has " + std::to_string(bytes.size()) + " bytes, but its tensor " +
             on_one_line(gguf_get_tensor_name(keys_.get(), i)) + " ends at byte " +
             std::to_string(begin + offset + size));
    }
  }
  // Nothing writes there: weights are read alone.
  auto* const first = const_cast<std::byte*>(bytes.data());
  buffer_.reset(ggml_backend_cpu_buffer_from_ptr(first, bytes.size()));
  for (std::int64_t i = 0; i < gguf_get_n_tensors(keys_.get()); ++i) {
    ggml_tensor* const tensor = ggml_get_tensor(tensors_.get(), gguf_get_tensor_name(keys_.get(), i));
    ggml_backend_tensor_alloc(buffer_.get(), tensor, first + begin + gguf_get_tensor_offset(keys_.get(), i));
  }
}

void gguf_file::refuse(std::string const& what) const { throw error_at(path_.string(), 0, "", what); }

std::int64_t gguf_file::key_of(std::string const& key, std::initializer_list<gguf_type> types) const {
  std::int64_t const id = gguf_find_key(keys_.get(), key.c_str());
  if (id >= 0 && std::find(types.begin(), types.end(), gguf_get_kv_type(keys_.get(), id)) == types.end()) {
    refuse("its key " + key + " is of type " + gguf_type_name(gguf_get_kv_type(keys_.get(), id)) + ", expected " +
           gguf_type_name(*types.begin()));
  }
  return id;
}

std::optional<std::string> gguf_file::text(char const* key) const {
  auto const id = key_of(key, {GGUF_TYPE_STRING});
  return id < 0 ? std::nullopt : std::optional<std::string>{gguf_get_val_str(keys_.get(), id)};
}

std::optional<std::size_t> gguf_file::count(std::string const& key) const {
  auto const id = key_of(key, {GGUF_TYPE_UINT32, GGUF_TYPE_INT32, GGUF_TYPE_UINT64});
  if (id < 0) return std::nullopt;
  switch (gguf_get_kv_type(keys_.get(), id)) {
    case GGUF_TYPE_UINT32:
      return gguf_get_val_u32(keys_.get(), id);
    case GGUF_TYPE_UINT64:
      return gguf_get_val_u64(keys_.get(), id);
    default:
      break;
  }
  auto const value = gguf_get_val_i32(keys_.get(), id);
  if (value < 0) refuse("its key " + key + " is " + std::to_string(value) + ", expected a count");
  return static_cast<std::size_t>(value);
}

std::optional<float> gguf_file::number(std::string const& key) const {
  auto const id = key_of(key, {GGUF_TYPE_FLOAT32});
  return id < 0 ? std::nullopt : std::optional{gguf_get_val_f32(keys_.get(), id)};
}

std::optional<std::size_t> gguf_file::array_size(char const* key) const {
  auto const id = key_of(key, {GGUF_TYPE_ARRAY});
  return id < 0 ? std::nullopt : std::optional{gguf_get_arr_n(keys_.get(), id)};
}

ggml_tensor* gguf_file::find(std::string const& name) {
  auto* const tensor = ggml_get_tensor(tensors_.get(), name.c_str());
  if (tensor != nullptr) read_.push_back(name);
  return tensor;
}

std::string gguf_file::unread() const {
  for (std::int64_t i = 0; i < gguf_get_n_tensors(keys_.get()); ++i) {
    std::string const name = gguf_get_tensor_name(keys_.get(), i);
    if (std::find(read_.begin(), read_.end(), name) == read_.end()) return name;
  }
  return "";
}

std::uint64_t gguf_file::checksum() const {
  auto const bytes = file_.bytes();
  std::uint64_t value = 0xcbf29ce484222325;
  for (std::size_t begin = 0; begin < bytes.size(); begin += sizeof value) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + begin, std::min(sizeof word, bytes.size() - begin));
    value = (value ^ word) * 0x100000001b3;
  }
  return value;
}
