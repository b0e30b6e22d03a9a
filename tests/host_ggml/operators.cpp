// What the check lets through has the right gradient in the ggml at hand, operator by operator.

#include <cmath>
#include <prefopt/adapter/ggml.hpp>

#include "../catch.hpp"
#include "../refusal.hpp"
#include "graphs.hpp"

namespace {

using graphs::training_graph;

/// The gradient of sum(G x) by every element of the parameters, against differences.
void check_gradients(training_graph& made, ggml_tensor* x, std::vector<ggml_tensor*> const& parameters) {
  auto const training = made.expand(x, false);
  auto const given = graphs::numbers(static_cast<std::size_t>(ggml_nelements(x)), 99);
  auto const value = [&] {
    made.compute(training.forward);
    auto const seen = graphs::download(x);
    double sum = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) sum += double{given[i]} * double{seen[i]};
    return sum;
  };
  value();
  graphs::upload(training.gradient, given);
  made.compute(training.backward);
  for (auto* const parameter : parameters) {
    auto* const gradient = ggml_graph_get_grad(made.graph, parameter);
    REQUIRE(gradient != nullptr);
    auto const d = graphs::download(gradient);
    REQUIRE(d.size() == static_cast<std::size_t>(ggml_nelements(parameter)));
    for (std::size_t i = 0; i < d.size(); ++i) {
      double const expected = made.slope(parameter, i, 1.0F / 64, value);
      INFO(parameter->name << "[" << i << "]");
      CHECK(std::abs(double{d[i]} - expected) < 2e-3 + 2e-3 * std::abs(expected));
    }
  }
}

using unary = ggml_tensor* (*)(ggml_context*, ggml_tensor*);

}  // namespace

TEST_CASE("ggml operators: of one source") {
  training_graph made;
  auto* const context = made.context.get();
  auto* const p = made.parameter({4, 3, 2}, 5);
  auto const [name, apply] = GENERATE(table<char const*, unary>({
      {"dup", [](auto* c, auto* a) { return ggml_dup(c, a); }},
      {"sqr", [](auto* c, auto* a) { return ggml_sqr(c, a); }},
      {"sqrt", [](auto* c, auto* a) { return ggml_sqrt(c, ggml_exp(c, a)); }},
      {"log", [](auto* c, auto* a) { return ggml_log(c, ggml_exp(c, a)); }},
      {"sin", [](auto* c, auto* a) { return ggml_sin(c, a); }},
      {"cos", [](auto* c, auto* a) { return ggml_cos(c, a); }},
      {"sum", [](auto* c, auto* a) { return ggml_sum(c, a); }},
      {"sum_rows", [](auto* c, auto* a) { return ggml_sum_rows(c, a); }},
      {"mean", [](auto* c, auto* a) { return ggml_mean(c, a); }},
      {"neg", [](auto* c, auto* a) { return ggml_neg(c, a); }},
      {"relu", [](auto* c, auto* a) { return ggml_relu(c, ggml_sqr(c, a)); }},
      {"abs", [](auto* c, auto* a) { return ggml_abs(c, ggml_exp(c, a)); }},
      {"silu", [](auto* c, auto* a) { return ggml_silu(c, a); }},
      {"exp", [](auto* c, auto* a) { return ggml_exp(c, a); }},
      {"scale", [](auto* c, auto* a) { return ggml_scale(c, a, 3); }},
      {"scale_bias", [](auto* c, auto* a) { return ggml_scale_bias(c, a, 3, 1); }},
      {"cont", [](auto* c, auto* a) { return ggml_cont(c, a); }},
      {"rms_norm", [](auto* c, auto* a) { return ggml_rms_norm(c, a, 1e-5F); }},
      {"soft_max", [](auto* c, auto* a) { return ggml_soft_max(c, a); }},
      {"diag_mask_inf and soft_max",
       [](auto* c, auto* a) { return ggml_soft_max(c, ggml_diag_mask_inf(c, ggml_reshape_2d(c, a, 4, 6), 0)); }},
      {"diag_mask_zero", [](auto* c, auto* a) { return ggml_diag_mask_zero(c, a, 0); }},
      {"reshape", [](auto* c, auto* a) { return ggml_sqr(c, ggml_reshape_2d(c, a, 6, 4)); }},
      {"view", [](auto* c, auto* a) { return ggml_sqr(c, ggml_view_2d(c, a, 3, 2, a->nb[1], 4)); }},
      {"permute and cont", [](auto* c, auto* a) { return ggml_cont(c, ggml_permute(c, a, 1, 2, 0, 3)); }},
      {"permute",
       [](auto* c, auto* a) { return ggml_permute(c, ggml_reshape_3d(c, ggml_sqr(c, a), 4, 3, 2), 0, 2, 1, 3); }},
      {"transpose", [](auto* c, auto* a) { return ggml_transpose(c, a); }},
      {"reshape and transpose",
       [](auto* c, auto* a) { return ggml_transpose(c, ggml_reshape_3d(c, ggml_sqr(c, a), 4, 3, 2)); }},
      {"cast to f16", [](auto* c, auto* a) { return ggml_cast(c, ggml_cast(c, a, GGML_TYPE_F32), GGML_TYPE_F32); }},
      {"repeat",
       [](auto* c, auto* a) { return ggml_sqr(c, ggml_repeat(c, a, ggml_new_tensor_3d(c, GGML_TYPE_F32, 8, 3, 4))); }},
      {"swiglu_split", [](auto* c, auto* a) { return ggml_swiglu_split(c, a, ggml_sqr(c, a)); }},
      {"sgn, which is flat", [](auto* c, auto* a) { return ggml_add(c, a, ggml_sgn(c, ggml_exp(c, a))); }},
      {"two ways", [](auto* c, auto* a) { return ggml_add(c, ggml_sqr(c, a), ggml_mul(c, a, ggml_silu(c, a))); }},
      {"a sum and itself", [](auto* c, auto* a) { return ggml_add(c, a, ggml_repeat(c, ggml_sum(c, a), a)); }},
  }));
  INFO(name);
  check_gradients(made, apply(context, p), {p});
}

