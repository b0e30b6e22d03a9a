#pragma once

#include <sys/mman.h>
#include <unistd.h>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_input.hpp"

/// A file without a place on a disk, whose content changes from input to input.
class in_memory_file {
 public:
  in_memory_file() : descriptor_{memfd_create("fuzz", 0)}, path_{"/proc/self/fd/" + std::to_string(descriptor_)} {
    promise(descriptor_ >= 0, "a file in memory can be made");
  }
  in_memory_file(in_memory_file const&) = delete;
  in_memory_file& operator=(in_memory_file const&) = delete;
  ~in_memory_file() { close(descriptor_); }

  /// What its path leads to from now on.
  std::string const& with(std::string_view content) {
    promise(ftruncate(descriptor_, 0) == 0 &&
                pwrite(descriptor_, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()),
            "a file in memory can be written");
    return path_;
  }

 private:
  int descriptor_;
  std::string path_;
};
