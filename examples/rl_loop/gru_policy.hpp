#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <random>

#include "byte_alphabet.hpp"
#include "sample_group.hpp"

/// An autoregressive policy over bytes: a gated recurrent unit (Cho et al. 2014, in PyTorch's form) that reads the prompt
/// and then its own completion, and one layer from its state to the logits of the next token. The layer's last output is
/// no logit but the value of a critic. T is float, or double to check gradients.
template <class T>
class gru_policy {
 public:
  using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  using vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

  /// Logits of the next token, and the value.
  static constexpr Eigen::Index output_count = byte_alphabet::size + 1;

  gru_policy(Eigen::Index width, std::mt19937_64& random);

  vector& weights() { return weights_; }
  vector const& weights() const { return weights_; }

  /// Completions of the prompt, each until its end or of `longest` tokens.
  sample_group sample(std::vector<byte_alphabet::token> const& prompt, std::size_t count, std::size_t longest,
                      std::mt19937_64& random) const;

  /// What the forward pass leaves to the backward pass: a column a state that a token is read in, or that a token is
  /// predicted from.
  struct pass {
    matrix previous, reset, update, candidate, recurrent;  ///< states read in, gates, what the gates are made of
    matrix states;                                         ///< that the tokens of the completions are predicted from
    matrix outputs;                                        ///< a column a token: its logits and the value
  };

  /// Outputs of the group's tokens, one completion after the other.
  void forward(sample_group const& group, pass& kept) const;

  /// Adds to the gradient by the weights, from that by the outputs.
  void backward(sample_group const& group, pass const& kept, matrix const& d_outputs, vector& gradient) const;

 private:
  /// The parts of a vector of weights, or of their gradient.
  template <class Vector>
  auto parts(Vector& vector) const;

  Eigen::Index size() const;
  /// One step of some columns, from `first` on in what is kept: state becomes the next state.
  void read(byte_alphabet::token const* tokens, Eigen::Index first, matrix& state, pass& kept) const;

  Eigen::Index width_;
  vector weights_;
};

extern template class gru_policy<float>;
extern template class gru_policy<double>;
