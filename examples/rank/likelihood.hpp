#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "choices.hpp"
#include "information.hpp"
#include "prior.hpp"
#include "worth.hpp"

/// Where a likelihood is looked at: the worths of the vertices, and the parameters of the ties, for each of
/// `choices::tie_sizes` one. Davidson's are logarithms; Rao and Kupper's is log(theta^2 - 1).
struct fit_position {
  std::vector<worth> worths;
  std::vector<double> ties;

  void add(information::direction const& step, double length);
};

/// The log-likelihood of choices with these counts, and what the prior adds. It is concave.
class likelihood {
 public:
  likelihood(choices const& terms, std::span<double const> counts, prior const& before);

  /// The gradient; and the information, which is cleared before.
  information::direction derivatives(fit_position const& at, information& curvature) const;

  /// The logarithms of the likelihood's factors, in a fixed order; with what the prior adds, or of the data alone.
  std::vector<double> factors(fit_position const& at, bool with_prior) const;

  /// The most that the step changes log odds of outcomes of one choice. Along the step the curvature then changes by at
  /// most e^(this) (generalized self-concordance, Bach 2010).
  double range(information::direction const& step) const;

  /// Of the choices, without those that the counts do not have: their parameters have no maximum, and are not there.
  std::vector<std::size_t> const& tie_sizes() const { return tie_sizes_; }

 private:
  choices const& terms_;
  std::span<double const> counts_;
  prior before_;
  std::vector<std::size_t> tie_sizes_;
};
