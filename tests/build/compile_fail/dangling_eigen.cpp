// The same for what Eigen computes into a temporary.
#include <Eigen/Core>
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>

void use(Eigen::VectorXd const& a, Eigen::VectorXd const& b) {
#if defined(MISTAKE)
  prefopt::column<double> const sum = (a + b).eval();
#else
  Eigen::VectorXd const kept = a + b;
  prefopt::column<double> const sum = kept;
#endif
  prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<double>{.chosen = sum, .rejected = b});
}
