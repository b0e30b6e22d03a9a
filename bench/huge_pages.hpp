#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/// Memory in huge pages where the system has them.
template <class T>
struct huge_pages {
  using value_type = T;
  static constexpr std::align_val_t page{std::size_t{2} << 20};

  huge_pages() = default;
  template <class U>
  huge_pages(huge_pages<U> const&) noexcept {}

  T* allocate(std::size_t count) {
    void* const first = ::operator new(count * sizeof(T), page);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    static_cast<void>(madvise(first, count * sizeof(T), MADV_HUGEPAGE));
#endif
    return static_cast<T*>(first);
  }
  void deallocate(T* first, std::size_t) noexcept { ::operator delete(first, page); }

  bool operator==(huge_pages const&) const = default;
};

template <class T>
using huge_vector = std::vector<T, huge_pages<T>>;
