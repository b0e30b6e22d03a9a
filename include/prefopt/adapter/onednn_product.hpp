#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <concepts>
#include <prefopt/logprob/matrix_product.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Matrix products by oneDNN, of floats, or of bfloat16 with sums in float. oneDNN has threads of its own; together
/// with an executor, give it one (OMP_NUM_THREADS=1). Throws dnnl::error.
struct onednn_product {
  template <class U>
    requires(std::same_as<U, float> || detail::bfloat16_like<U>)
  void operator()(matrix_factor<U> const& a, matrix_factor<U> const& b, row_major<float> const& c,
                  bool accumulate) const {
    using dnnl::memory;
    static dnnl::engine const cpu{dnnl::engine::kind::cpu, 0};
    thread_local dnnl::stream order{cpu};
    constexpr auto type = std::same_as<U, float> ? memory::data_type::f32 : memory::data_type::bf16;
    auto const describe = [](auto const& m, memory::data_type number, bool transposed) {
      auto const integer = [](auto x) { return static_cast<memory::dim>(x); };
      // oneDNN 3 takes one column for a contiguous vector if its own stride, which nothing depends on, is 1.
      memory::dims size{integer(m.rows()), integer(m.columns())},
          strides{m.stride(), m.columns() == 1 ? integer(m.rows()) * m.stride() : 1};
      if (transposed) {
        std::swap(size[0], size[1]);
        std::swap(strides[0], strides[1]);
      }
      return memory::desc{size, number, strides};
    };
    auto const bind = [&](auto const& m, memory::desc const& as) {
      return memory{as, cpu, const_cast<void*>(static_cast<void const*>(m.data()))};
    };
    memory::desc const of_a = describe(a.stored, type, a.transposed), of_b = describe(b.stored, type, b.transposed),
                       of_c = describe(c, memory::data_type::f32, false);
    dnnl::primitive_attr attributes;
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1);
      attributes.set_post_ops(sum);
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl::matmul::primitive_desc const description{cpu, of_a, of_b, of_c, attributes};
#else
    dnnl::matmul::primitive_desc const description{dnnl::matmul::desc{of_a, of_b, of_c}, attributes, cpu};
#endif
    dnnl::matmul{description}.execute(order, {{DNNL_ARG_SRC, bind(a.stored, of_a)},
                                              {DNNL_ARG_WEIGHTS, bind(b.stored, of_b)},
                                              {DNNL_ARG_DST, bind(c, of_c)}});
    order.wait();
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
