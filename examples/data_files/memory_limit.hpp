#pragma once

#include <cstdint>

/// Bytes of memory that this process can have at most: what the machine has, or what its control group is given.
std::uint64_t memory_limit();
