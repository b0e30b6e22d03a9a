// Hidden states to log-probs and back, with products that a host wrote: every chunk, every type.
#include "host_products.hpp"
#include "linear_checks.hpp"

TEST_CASE("a head in chunks agrees with long double, by plain products") {
  check_every_chunk<double, plain_product<double>>({11, 13, 5}, "double, plain");
  check_every_chunk<float, plain_product<float>>({11, 13, 5}, "float, plain");
  check_every_chunk<prefopt::bfloat16, plain_product<float>>({11, 13, 5}, "bfloat16 as float");
  check_every_chunk<prefopt::bfloat16, plain_half_product<prefopt::bfloat16>>({11, 13, 5}, "bfloat16 as it is");
  check_every_chunk<prefopt::float16, plain_product<float>>({11, 13, 5}, "float16 as float");
  check_every_chunk<prefopt::float16, plain_half_product<prefopt::float16>>({11, 13, 5}, "float16 as it is");
}

TEST_CASE("the smallest heads, and one without bias") {
  check_every_chunk<double, plain_product<double>>({1, 2, 1}, "1 row of 2 logits");
  check_every_chunk<float, plain_product<float>>({2, 1, 3}, "a vocabulary of 1");
  check_every_chunk<prefopt::bfloat16, plain_half_product<prefopt::bfloat16>>({3, 17, 1}, "width 1");
  linear_data<double> data{7, 9, 4};
  data.has_bias = false;
  check_every_chunk<double, plain_product<double>>(data, "double without bias");
}

TEST_CASE("the bits of a head in chunks do not depend on the number of threads") {
  check_threads<double, plain_product<double>>("double");
  check_threads<prefopt::bfloat16, plain_product<float>>("bfloat16 as float");
  check_threads<prefopt::bfloat16, plain_half_product<prefopt::bfloat16>>("bfloat16 as it is");
}
