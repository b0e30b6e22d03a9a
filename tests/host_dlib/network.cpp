#include <dlib/dnn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <prefopt/adapter/dlib.hpp>
#include <prefopt/loss/bradley_terry.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "refusal.hpp"
#include "reward_task.hpp"

namespace {

using sample = dlib::matrix<float, 0, 1>;
using reward_layer = prefopt::dlib_pair_loss<prefopt::bradley_terry>;
using reward_model = dlib::add_loss_layer<reward_layer, dlib::fc<1, dlib::htan<dlib::fc<8, dlib::input<sample>>>>>;

/// Chosen and rejected in turn.
std::vector<sample> samples_of(std::vector<reward_task::pair> const& pairs) {
  std::vector<sample> samples;
  for (auto const& pair : pairs) {
    for (auto const* features : {&pair.chosen, &pair.rejected}) {
      samples.push_back(dlib::mat(features->data(), static_cast<long>(features->size())));
    }
  }
  return samples;
}

double loss_of(reward_model& model, std::vector<sample> const& samples) {
  std::vector<prefopt::dlib_label> const labels(samples.size());
  return model.compute_loss(samples.begin(), samples.end(), labels.begin());
}

double accuracy_of(reward_model& model, std::vector<sample> const& samples) {
  loss_of(model, samples);
  return model.loss_details().report().accuracy;
}

}  // namespace

TEST_CASE("a dlib network learns rewards under dnn_trainer") {
  reward_task const task;
  auto const train = samples_of(task.train), held_out = samples_of(task.held_out);
  std::vector<prefopt::dlib_label> const labels(train.size());

  reward_model model;
  double const loss_before = loss_of(model, train), accuracy_before = accuracy_of(model, held_out);
  dlib::dnn_trainer<reward_model, dlib::adam> trainer{model};
  trainer.set_learning_rate(0.01);
  trainer.set_mini_batch_size(128);
  trainer.set_max_num_epochs(40);
  trainer.train(train, labels);
  trainer.get_net();
  double const loss_after = loss_of(model, train), accuracy_after = accuracy_of(model, held_out);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", loss_before, loss_after, accuracy_before,
              accuracy_after);
  CHECK(loss_after < 0.2);
  CHECK(accuracy_after > 0.93);

  // The layer's reward for a sample alone is what the network says; all are in one batch here as well, since products
  // of other rows may round otherwise.
  auto const rewards = model(held_out, held_out.size());
  double right = 0;
  for (std::size_t i = 0; i < rewards.size(); i += 2) right += rewards[i] > rewards[i + 1] ? 1 : 0;
  CHECK(right / static_cast<double>(task.held_out.size()) == accuracy_after);
}

TEST_CASE("the gradient by the network's parameters is the loss's") {
  reward_task const task{24, 0};
  auto const samples = samples_of(task.train);
  std::vector<prefopt::dlib_label> labels(samples.size());
  for (std::size_t i = 0; i < labels.size(); i += 2) {
    labels[i] = {.weight = 0.5F + 0.25F * static_cast<float>(i % 3), .margin = 0.125F * static_cast<float>(i % 5)};
  }
  reward_model model{prefopt::bradley_terry{.temperature = 0.5, .center = 0.05}};
  auto const loss = [&] { return model.compute_loss(samples.begin(), samples.end(), labels.begin()); };
  loss();
  model.compute_parameter_gradients(samples.begin(), samples.end(), labels.begin());

  std::vector<dlib::tensor*> parameters;
  std::vector<std::vector<float>> gradients;
  dlib::visit_layer_parameters(model, [&](dlib::tensor& tensor) { parameters.push_back(&tensor); });
  dlib::visit_layer_parameter_gradients(
      model, [&](dlib::tensor& tensor) { gradients.emplace_back(tensor.begin(), tensor.end()); });
  REQUIRE(parameters.size() == gradients.size());

  double largest = 0, worst = 0;
  std::size_t checked = 0;
  for (std::size_t layer = 0; layer < parameters.size(); ++layer) {
    REQUIRE(parameters[layer]->size() == gradients[layer].size());
    for (std::size_t i = 0; i < gradients[layer].size(); ++i, ++checked) {
      float& parameter = parameters[layer]->host()[i];
      float const at = parameter, step = 0x1p-7F;
      parameter = at + step;
      double const above = loss();
      parameters[layer]->host()[i] = at - step;
      double const below = loss();
      parameters[layer]->host()[i] = at;
      double const slope = (above - below) / (2 * static_cast<double>(step));
      largest = std::max(largest, std::abs(slope));
      worst = std::max(worst, std::abs(slope - static_cast<double>(gradients[layer][i])));
    }
  }
  std::printf("%zu parameters, largest slope %.4f, largest difference %.2e\n", checked, largest, worst);
  CHECK(checked == 16 * 8 + 8 + 8 + 1);
  CHECK(largest > 0.05);
  CHECK(worst < 2e-3 * largest);
}

TEST_CASE("a network is saved and loaded with its loss") {
  reward_task const task{8, 0};
  auto const samples = samples_of(task.train);
  reward_model model{prefopt::bradley_terry{.temperature = 3, .center = 0.25}};
  double const loss = loss_of(model, samples);
  std::stringstream file;
  serialize(model, file);
  reward_model read;
  deserialize(read, file);
  CHECK(read.loss_details().loss().temperature == 3);
  CHECK(read.loss_details().loss().center == 0.25);
  CHECK(loss_of(read, samples) == loss);

  std::ostringstream text, xml;
  text << model;
  CHECK(text.str().find("prefopt\t (bradley_terry, temperature=3, center=0.25)") != std::string::npos);
  dlib::net_to_xml(model, xml);
  CHECK(xml.str().find("<parameter name='temperature' value='3'/>") != std::string::npos);
}

TEST_CASE("dnn_trainer hands on what the layer refuses") {
  reward_task const task{4, 0};
  auto samples = samples_of(task.train);
  samples.pop_back();
  std::vector<prefopt::dlib_label> const labels(samples.size());
  reward_model model;
  dlib::dnn_trainer<reward_model> trainer{model};
  trainer.train_one_step(samples, labels);
  // dlib's thread wakes who waits for it a moment before it hands over what it caught.
  std::string message = "no error";
  for (int tries = 0; message == "no error" && tries < 5000; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    message = refusal([&] { trainer.get_net(); });
  }
  CHECK(message ==
        "prefopt::dlib_pair_loss: the mini-batch has 7 samples, expected an even number: chosen and rejected in turn");
}
