#pragma once

// Torch's logging and Catch2 both want the names CHECK and so on: here they are Catch2's.
#include <torch/torch.h>
#undef CHECK
#undef CHECK_NOTNULL
#include <catch.hpp>
#include <vector>

using torch::autograd::grad;

/// The largest |got - expected|, relative to expected and a twentieth of the largest.
inline double difference(at::Tensor const& got, at::Tensor const& expected) {
  REQUIRE(got.sizes() == expected.sizes());
  at::Tensor const a = got.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  if (a.numel() == 0) return 0;
  at::Tensor const size = b.abs() + 0.05 * b.abs().max() + 1e-300;
  return ((a - b).abs() / size).max().item<double>();
}

/// Torch's own errors have the whole call stack below the message.
template <class Call>
bool torch_refuses(Call&& call) {
  try {
    call();
  } catch (c10::Error const&) {
    return true;
  }
  return false;
}

inline at::Tensor integers(std::vector<std::int64_t> const& values) { return torch::tensor(values, at::kLong); }
