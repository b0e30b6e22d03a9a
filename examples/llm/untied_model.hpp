#pragma once

#include <filesystem>
#include <span>

/// Writes the model of a GGUF file with another output matrix, [vocabulary, width] in f32, which takes the place of its own
/// or of the token embedding that it shared; all else stays as it is. Throws input_error if it cannot be written.
void write_untied_model(std::filesystem::path const& from, std::span<float const> output,
                        std::filesystem::path const& to);
