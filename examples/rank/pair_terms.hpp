#pragma once

#include "tie_model.hpp"

/// How often two items won against each other and tied.
struct pair_counts {
  double first = 0, second = 0, tie = 0;
  double all() const { return first + second + tie; }
};

/// Logarithms of the probabilities of a comparison's outcomes.
struct pair_log_probabilities {
  double first = 0, second = 0, tie = 0;
};

/// Derivatives of a comparison's log-likelihood by the difference of the worths and by the parameter of ties; the second
/// ones with the sign turned.
struct pair_derivatives {
  double worth = 0, tie = 0, worth_worth = 0, worth_tie = 0, tie_tie = 0;
};

/// A model of comparisons of two, for a difference d of the worths. With x = e^d:
///   without ties    P(first) = x / (1 + x)
///   Davidson        P(first) : P(second) : P(tie) = x : 1 : e^parameter sqrt(x)
///   Rao and Kupper  P(first) = x / (x + theta), P(second) = 1 / (1 + theta x); theta^2 = 1 + e^parameter
struct pair_model {
  tie_model ties;  ///< half is as none
  double parameter = 0;

  pair_log_probabilities log_probabilities(double difference) const;
  pair_derivatives derivatives(double difference, pair_counts const& counts) const;
};

/// log(e^a + e^b)
double log_sum(double a, double b);
/// count e^x, also where the power alone is below the smallest number
double times_exp(double count, double x);
