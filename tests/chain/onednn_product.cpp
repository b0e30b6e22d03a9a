// Hidden states to log-probs and back, with the products of oneDNN.
#if defined(PREFOPT_TEST_ONEDNN)
#include <prefopt/adapter/onednn_product.hpp>

#include "linear_checks.hpp"

TEST_CASE("a head in chunks agrees with long double, by oneDNN") {
  check_every_chunk<float, prefopt::onednn_product>({11, 13, 5}, "float, oneDNN");
  check_every_chunk<prefopt::bfloat16, prefopt::onednn_product>({11, 13, 5}, "bfloat16, oneDNN");
  check_every_chunk<prefopt::float16, prefopt::onednn_product>({11, 13, 5}, "float16 as float, oneDNN");
  check_every_chunk<float, prefopt::onednn_product>({9, 1100, 300}, "float, oneDNN, large", {}, 1);
  check_every_chunk<prefopt::bfloat16, prefopt::onednn_product>({9, 1100, 300}, "bfloat16, oneDNN, large", {}, 1);
}

TEST_CASE("oneDNN: products of small shapes") { check_small_products<float, prefopt::onednn_product>(); }

TEST_CASE("oneDNN: the bits do not depend on the number of threads") {
  check_threads<prefopt::bfloat16, prefopt::onednn_product>("bfloat16");
}
#else
#include "absent.hpp"

TEST_CASE("a head in chunks agrees with long double, by oneDNN") { skip_without("oneDNN (Debian: libdnnl-dev)"); }
#endif
