// A loss from logits and hidden states that lie elsewhere, and the check of a graph: without ggml.

#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/adapter/ggml.hpp>
#include <prefopt/loss/dpo.hpp>
#include <vector>

#include "../catch.hpp"
#include "../refusal.hpp"
#include "fake_ggml.hpp"

namespace {

/// A matrix in a device's memory, a row for each of the second dimension.
struct device_matrix {
  fake::device_buffer buffer{};
  fake::tensor tensor{};

  device_matrix(std::int64_t columns, std::vector<float> const& values) {
    buffer.bytes.resize(values.size() * sizeof(float));
    std::memcpy(buffer.bytes.data(), values.data(), buffer.bytes.size());
    tensor.buffer = &buffer;
    tensor.data = reinterpret_cast<void*>(0x1000);
    tensor.ne[0] = columns;
    tensor.ne[1] = static_cast<std::int64_t>(values.size()) / columns;
    tensor.nb[1] = static_cast<std::size_t>(columns) * sizeof(float);
    for (int i = 2; i < 4; ++i) tensor.nb[i] = tensor.nb[i - 1] * static_cast<std::size_t>(tensor.ne[i - 1]);
  }
  device_matrix(device_matrix const&) = delete;

  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all(buffer.bytes.size() / sizeof(float));
    std::memcpy(all.data(), buffer.bytes.data(), buffer.bytes.size());
    return all;
  }
};

std::vector<int> const labels{1, 0, 2, 2};
std::vector<float> const reference{-2, -2.5F};

}  // namespace

TEST_CASE("ggml: a loss from logits elsewhere, its gradient written once") {
  std::vector<float> const values{0.5F, 2, -1, 3, 0, 1, -2, 0.25F, 0, 1, 1, 4};
  device_matrix const logits{3, values};
  device_matrix gradient{3, std::vector<float>(12, 7)};
  prefopt::token_rows const tokens{.labels = labels, .tokens_per_sequence = 2};
  auto const seen =
      prefopt::ggml_evaluate(prefopt::dpo{}, &logits.tensor, &gradient.tensor, tokens, {.ref_log_prob = reference});
  std::vector<float> d(12);
  auto const plain = prefopt::evaluate(
      prefopt::dpo{},
      prefopt::logit_policy<float>{.logits = {values.data(), 4, 3}, .tokens = tokens, .d_logits = {d.data(), 4, 3}},
      prefopt::policy_pairs<float>{.ref_log_prob = reference});
  CHECK(seen.loss == plain.loss);
  CHECK(gradient.values() == d);
  CHECK(gradient.buffer.writes == 1);
  CHECK(logits.buffer.reads == 1);

  SECTION("an error writes nothing") {
    std::vector<float> const wrong{-1};
    CHECK(refusal([&] {
            prefopt::ggml_evaluate(prefopt::dpo{}, &logits.tensor, &gradient.tensor, tokens, {.ref_log_prob = wrong});
          }) == "prefopt::evaluate: ref_log_prob has 1 element, the policy has 2 sequences");
    CHECK(gradient.buffer.writes == 1);
  }
}

TEST_CASE("ggml: a loss from hidden states and a matrix elsewhere") {
  std::vector<float> const values{0.5F, 2, -1, 3, 0, 1, -2, 0.25F}, matrix{1, 0, 0, 1, -1, 2};
  device_matrix const hidden{2, values}, weight{2, matrix};
  device_matrix d_hidden{2, std::vector<float>(8)}, d_weight{2, std::vector<float>(6)};
  prefopt::token_rows const tokens{.labels = labels, .tokens_per_sequence = 2};
  prefopt::ggml_head const head{&weight.tensor, prefopt::eigen_product{}, &d_weight.tensor};
  auto const seen = prefopt::ggml_evaluate(prefopt::dpo{}, &hidden.tensor, head, &d_hidden.tensor, tokens,
                                           {.ref_log_prob = reference});
  std::vector<float> d(8), d_matrix(6);
  auto const plain =
      prefopt::evaluate(prefopt::dpo{},
                        prefopt::linear_policy<float, prefopt::eigen_product>{
                            .head = {.hidden = {values.data(), 4, 2}, .weight = {matrix.data(), 3, 2}},
                            .tokens = tokens,
                            .gradients = {.hidden = {d.data(), 4, 2}, .weight = {d_matrix.data(), 3, 2}}},
                        prefopt::policy_pairs<float>{.ref_log_prob = reference});
  CHECK(seen.loss == plain.loss);
  CHECK(d_hidden.values() == d);
  CHECK(d_weight.values() == d_matrix);
  auto const log_prob = prefopt::ggml_log_probs(&hidden.tensor, head, tokens);
  CHECK(log_prob.size() == 2);
  CHECK(refusal([&] { prefopt::ggml_rows{&d_hidden.tensor}; }) == "no error");
  d_hidden.tensor.type = fake::number::q8_0;
  CHECK(refusal([&] { prefopt::ggml_rows{&d_hidden.tensor}; }) ==
        "prefopt::ggml_rows: the tensor is of type q8_0, which ggml has no conversion to f32 for");
}

TEST_CASE("ggml: a graph is checked by the names of its operators") {
  fake::tensor w, input, product{.op = fake::operation::mul_mat, .src = {&w, &input}};
  w.flags = prefopt::detail::ggml_flag_param;
  fake::tensor x{.op = fake::operation::unary, .src = {&product}};
  std::strcpy(x.name, "ffn");
  fake::graph graph{.nodes = {&w, &product, &x}};
  auto const said = [&](char const* version = "0.21.0") {
    return refusal([&] { prefopt::check_ggml_graph(&graph, &x, version); });
  };
  CHECK(said() == "no error");
  x.op_params[0] = static_cast<int>(fake::unary_operation::gelu);
  CHECK(said() == "prefopt::check_ggml_graph: ffn (GELU) has no backward pass in ggml");
  x.op = fake::operation::rms_norm;
  CHECK(said() == "no error");
  CHECK(said("0.14.0").find("ffn (RMS_NORM) has a wrong gradient where an allocator") != std::string::npos);
  w.type = fake::number::bf16;
  CHECK(said().find("the tensor is a parameter of type bf16, expected f32") != std::string::npos);
}
