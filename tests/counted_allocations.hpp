#pragma once

// Counts every allocation of the program that includes this, in one of its files only, and the bytes that are
// allocated at a time. Memory of more than the usual alignment is not counted.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::size_t allocations = 0;
std::size_t bytes_allocated = 0, most_bytes_allocated = 0;  ///< now, and at most: may be set back to now

/// In front of each allocation its size is kept.
constexpr std::size_t kept_in_front = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* counted(std::size_t size) {
  ++std::atomic_ref{allocations};
  auto* const memory = static_cast<char*>(std::malloc(kept_in_front + size));
  if (memory == nullptr) throw std::bad_alloc{};
  *reinterpret_cast<std::size_t*>(memory) = size;
  std::size_t const now = std::atomic_ref{bytes_allocated} += size;
  std::atomic_ref most{most_bytes_allocated};
  for (std::size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
  }
  return memory + kept_in_front;
}

void give_back(void* at) {
  if (at == nullptr) return;
  char* const memory = static_cast<char*>(at) - kept_in_front;
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