TEST_CASE("ggml operators: of two sources") {
  training_graph made;
  auto* const context = made.context.get();
  auto* const a = made.parameter({4, 3}, 5);
  // With a row as the second source: differentiated, refused, or nothing that ggml builds.
  enum class with_row { right, refused, absent };
  using binary = ggml_tensor* (*)(ggml_context*, ggml_tensor*, ggml_tensor*);
  bool const is_row = GENERATE(false, true);
  auto* const b = made.parameter(is_row ? std::vector<std::int64_t>{4} : std::vector<std::int64_t>{4, 3}, 6);
  auto const [name, row, apply] = GENERATE(table<char const*, with_row, binary>({
      {"add", with_row::right, [](auto* c, auto* x, auto* y) { return ggml_add(c, x, y); }},
      {"mul", with_row::right, [](auto* c, auto* x, auto* y) { return ggml_mul(c, x, y); }},
      {"sub", with_row::refused, [](auto* c, auto* x, auto* y) { return ggml_sub(c, x, y); }},
      {"div", with_row::refused, [](auto* c, auto* x, auto* y) { return ggml_div(c, x, ggml_exp(c, y)); }},
      {"swiglu_split", with_row::absent, [](auto* c, auto* x, auto* y) { return ggml_swiglu_split(c, x, y); }},
      // A norm next to what it is multiplied with, which a graph of the forward nodes alone would not write.
      {"gated norm", with_row::absent,
       [](auto* c, auto* x, auto* y) { return ggml_mul(c, ggml_scale(c, y, 2), ggml_rms_norm(c, x, 1e-5F)); }},
      {"mul_mat", with_row::right, [](auto* c, auto* x, auto* y) { return ggml_mul_mat(c, x, y); }},
      {"mul_mat of a transpose", with_row::absent,
       [](auto* c, auto* x,
          auto* y) { return ggml_mul_mat(c, ggml_cont(c, ggml_transpose(c, x)), ggml_cont(c, ggml_transpose(c, y))); }},
      {"acc", with_row::right,
       [](auto* c, auto* x, auto* y) { return ggml_acc(c, x, y, x->nb[1], x->nb[2], x->nb[3], 0); }},
      {"set", with_row::right,
       [](auto* c, auto* x, auto* y) { return ggml_set(c, x, y, x->nb[1], x->nb[2], x->nb[3], 0); }},
  }));
  INFO(name << (is_row ? " with a row" : ""));
  if (is_row && row == with_row::absent) return;
  auto* const x = apply(context, a, b);
  if (is_row && row == with_row::refused) {
    ggml_build_forward_expand(made.graph, x);
    CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, x, ggml_version()); }) != "no error");
    return;
  }
  check_gradients(made, x, {a, b});
}

