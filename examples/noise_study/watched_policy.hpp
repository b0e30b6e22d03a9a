#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <prefopt/train/step.hpp>
#include <string>
#include <string_view>

#include "input_error.hpp"
#include "mlp_policy.hpp"
#include "number_text.hpp"

/// Throws an input_error that names the options which can have made a log-prob endless. The reference is trained by the
/// learning rate alone.
[[noreturn]] inline void refuse_log_prob(std::string_view method, std::size_t step, double got) {
  bool const is_reference = method == "reference";
  throw input_error{std::string{is_reference ? "--learning-rate" : "--learning-rate, --tau or --beta-reward"} +
                    ": in step " + std::to_string(step) + " of " +
                    std::string{is_reference ? "the reference" : method} + " a log-prob has become " +
                    (std::isnan(got) ? "nan" : number_text(got)) + "; a smaller rate " +
                    (is_reference ? "" : "or a larger tau or beta-reward ") + "may help"};
}

/// A policy in training, asked once a step, whose log-probs have to be finite: a loss would refuse them by their place in
/// a column.
class watched_policy {
 public:
  watched_policy(mlp_policy& policy, std::string_view method) : policy_{policy}, method_{method} {}

  void log_probs(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out) {
    ++step_;
    policy_.log_probs(contexts, out);
    for (float const logp : out.logp) {
      if (!std::isfinite(logp)) refuse_log_prob(method_, step_, static_cast<double>(logp));
    }
  }

  void backward(Eigen::MatrixXf const& contexts, prefopt::list_gradients<float> const& gradients) {
    policy_.backward(contexts, gradients);
  }

 private:
  mlp_policy& policy_;
  std::string_view method_;
  std::size_t step_ = 0;
};
