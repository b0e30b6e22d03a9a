#pragma once

// Counts every allocation of the program that includes this, in one of its files only, and the bytes that are
// allocated at a time.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::size_t allocations = 0;
std::size_t bytes_allocated = 0, most_bytes_allocated = 0;  ///< now, and at most: may be set back to now

/// In front of each allocation its size is kept, at a distance that leaves it aligned.
constexpr std::size_t usual_alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* counted(std::size_t size, std::size_t alignment = usual_alignment) {
  ++std::atomic_ref{allocations};
  std::size_t const whole = (alignment + size + alignment - 1) / alignment * alignment;
  auto* const memory = static_cast<char*>(std::aligned_alloc(alignment, whole));
  if (memory == nullptr) throw std::bad_alloc{};
  *reinterpret_cast<std::size_t*>(memory) = size;
  std::size_t const now = std::atomic_ref{bytes_allocated} += size;
  std::atomic_ref most{most_bytes_allocated};
  for (std::size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
  }
  return memory + alignment;
}

void give_back(void* at, std::size_t alignment = usual_alignment) {
  if (at == nullptr) return;
  char* const memory = static_cast<char*>(at) - alignment;
  std::atomic_ref{bytes_allocated} -= *reinterpret_cast<std::size_t*>(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// All forms, or a sanitizer's own would be paired with the free below.
void* operator new(std::size_t size, std::nothrow_t const&) noexcept { return counted(size); }
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory, std::align_val_t alignment) noexcept {
  give_back(memory, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  give_back(memory, static_cast<std::size_t>(alignment));
}
