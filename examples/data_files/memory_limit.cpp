#include "memory_limit.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

std::uint64_t memory_limit() {
  auto const pages = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  auto limit = pages * static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  for (char const* const path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file{path};
    std::uint64_t of_group = 0;
    if (file >> of_group) limit = std::min(limit, of_group);  // "max" is no number
  }
  return limit;
}
