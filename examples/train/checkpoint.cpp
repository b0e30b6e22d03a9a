#include "checkpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "checksum.hpp"
#include "input_error.hpp"
#include "replace_file.hpp"

// The file: a line that says what it is, the fields one after the other as they lie in memory, and a CRC-32 of all
// that.

namespace {

constexpr std::string_view first_line = "prefopt_train checkpoint 2\n";

[[noreturn]] void damaged(std::string const& path, std::string const& how) {
  throw error_at(path, 0, "", "is damaged: " + how);
}

constexpr auto is_finite = [](auto number) { return std::isfinite(number); };

class writer {
 public:
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(T const& value) { content.append(reinterpret_cast<char const*>(&value), sizeof value); }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(std::span<T> values) {
    (*this)(std::uint64_t{values.size()});
    content.append(reinterpret_cast<char const*>(values.data()), values.size_bytes());
  }

  void operator()(std::string const& text) { (*this)(std::span<char const>{text}); }

  std::string content{first_line};
};

class reader {
 public:
  reader(std::string const& path, std::string_view content, std::size_t begin)
      : path_{path}, content_{content}, position_{begin} {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void operator()(T& value) { copy(&value, sizeof value); }

  /// Into an array of known size.
  template <class T>
  void operator()(std::span<T> values) {
    if (size(sizeof(T)) != values.size()) do_not_fit();
    copy(values.data(), values.size_bytes());
  }

  template <class T>
  void operator()(std::vector<T>& values) {
    values.resize(size(sizeof(T)));
    copy(values.data(), values.size() * sizeof(T));
  }

  void operator()(std::string& text) {
    std::size_t const count = size(1);
    text.assign(take(count), count);
  }

  std::size_t size(std::size_t bytes_each) {
    std::uint64_t count = 0;
    (*this)(count);
    if (count > (content_.size() - position_) / bytes_each) do_not_fit();
    return count;
  }

  std::size_t position() const { return position_; }

 private:
  [[noreturn]] void do_not_fit() const { damaged(path_, "its parts do not fit together"); }

  /// An array of no elements has no address to copy to.
  void copy(void* to, std::size_t bytes) {
    char const* const from = take(bytes);
    if (bytes != 0) std::memcpy(to, from, bytes);
  }

  char const* take(std::size_t count) {
    if (count > content_.size() - position_) do_not_fit();
    position_ += count;
    return content_.data() + position_ - count;
  }

  std::string const& path_;
  std::string_view content_;
  std::size_t position_;
};

}  // namespace

void save_checkpoint(std::string const& path, checkpoint const& state, std::vector<std::span<float>> const& policy) {
  writer write;
  write(std::uint64_t{state.setup.size()});
  for (auto const& [name, value] : state.setup) {
    write(name);
    write(value);
  }
  write(state.sft_epochs);
  write(state.epochs);
  write(std::span{state.rows});
  write(std::span{state.ref_logp});
  write(std::span{state.reliability});
  for (auto const array : policy) write(array);
  write(checksum_of(write.content));
  replace_file(path, write.content);
}

checkpoint_file::checkpoint_file(std::string path) : path_{std::move(path)} {
  std::ifstream file{path_, std::ios::binary};
  if (!file)
    throw error_at(path_, 0, "", "cannot be opened, there is no run to resume: " + std::string{std::strerror(errno)});
  content_.assign(std::istreambuf_iterator<char>{file}, {});

  if (!content_.starts_with(first_line))
    throw error_at(path_, 0, "", "is not a checkpoint of this version of prefopt_train");
  if (content_.size() < first_line.size() + sizeof checksum_) damaged(path_, "it breaks off");
  std::memcpy(&checksum_, content_.data() + content_.size() - sizeof checksum_, sizeof checksum_);
  content_.resize(content_.size() - sizeof checksum_);
  if (checksum_ != checksum_of(content_)) damaged(path_, "its checksum is not that of its content");

  reader read{path_, content_, first_line.size()};
  state_.setup.resize(read.size(2 * sizeof(std::uint64_t)));
  for (auto& [name, value] : state_.setup) {
    read(name);
    read(value);
  }
  read(state_.sft_epochs);
  read(state_.epochs);
  read(state_.rows);
  read(state_.ref_logp);
  read(state_.reliability);
  policy_begin_ = read.position();
}

void checkpoint_file::check_state(run_setup const& setup, std::uint64_t sft_epochs, std::size_t candidates,
                                  std::size_t annotators) const {
  bool const has_reference = !state_.ref_logp.empty();
  if (state_.setup.size() != setup.size()) damaged(path_, "its options are not those of any run");
  if (has_reference ? state_.sft_epochs != sft_epochs || state_.ref_logp.size() != candidates
                    : state_.sft_epochs > sft_epochs || state_.epochs != 0) {
    damaged(path_, "its epochs and the reference's log-probs do not fit together");
  }
  if (!std::ranges::all_of(state_.ref_logp, is_finite)) damaged(path_, "a log-prob of the reference is not finite");

  std::uint64_t const rows = state_.rows.size();
  if (rows < state_.sft_epochs || rows - state_.sft_epochs != (has_reference ? state_.epochs + 1 : 0)) {
    damaged(path_, "it has metrics of " + std::to_string(rows) + " epochs, which are not those that are done");
  }
  for (std::uint64_t i = 0; i < rows; ++i) {
    bool const is_sft = i < state_.sft_epochs;
    epoch_metrics const& row = state_.rows[i];
    if (row.phase != (is_sft ? training_phase::sft : training_phase::preference) ||
        row.epoch != (is_sft ? i + 1 : i - state_.sft_epochs)) {
      damaged(path_, "its epochs are out of order");
    }
  }
  if (!state_.reliability.empty() &&
      (state_.reliability.size() != annotators ||
       !std::ranges::all_of(state_.reliability, [](double r) { return r >= 0 && r <= 1; }))) {
    damaged(path_, "its reliabilities are not those of " + std::to_string(annotators) + " annotators");
  }
}

void checkpoint_file::load_policy(std::vector<std::span<float>> const& policy) const {
  reader read{path_, content_, policy_begin_};
  for (auto const array : policy) read(array);
  if (read.position() != content_.size()) damaged(path_, "there is more than its parts");
  for (auto const array : policy) {
    if (!std::ranges::all_of(array, is_finite)) {
      throw error_at(path_, 0, "", "has weights that are not finite: there is no going on from them");
    }
  }
}