TEST_CASE("ggml operators: rows by numbers, positions, masks and products") {
  training_graph made;
  auto* const context = made.context.get();
  SECTION("get_rows") {
    auto* const p = made.parameter({4, 5}, 5);
    check_gradients(made, ggml_get_rows(context, p, made.integers({3, 0, 3})), {p});
  }
  SECTION("rope") {
    auto* const p = made.parameter({4, 2, 3}, 5);
    int const mode = GENERATE(0, GGML_ROPE_TYPE_NEOX);
    auto* const factors = GENERATE(false, true) ? made.leaf(GGML_TYPE_F32, {2}, {1, 2}) : nullptr;
    check_gradients(
        made, ggml_rope_ext(context, p, made.integers({0, 1, 5}), factors, 4, mode, 0, 10000, 1, 0, 1, 0, 0), {p});
  }
  SECTION("soft_max_ext with a mask") {
    auto* const p = made.parameter({3, 3, 2}, 5);
    auto const type = GENERATE(GGML_TYPE_F32, GGML_TYPE_F16);
    float const out = -INFINITY;
    auto* const mask = made.leaf(type, {3, 3}, {0, out, out, 0, 0, out, 0, 0, 0});
    check_gradients(made, ggml_soft_max_ext(context, p, mask, 0.5F, 0), {p});
  }
  SECTION("mul_mat, frozen factors") {
    auto* const p = made.parameter({64, 3}, 5);
    auto const type = GENERATE(GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_1);
    auto* const w = made.leaf(type, {64, 5}, graphs::numbers(64 * 5, 6));
    auto* const x = ggml_mul_mat(context, w, p);
    if (type == GGML_TYPE_F16 && graphs::is_before("0.17.0")) {
      ggml_build_forward_expand(made.graph, x);
      CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, x, ggml_version()); }).find("f16") !=
            std::string::npos);
      return;
    }
    // The product rounds the second factor as it has the first: so much is off in a difference, not in the gradient.
    auto const training = made.expand(x, false);
    made.compute(training.forward);
    auto const given = graphs::numbers(15, 99);
    graphs::upload(training.gradient, given);
    made.compute(training.backward);
    auto const d = graphs::download(ggml_graph_get_grad(made.graph, p)), factor = graphs::download(w);
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t i = 0; i < 64; ++i) {
        double expected = 0;
        for (std::size_t j = 0; j < 5; ++j) expected += double{given[row * 5 + j]} * double{factor[j * 64 + i]};
        CHECK(std::abs(double{d[row * 64 + i]} - expected) < 1e-5);
      }
    }
  }
  SECTION("mul_mat, grouped queries of one sequence") {
    auto *const k = made.parameter({4, 3, 1}, 5), *const q = made.parameter({4, 3, 2}, 6);
    check_gradients(made, ggml_mul_mat(context, k, q), {k, q});
  }
  SECTION("mul_mat of sequences in dimension 3") {
    auto *const k = made.parameter({4, 3, 2, 2}, 5), *const q = made.parameter({4, 3, 2, 2}, 6);
    check_gradients(made, ggml_mul_mat(context, k, q), {k, q});
  }
  SECTION("a product with a parameter that is transposed: its gradient is strided") {
    auto *const w = made.parameter({3, 4}, 5), *const y = made.parameter({4, 2}, 6);
    check_gradients(
        made, ggml_mul_mat(context, ggml_cont(context, ggml_transpose(context, w)), ggml_reshape_2d(context, y, 4, 2)),
        {w, y});
  }
  SECTION("cross_entropy_loss") {
    auto* const p = made.parameter({3, 2}, 5);
    check_gradients(
        made, ggml_cross_entropy_loss(context, p, made.leaf(GGML_TYPE_F32, {3, 2}, {0, 1, 0, 0.5F, 0.25F, 0.25F})),
        {p});
  }
}
