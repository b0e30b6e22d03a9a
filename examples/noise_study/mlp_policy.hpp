#pragma once

#include <Eigen/Core>
#include <array>
#include <prefopt/train/policy.hpp>
#include <random>
#include <span>

/// A policy over the candidates of a context: the softmax of a network's outputs, one hidden layer of tanh. A batch is
/// a matrix with a context a column; its candidates' log-probs lie context after context.
class mlp_policy {
 public:
  mlp_policy(Eigen::Index inputs, Eigen::Index width, Eigen::Index outputs, std::mt19937_64& random);

  /// Keeps the activations, for `backward` of the same batch.
  void log_probs(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out);
  void log_probs(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out) const;

  /// Sets the gradient.
  void backward(Eigen::MatrixXf const& contexts, prefopt::list_gradients<float> const& gradients);

  Eigen::VectorXf const& gradient() const { return gradient_; }
  Eigen::VectorXf& weights() { return weights_; }

  /// For an anchor that follows the average.
  std::array<std::span<float>, 1> parameters() { return {std::span{weights_.data(), size()}}; }
  std::array<std::span<float const>, 1> parameters() const { return {std::span{weights_.data(), size()}}; }

 private:
  /// The parts of a vector of weights, or of their gradient.
  template <class Vector>
  auto parts(Vector& vector) const;

  std::size_t size() const { return static_cast<std::size_t>(weights_.size()); }
  void forward(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out,
               Eigen::MatrixXf& hidden) const;

  Eigen::Index context_size_, width_, candidates_;
  Eigen::VectorXf weights_, gradient_;
  Eigen::MatrixXf hidden_, probabilities_;  ///< of the last log_probs
};
