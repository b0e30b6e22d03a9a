#pragma once

/// What is known of the worths before the data. Either keeps them finite, whoever has won.
struct prior {
  enum class form {
    none,
    ghost,   ///< one more item, against which each has won `size` times and lost as often
    normal,  ///< worths are normal, with standard deviation `size`
  } kind = form::none;
  double size = 0;
};
