#pragma once

#include <cstddef>
#include <prefopt/logprob/filter_kernel.hpp>
#include <prefopt/logprob/row_kernels.hpp>
#include <prefopt/view/kernel_types.hpp>

namespace PREFOPT_KERNELS {

/// The kernels of a loss by its name; those of its family are not null.
struct named_kernels {
  char const* name;
  std::size_t size;  ///< of the loss, with a name resolved
  block_kernels<float> const* block_of_float;
  block_kernels<double> const* block_of_double;
  list_kernels<float> const* list_of_float;
  list_kernels<double> const* list_of_double;
  token_kernels<float> const* token_of_float;
  token_kernels<double> const* token_of_double;
};

/// Everything that is compiled for one instruction set: constant data.
struct kernel_table {
  named_kernels const* losses;
  std::size_t loss_count;
  row_kernels<float> rows_of_float, rows_of_bfloat16, rows_of_float16;
  row_kernels<double> rows_of_double;
  kept_row_kernels<float> kept_rows_of_float, kept_rows_of_bfloat16, kept_rows_of_float16;
  kept_row_kernels<double> kept_rows_of_double;
  rounding_kernel<float> to_bfloat16, to_float16;
  filter_kernels<float> filter_of_float;
  filter_kernels<double> filter_of_double;
};

}  // namespace PREFOPT_KERNELS
