// A reward model in RLtools: an MLP over the features of a completion, trained on pairs by Bradley-Terry. Chosen and
// rejected are every other row of one batch, so that one forward and one backward pass serve both; prefopt reads the
// network's output and writes its gradient where RLtools keeps them, whatever the pitch of their rows.

// Each needs what those before it declare.
// clang-format off
#include <rl_tools/operations/cpu.h>
#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>
#include <rl_tools/nn/layers/dense/operations_cpu.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn/optimizers/adam/operations_generic.h>
// clang-format on

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <prefopt/prefopt.hpp>
#include <vector>

#include "reward_task.hpp"

namespace {

namespace rlt = rl_tools;
using device_type = rlt::devices::DefaultCPU;
using index = device_type::index_t;
using number = double;
using type_policy = rlt::numeric_types::Policy<number>;

constexpr index pairs = 512, samples = 2 * pairs, width = 16;

template <index Rows, index Columns, index Pitch = Columns>
using matrix = rlt::Matrix<
    rlt::matrix::Specification<number, index, Rows, Columns, true, rlt::matrix::layouts::Fixed<index, Pitch, 1>>>;

using configuration = rlt::nn_models::mlp::Configuration<type_policy, index, 1, 3, width,
                                                         rlt::nn::activation_functions::ActivationFunction::TANH,
                                                         rlt::nn::activation_functions::ActivationFunction::IDENTITY>;
using network_type =
    rlt::nn_models::mlp::NeuralNetwork<configuration, rlt::nn::capability::Gradient<rlt::nn::parameters::Adam>,
                                       rlt::tensor::Shape<index, 1, samples, reward_task::features>>;

/// The first column of every other row, where it lies: chosen from row 0, rejected from row 1.
template <class Spec>
prefopt::column<number> every_other(rlt::Matrix<Spec> const& matrix, index first) {
  return {matrix._data + first * Spec::ROW_PITCH, Spec::ROWS / 2, 2 * Spec::ROW_PITCH};
}
template <class Spec>
prefopt::output<number> every_other_output(rlt::Matrix<Spec>& matrix, index first) {
  return {matrix._data + first * Spec::ROW_PITCH, Spec::ROWS / 2, 2 * Spec::ROW_PITCH};
}

class reward_model {
 public:
  reward_model() {
    rlt::malloc(device_, network_);
    rlt::malloc(device_, buffer_);
    rlt::malloc(device_, optimizer_);
    rlt::malloc(device_, features_);
    rlt::malloc(device_, d_output_);
    rlt::malloc(device_, random_);
    rlt::init(device_, random_, 1);
    rlt::init_weights(device_, network_, random_);
    rlt::init(device_, optimizer_);  // without it, Adam's step is 0
    rlt::reset_optimizer_state(device_, optimizer_, network_);
  }
  ~reward_model() {
    rlt::free(device_, network_);
    rlt::free(device_, buffer_);
    rlt::free(device_, optimizer_);
    rlt::free(device_, features_);
    rlt::free(device_, d_output_);
    rlt::free(device_, random_);
  }
  reward_model(reward_model const&) = delete;
  reward_model& operator=(reward_model const&) = delete;

  /// Rewards, loss and the loss's gradient by the rewards.
  prefopt::report evaluate(std::vector<reward_task::pair> const& batch) {
    for (index i = 0; i < pairs; ++i) {
      for (index feature = 0; feature < reward_task::features; ++feature) {
        rlt::set(features_, 2 * i, feature, static_cast<number>(batch[i].chosen[feature]));
        rlt::set(features_, 2 * i + 1, feature, static_cast<number>(batch[i].rejected[feature]));
      }
    }
    rlt::forward(device_, network_, features_, buffer_, random_);
    auto& reward = network_.output_layer.output;
    return prefopt::evaluate(
        prefopt::bradley_terry{},
        prefopt::pair_batch<number>{.chosen = every_other(reward, 0), .rejected = every_other(reward, 1)},
        {.d_chosen = every_other_output(d_output_, 0), .d_rejected = every_other_output(d_output_, 1)});
  }

  /// The gradient by the parameters, after `evaluate`.
  void backward() {
    rlt::zero_gradient(device_, network_);
    rlt::backward(device_, network_, features_, d_output_, buffer_);
  }

  void step() { rlt::step(device_, optimizer_, network_); }

  /// Calls f(parameter, its gradient) for each parameter.
  template <class F>
  void for_each_parameter(F const& f) {
    auto const visit = [&]<class P>(P& parameters) {
      for (index i = 0; i < P::TENSOR_SPEC::SIZE; ++i) f(parameters.parameters._data[i], parameters.gradient._data[i]);
    };
    visit(network_.input_layer.weights);
    visit(network_.input_layer.biases);
    visit(network_.hidden_layers[0].weights);
    visit(network_.hidden_layers[0].biases);
    visit(network_.output_layer.weights);
    visit(network_.output_layer.biases);
  }

 private:
  device_type device_;
  device_type::SPEC::RANDOM::ENGINE<> random_;
  network_type network_;
  network_type::Buffer<> buffer_;
  rlt::nn::optimizers::Adam<rlt::nn::optimizers::adam::Specification<type_policy, index>> optimizer_;
  matrix<samples, reward_task::features> features_;
  matrix<samples, 1, 4> d_output_;  // with room between its rows, as an aligned matrix has it
};

/// The largest difference of the gradient from central differences, as a share of the largest slope.
double gradient_error(reward_model& model, std::vector<reward_task::pair> const& batch) {
  model.evaluate(batch);
  model.backward();
  std::vector<number> gradient;
  model.for_each_parameter([&](number&, number& d) { gradient.push_back(d); });
  double largest = 0, worst = 0;
  std::size_t next = 0;
  model.for_each_parameter([&](number& parameter, number&) {
    number const at = parameter, step = 1e-5;
    parameter = at + step;
    double const above = model.evaluate(batch).loss;
    parameter = at - step;
    double const below = model.evaluate(batch).loss;
    parameter = at;
    double const slope = (above - below) / (2 * step);
    largest = std::max(largest, std::abs(slope));
    worst = std::max(worst, std::abs(slope - gradient[next++]));
  });
  return worst / largest;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    bool const help = std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0;
    std::fprintf(
        help ? stdout : stderr,
        "usage: rltools_reward_model\n"
        "Trains a reward model, an RLtools MLP, on %zu pairs by Bradley-Terry, and compares its gradient with\n"
        "finite differences. Takes no arguments. Exit status 1 if it did not learn.\n",
        static_cast<std::size_t>(pairs));
    return help ? 0 : 2;
  }

  reward_task const task{pairs, pairs};
  reward_model model;
  double const error = gradient_error(model, task.train);
  auto const held_out_before = model.evaluate(task.held_out), before = model.evaluate(task.train);
  for (int epoch = 0; epoch < 200; ++epoch) {
    model.evaluate(task.train);
    model.backward();
    model.step();
  }
  auto const after = model.evaluate(task.train), held_out = model.evaluate(task.held_out);
  std::printf("gradient: differs from finite differences by %.1e of its largest entry\n", error);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", before.loss, after.loss, held_out_before.accuracy,
              held_out.accuracy);
  return error < 1e-6 && held_out.accuracy > 0.93 ? 0 : 1;
}
