#pragma once

#include <span>

#include "llama_runtime.hpp"
#include "tuned_sequences.hpp"

/// How far llama.cpp's runtime is from these log-probs of answers: the largest difference, as a part of the log-prob.
double runtime_difference(llama_runtime& runtime, std::size_t vocabulary, sequence_list sequences,
                          std::span<double const> logp);
