#include "mlp_policy.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>
#include <utility>

template <class Vector>
auto mlp_policy::parts(Vector& vector) const {
  constexpr bool is_const = std::is_const_v<Vector>;
  using matrix = std::conditional_t<is_const, Eigen::MatrixXf const, Eigen::MatrixXf>;
  using column = std::conditional_t<is_const, Eigen::VectorXf const, Eigen::VectorXf>;
  struct {
    Eigen::Map<matrix> hidden;
    Eigen::Map<column> hidden_bias;
    Eigen::Map<matrix> output;
    Eigen::Map<column> output_bias;
  } split{{vector.data(), width_, context_size_},
          {vector.data() + width_ * context_size_, width_},
          {vector.data() + width_ * (context_size_ + 1), candidates_, width_},
          {vector.data() + width_ * (context_size_ + 1 + candidates_), candidates_}};
  return split;
}

mlp_policy::mlp_policy(Eigen::Index inputs, Eigen::Index width, Eigen::Index outputs, std::mt19937_64& random)
    : context_size_{inputs},
      width_{width},
      candidates_{outputs},
      weights_{Eigen::VectorXf::Zero(width * (inputs + 1) + outputs * (width + 1))},
      gradient_{Eigen::VectorXf::Zero(weights_.size())} {
  // As PyTorch's Linear begins, but for its biases.
  auto const fill = [&](auto layer) {
    float const bound = 1 / std::sqrt(static_cast<float>(layer.cols()));
    std::uniform_real_distribution<float> uniform{-bound, bound};
    for (float& weight : layer.reshaped()) weight = uniform(random);
  };
  auto const layers = parts(weights_);
  fill(layers.hidden);
  fill(layers.output);
}

void mlp_policy::forward(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out,
                         Eigen::MatrixXf& hidden) const {
  auto const layers = parts(weights_);
  hidden.noalias() = layers.hidden * contexts;
  hidden.colwise() += layers.hidden_bias;
  hidden = hidden.array().tanh();
  Eigen::Map<Eigen::MatrixXf> logp{out.logp.data(), candidates_, contexts.cols()};
  logp.noalias() = layers.output * hidden;
  logp.colwise() += layers.output_bias;
  logp.rowwise() -= logp.colwise().maxCoeff().eval();
  logp.rowwise() -= logp.array().exp().matrix().colwise().sum().array().log().matrix().eval();
  // A candidate is one token, for losses that go by the token.
  std::ranges::fill(out.length, 1.0F);
}

void mlp_policy::log_probs(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out) const {
  Eigen::MatrixXf hidden;
  forward(contexts, out, hidden);
}

void mlp_policy::log_probs(Eigen::MatrixXf const& contexts, prefopt::list_log_probs<float> const& out) {
  forward(contexts, out, hidden_);
  probabilities_ = Eigen::Map<Eigen::MatrixXf const>{out.logp.data(), candidates_, contexts.cols()}.array().exp();
}

void mlp_policy::backward(Eigen::MatrixXf const& contexts, prefopt::list_gradients<float> const& gradients) {
  Eigen::Map<Eigen::MatrixXf const> const d_logp{gradients.logp.data(), candidates_, contexts.cols()};
  Eigen::MatrixXf const d_output =
      d_logp.array() - probabilities_.array().rowwise() * d_logp.colwise().sum().array().eval();
  auto const layers = parts(std::as_const(weights_));
  auto d_layers = parts(gradient_);
  d_layers.output.noalias() = d_output * hidden_.transpose();
  d_layers.output_bias = d_output.rowwise().sum();
  Eigen::MatrixXf d_hidden = layers.output.transpose() * d_output;
  d_hidden.array() *= 1 - hidden_.array().square();
  d_layers.hidden.noalias() = d_hidden * contexts.transpose();
  d_layers.hidden_bias = d_hidden.rowwise().sum();
}
