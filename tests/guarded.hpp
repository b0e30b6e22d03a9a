#pragma once

#include <sys/mman.h>
#include <unistd.h>
#include <catch.hpp>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

/// Memory for values that end where a forbidden page begins, or begin where one ends.
template <class T>
class guarded {
 public:
  enum class against { end, begin };

  guarded(std::vector<T> const& values, against side) : page_{static_cast<std::size_t>(sysconf(_SC_PAGESIZE))} {
    std::size_t const bytes = values.size() * sizeof(T), pages = (bytes + page_ - 1) / page_;
    size_ = (pages + 2) * page_;
    memory_ =
        static_cast<unsigned char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(memory_ != MAP_FAILED);
    auto* const first = side == against::end ? memory_ + (pages + 1) * page_ - bytes : memory_ + page_;
    if (bytes != 0) std::memcpy(first, values.data(), bytes);
    values_ = std::span<T>{reinterpret_cast<T*>(first), values.size()};
    REQUIRE(mprotect(memory_, page_, PROT_NONE) == 0);
    REQUIRE(mprotect(memory_ + (pages + 1) * page_, page_, PROT_NONE) == 0);
  }
  guarded(guarded const&) = delete;
  guarded& operator=(guarded const&) = delete;
  ~guarded() { munmap(memory_, size_); }

  [[nodiscard]] std::span<T> values() const { return values_; }

 private:
  std::size_t page_, size_;
  unsigned char* memory_;
  std::span<T> values_;
};
