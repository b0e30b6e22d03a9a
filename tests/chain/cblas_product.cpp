// Hidden states to log-probs and back, with the products of a BLAS.
#if defined(PREFOPT_TEST_CBLAS)
#include <prefopt/adapter/cblas_product.hpp>

#include "linear_checks.hpp"

namespace {

/// Threads of its own would only be in the way of these small products.
void use_one_thread() {
#if defined(OPENBLAS_VERSION)
  openblas_set_num_threads(1);
#endif
}

}  // namespace

TEST_CASE("a BLAS: products of small shapes") {
  use_one_thread();
  check_small_products<float, prefopt::cblas_product>();
  check_small_products<double, prefopt::cblas_product>();
}

TEST_CASE("a head in chunks agrees with long double, by a BLAS") {
  use_one_thread();
  check_every_chunk<double, prefopt::cblas_product>({11, 13, 5}, "double, BLAS");
  check_every_chunk<float, prefopt::cblas_product>({11, 13, 5}, "float, BLAS");
  check_every_chunk<prefopt::bfloat16, prefopt::cblas_product>({11, 13, 5}, "bfloat16, BLAS");
  check_every_chunk<float, prefopt::cblas_product>({9, 1100, 300}, "float, BLAS, large", {}, 1);
}

TEST_CASE("a BLAS: the bits do not depend on the number of threads") {
  use_one_thread();
  check_threads<float, prefopt::cblas_product>("float");
}
#else
#include "absent.hpp"

TEST_CASE("a head in chunks agrees with long double, by a BLAS") { skip_without("OpenBLAS (Debian: libopenblas-dev)"); }
#endif
