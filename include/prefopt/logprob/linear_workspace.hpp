#pragma once

#include <cstddef>
#include <new>
#include <prefopt/core/abi.hpp>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

class workspace_lease;

}  // namespace detail

/// Memory that a linear head computes in, kept by the caller from one call to the next: `{.workspace = &space}`. It grows
/// to what the largest of them takes, at most that one's memory_budget (and 1 KiB), and then stays. Where it is large it
/// is aligned, and on Linux advised, for huge pages. For one call at a time, or a policy and its reference.
class linear_workspace {
 public:
  linear_workspace() = default;
  linear_workspace(linear_workspace&& other) noexcept { swap(other); }
  linear_workspace& operator=(linear_workspace&& other) noexcept {
    linear_workspace{std::move(other)}.swap(*this);
    return *this;
  }
  linear_workspace(linear_workspace const&) = delete;
  linear_workspace& operator=(linear_workspace const&) = delete;
  ~linear_workspace() { release(); }

  /// How much it holds.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// Gives all of it back; the next call takes what it needs.
  void release() noexcept {
    if (first_ != nullptr) ::operator delete (first_, std::align_val_t{alignment(bytes_)});
    first_ = nullptr;
    bytes_ = 0;
    ++uses_;
  }

 private:
  friend detail::workspace_lease;

  static constexpr std::size_t huge_page = std::size_t{2} << 20, cache_line = 64;

  static constexpr std::size_t alignment(std::size_t bytes) noexcept {
    return bytes >= 2 * huge_page ? huge_page : cache_line;
  }

  void grow(std::size_t bytes) {
    if (bytes <= bytes_) return;
    release();
    first_ = ::operator new (bytes, std::align_val_t{alignment(bytes)});
    bytes_ = bytes;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // A system that has none, or does not want to, goes on with small ones.
    if (alignment(bytes) == huge_page) static_cast<void>(madvise(first_, bytes / huge_page * huge_page, MADV_HUGEPAGE));
#endif
  }

  void swap(linear_workspace& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(bytes_, other.bytes_);
    std::swap(uses_, other.uses_);
  }

  void* first_ = nullptr;
  std::size_t bytes_ = 0, uses_ = 0;
};

namespace detail {

/// Pieces of a workspace, one behind the other, each on a cache line of its own. Without a workspace it has one itself.
class workspace_lease {
 public:
  explicit workspace_lease(linear_workspace* kept) noexcept : kept_{kept} {}

  template <class T>
  static constexpr std::size_t bytes_of(std::size_t count) noexcept {
    constexpr std::size_t line = linear_workspace::cache_line;
    return (count * sizeof(T) + line - 1) / line * line;
  }

  /// Begins anew: what was there is lost.
  void take(std::size_t bytes) {
    linear_workspace& space = here();
    space.grow(bytes);
    use_ = ++space.uses_;
    next_ = static_cast<unsigned char*>(space.first_);
  }

  /// Whether no other has taken the workspace since.
  [[nodiscard]] bool holds() const noexcept { return (kept_ != nullptr ? *kept_ : own_).uses_ == use_; }

  template <class T>
  [[nodiscard]] T* piece(std::size_t count) noexcept {
    auto* const at = next_;
    next_ += bytes_of<T>(count);
    return reinterpret_cast<T*>(at);
  }

 private:
  [[nodiscard]] linear_workspace& here() noexcept { return kept_ != nullptr ? *kept_ : own_; }

  linear_workspace* kept_;
  linear_workspace own_;
  std::size_t use_ = 0;
  unsigned char* next_ = nullptr;
};

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
