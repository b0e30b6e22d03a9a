#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <prefopt/core/errors.hpp>
#include <string>
#include <string_view>
#include <system_error>

// Which of ggml's operators have a backward pass, and what that takes: of ggml 0.9.1 to 0.25, on the CPU. Operators go by
// their names, since their numbers change from release to release.

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// Major, minor and patch.
using ggml_release = std::array<int, 3>;

inline ggml_release release_of(std::string_view where, char const* version) {
  ggml_release release{};
  char const* const end = version == nullptr ? nullptr : version + std::strlen(version);
  char const* at = version;
  std::size_t parts = 0;
  for (; parts < release.size() && at != end; ++parts) {
    auto const seen = std::from_chars(at, end, release[parts]);
    if (seen.ec != std::errc{}) break;
    at = seen.ptr != end && *seen.ptr == '.' ? seen.ptr + 1 : end;
  }
  if (parts >= 2) return release;
  fail(where, "the version is " + (version == nullptr ? "null" : "\"" + std::string{version} + "\"") +
                  ", expected what ggml_version() says, like 0.21.0");
}

/// What is asked of a gradient: nothing, elements side by side in its rows, no gaps and no permutation, or the strides of a
/// new tensor even where a dimension is 1, since some operators walk over all rows by one of them.
enum class ggml_layout { any, rows, contiguous, packed };

struct ggml_operator {
  std::string_view name;
  unsigned passes_to;                     ///< the sources that get a gradient, a bit each
  ggml_layout takes = ggml_layout::rows;  ///< of the gradient of its own result
  ggml_release since{};
};

inline constexpr ggml_operator ggml_operators[]{{"DUP", 1, ggml_layout::any},
                                                {"ADD", 3, ggml_layout::any},
                                                {"ADD1", 3, ggml_layout::any},
                                                {"ACC", 3, ggml_layout::contiguous},
                                                {"SUB", 3, ggml_layout::any},
                                                {"MUL", 3},
                                                {"DIV", 3},
                                                {"SQR", 1, ggml_layout::any},
                                                {"SQRT", 1},
                                                {"LOG", 1},
                                                {"SIN", 1},
                                                {"COS", 1},
                                                {"SUM", 1},
                                                {"SUM_ROWS", 1},
                                                {"MEAN", 1, ggml_layout::packed},
                                                {"REPEAT", 1},
                                                {"REPEAT_BACK", 1},
                                                {"RMS_NORM", 1},
                                                {"MUL_MAT", 3, ggml_layout::any},
                                                {"SCALE", 1, ggml_layout::packed},
                                                {"SET", 3, ggml_layout::contiguous},
                                                {"CPY", 1, ggml_layout::contiguous},
                                                {"CONT", 1, ggml_layout::contiguous},
                                                {"RESHAPE", 1, ggml_layout::any},
                                                {"VIEW", 1},
                                                {"PERMUTE", 1, ggml_layout::any},
                                                {"TRANSPOSE", 1, ggml_layout::any},
                                                {"GET_ROWS", 1},
                                                {"DIAG_MASK_INF", 1, ggml_layout::packed},
                                                {"DIAG_MASK_ZERO", 1, ggml_layout::packed},
                                                {"SOFT_MAX", 1, ggml_layout::packed},
                                                {"ROPE", 1},
                                                {"IM2COL", 2, ggml_layout::packed},
                                                {"POOL_2D", 1, ggml_layout::packed},
                                                {"CROSS_ENTROPY_LOSS", 1}};

/// Of the operator UNARY.
inline constexpr ggml_operator ggml_unary_operators[]{{"ABS", 1, ggml_layout::any},
                                                      {"SGN", 0},
                                                      {"NEG", 1, ggml_layout::contiguous},
                                                      {"STEP", 0},
                                                      {"RELU", 1, ggml_layout::any},
                                                      {"SILU", 1, ggml_layout::packed},
                                                      {"EXP", 1, ggml_layout::any},
                                                      {"EXPM1", 1, ggml_layout::rows, {0, 9, 5}},
                                                      {"SOFTPLUS", 1, ggml_layout::rows, {0, 9, 5}}};

/// Of the operator GLU, with its two halves apart.
inline constexpr ggml_operator ggml_gated_operators[]{{"SWIGLU", 3}};

/// Null: the operator has no backward pass.
template <std::size_t N>
ggml_operator const* find(ggml_operator const (&all)[N], std::string_view name) {
  auto const* const found = std::find_if(all, all + N, [&](auto const& each) { return each.name == name; });
  return found == all + N ? nullptr : found;
}

/// An operator by its most precise name: SILU, not UNARY.
template <class Tensor>
std::string operator_name(Tensor const& tensor) {
  std::string const name{ggml_op_name(tensor.op)};
  if (name == "UNARY") return ggml_unary_op_name(ggml_get_unary_op(&tensor));
  if (name == "GLU") return ggml_glu_op_name(ggml_get_glu_op(&tensor));
  return name;
}

template <class Tensor>
ggml_operator const* backward_of(Tensor const& tensor) {
  std::string_view const kind{ggml_op_name(tensor.op)};
  std::string const name = operator_name(tensor);
  if (kind == "UNARY") return find(ggml_unary_operators, name);
  if (kind == "GLU") return find(ggml_gated_operators, name);
  return find(ggml_operators, name);
}

/// A source that a result does not depend on, or only by its shape or by integers: ggml looks for no gradient there.
inline bool is_ignored(std::string_view name, std::size_t source) {
  auto const is_one_of = [&](auto const&... names) { return ((name == names) || ...); };
  if (source == 0) return is_one_of("IM2COL", "IM2COL_BACK", "SGN", "STEP");
  return source == 1 && is_one_of("CPY", "GET_ROWS", "GET_ROWS_BACK", "ROPE");
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
