#pragma once

#include <span>

#include "tokenizer.hpp"

/// Sequences that a policy is asked about together.
using sequence_list = std::span<tokenized_pair const* const>;
