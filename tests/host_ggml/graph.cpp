// The adapter in ggml itself.

#include <ggml-cpp.h>
#include <ggml-cpu.h>
#include <ggml-opt.h>

#include <memory>
#include <prefopt/adapter/ggml.hpp>
#include <utility>
#include <vector>

#include "../catch.hpp"
#include "../refusal.hpp"

namespace {

ggml_context_ptr make_context(std::size_t bytes, bool no_alloc = true) {
  return ggml_context_ptr{ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = no_alloc})};
}

std::size_t room() { return 64 * ggml_tensor_overhead() + 3 * ggml_graph_overhead_custom(64, true); }

std::vector<float> values_of(ggml_tensor const* tensor) {
  prefopt::ggml_numbers const seen{tensor};
  std::vector<float> all;
  for (std::size_t i = 0; i < seen.values().size(); ++i) all.push_back(seen.values()[i]);
  return all;
}

void upload(ggml_tensor* tensor, std::vector<float> const& values) {
  ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
}

std::size_t tensors_in(ggml_context* context) {
  std::size_t count = 0;
  for (auto* tensor = ggml_get_first_tensor(context); tensor != nullptr;
       tensor = ggml_get_next_tensor(context, tensor)) {
    ++count;
  }
  return count;
}

/// Parameters in memory of their own.
struct parameters {
  ggml_backend_ptr backend{ggml_backend_cpu_init()};
  ggml_context_ptr context = make_context(room());
  ggml_tensor* w = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4);
  ggml_backend_buffer_ptr buffer;

  parameters() {
    ggml_backend_cpu_set_n_threads(backend.get(), 1);
    ggml_set_param(w);
    buffer.reset(ggml_backend_alloc_ctx_tensors(context.get(), backend.get()));
    upload(w, {1, -2, 3, 0.5F});
  }
};

/// A view of a result, whose memory an allocator would give to the next one.
ggml_tensor* twice(ggml_context* context, ggml_tensor* w) {
  return ggml_reshape_2d(context, ggml_scale(context, w, 2), 2, 2);
}

std::vector<float> const given{0.25F, -0.5F, 1e-7F, 3};

}  // namespace

TEST_CASE("ggml: the gradient that is given is the gradient by x, bit for bit") {
  parameters model;
  auto const context = make_context(room());
  auto* const x = twice(context.get(), model.w);
  auto* const forward = ggml_new_graph_custom(context.get(), 64, false);
  ggml_build_forward_expand(forward, x);
  auto const surrogate = prefopt::ggml_surrogate(context.get(), x);
  ggml_set_loss(surrogate.loss);
  auto* const backward = ggml_new_graph_custom(context.get(), 64, true);
  ggml_build_forward_expand(backward, surrogate.loss);
  ggml_build_backward_expand(context.get(), backward, nullptr);
  auto* const d_w = ggml_graph_get_grad(backward, model.w);
  ggml_set_output(d_w);

  ggml_backend_buffer_ptr buffer;
  ggml_gallocr_ptr allocator;
  if (GENERATE(true, false)) {
    buffer.reset(ggml_backend_alloc_ctx_tensors(context.get(), model.backend.get()));
  } else {
    allocator.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(model.backend.get())));
    REQUIRE(ggml_gallocr_alloc_graph(allocator.get(), backward));
  }
  for (int step = 0; step < 2; ++step) {
    // The 1 that the backward pass begins with: ggml's graph allocator does not keep it between two steps.
    ggml_graph_reset(backward);
    REQUIRE(ggml_backend_graph_compute(model.backend.get(), forward) == GGML_STATUS_SUCCESS);
    CHECK(values_of(x) == std::vector<float>{2, -4, 6, 1});
    prefopt::ggml_gradient d{surrogate.gradient};
    for (std::size_t i = 0; i < given.size(); ++i) d.values().in_place()[i] = given[i];
    d.store();
    REQUIRE(ggml_backend_graph_compute(model.backend.get(), backward) == GGML_STATUS_SUCCESS);
    CHECK(values_of(x) == std::vector<float>{2, -4, 6, 1});
    CHECK(values_of(d_w) == std::vector<float>{0.5F, -1, 2e-7F, 6});
  }
}

TEST_CASE("ggml: ggml_opt trains on the surrogate's terms") {
  parameters model;
  ggml_backend_t backends[] = {model.backend.get()};
  ggml_backend_sched_ptr const scheduler{
      ggml_backend_sched_new(backends, nullptr, 1, GGML_DEFAULT_GRAPH_SIZE, false, true)};
  auto options = ggml_opt_default_params(scheduler.get(), GGML_OPT_LOSS_TYPE_SUM);
  options.optimizer = GGML_OPT_OPTIMIZER_TYPE_SGD;
  options.get_opt_pars = [](void*) {
    auto rates = ggml_opt_get_default_optimizer_params(nullptr);
    rates.sgd = {.alpha = 0.5F, .wd = 0};
    return rates;
  };
  std::unique_ptr<ggml_opt_context, decltype(&ggml_opt_free)> const optimizer{ggml_opt_init(options), &ggml_opt_free};
  ggml_context_ptr context;
  // ggml_opt wants a new graph each time.
  auto const build = [&](bool backward) {
    context = make_context(room() + 3 * ggml_graph_overhead_custom(GGML_DEFAULT_GRAPH_SIZE, true));
    auto* const graph = ggml_new_graph_custom(context.get(), GGML_DEFAULT_GRAPH_SIZE, true);
    auto* const x = twice(context.get(), model.w);
    auto const surrogate = prefopt::ggml_surrogate(context.get(), x);
    ggml_build_forward_expand(graph, surrogate.terms);
    ggml_opt_prepare_alloc(optimizer.get(), context.get(), graph, surrogate.gradient, surrogate.terms);
    ggml_opt_alloc(optimizer.get(), backward);
    return std::pair{x, surrogate.gradient};
  };
  auto const x = build(false).first;
  ggml_opt_eval(optimizer.get(), nullptr);
  CHECK(values_of(x) == std::vector<float>{2, -4, 6, 1});
  {
    prefopt::ggml_gradient d{build(true).second};
    for (std::size_t i = 0; i < given.size(); ++i) d.values().in_place()[i] = given[i];
    d.store();
  }
  ggml_opt_eval(optimizer.get(), nullptr);
  CHECK(values_of(model.w) == std::vector<float>{1 - 0.25F, -2 + 0.5F, 3 - 1e-7F, 0.5F - 3});
}

TEST_CASE("ggml: views of ggml's own kinds of tensors") {
  // Data inside of the context: tensors without a buffer.
  auto const context = make_context(1 << 16, false);
  auto* const x = ggml_new_tensor_3d(context.get(), GGML_TYPE_F32, 2, 3, 2);
  for (int i = 0; i < 12; ++i) static_cast<float*>(x->data)[i] = static_cast<float>(i);
  prefopt::ggml_numbers const all{x};
  CHECK(all.values().in_place() == x->data);
  CHECK(all.values().size() == 12);
  CHECK(all.rows().rows() == 6);
  CHECK(all.rows()[4][1] == 9);

  CHECK(values_of(ggml_view_1d(context.get(), x, 3, 8)) == std::vector<float>{2, 3, 4});
  prefopt::ggml_numbers const first_columns{ggml_view_3d(context.get(), x, 1, 3, 2, 8, 24, 0)};
  CHECK(first_columns.values().size() == 6);
  CHECK(first_columns.values()[5] == 10);
  prefopt::ggml_numbers const transposed{ggml_transpose(context.get(), ggml_view_2d(context.get(), x, 2, 3, 8, 0))};
  CHECK(transposed.sequences()[1][2] == 5);
  CHECK(refusal([&] { (void)transposed.values(); }).find("ggml_cont") != std::string::npos);

  auto* const half = ggml_new_tensor_1d(context.get(), GGML_TYPE_F16, 2);
  auto* const brain = ggml_new_tensor_1d(context.get(), GGML_TYPE_BF16, 2);
  auto* const wide = ggml_new_tensor_1d(context.get(), GGML_TYPE_F64, 2);
  static_cast<ggml_fp16_t*>(half->data)[1] = ggml_fp32_to_fp16(-1.5F);
  static_cast<ggml_bf16_t*>(brain->data)[1] = ggml_fp32_to_bf16(-2.5F);
  static_cast<double*>(wide->data)[1] = 0.1;
  CHECK(prefopt::ggml_numbers{half}.values()[1] == -1.5F);
  CHECK(prefopt::ggml_numbers{brain}.values()[1] == -2.5F);
  CHECK(prefopt::ggml_numbers{wide}.values<double>()[1] == 0.1);

  CHECK(refusal([&] { prefopt::ggml_numbers{ggml_new_tensor_1d(context.get(), GGML_TYPE_Q8_0, 32)}; }) ==
        "prefopt::ggml_numbers: the tensor is of type q8_0, expected f32, f16, bf16 or f64");
  CHECK(refusal([&] { prefopt::ggml_gradient{ggml_scale(context.get(), x, 2)}; }) ==
        "prefopt::ggml_gradient: the tensor is the result of an operation, which would replace the gradient");
  CHECK(refusal([&] { prefopt::ggml_gradient{half}; }) ==
        "prefopt::ggml_gradient: the tensor is of type f16, expected f32");
}

TEST_CASE("ggml: what has no memory yet is refused") {
  auto const context = make_context(room());
  auto* const x = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4);
  ggml_set_name(x, "log_prob");
  CHECK(refusal([&] { prefopt::ggml_numbers{x}; }) ==
        "prefopt::ggml_numbers: log_prob has no memory yet: allocate its context or graph first");
  CHECK(refusal([&] { prefopt::ggml_gradient{x}; }) ==
        "prefopt::ggml_gradient: log_prob has no memory yet: allocate its context or graph first");
}

TEST_CASE("ggml: a surrogate that ggml would abort at is refused, and nothing added") {
  auto const context = make_context(room());
  auto const refused = [&](ggml_context* into, ggml_tensor* x, std::string const& why) {
    std::size_t const before = into != nullptr ? tensors_in(into) : 0;
    CHECK(refusal([&] { prefopt::ggml_surrogate(into, x); }) == "prefopt::ggml_surrogate: " + why);
    CHECK((into != nullptr ? tensors_in(into) : 0) == before);
  };
  auto* const x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 2, 3);
  refused(nullptr, x, "the context is null");
  refused(context.get(), nullptr, "the tensor is null");
  refused(context.get(), ggml_transpose(context.get(), x),
          " (transposed) has a stride of 8 bytes in its rows (nb[0]), expected 4: ggml_cont");
  refused(context.get(), ggml_new_tensor_1d(context.get(), GGML_TYPE_F16, 2),
          "the tensor is of type f16, expected f32");
  refused(context.get(), ggml_new_tensor_1d(context.get(), GGML_TYPE_I32, 2),
          "the tensor is of type i32, expected f32, f16, bf16 or f64");
  refused(context.get(), ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 0),
          "the tensor is [0, 1, 1, 1], expected sizes of 1 or more");

  std::size_t const exact = 3 * ggml_tensor_overhead();
  auto const small = make_context(exact - 16), enough = make_context(exact);
  refused(small.get(), x,
          "the context has room for " + std::to_string(exact - 16) + " bytes, expected " + std::to_string(exact) +
              ": three tensors more in ggml_init_params::mem_size");
  CHECK(refusal([&] { prefopt::ggml_surrogate(enough.get(), x); }) == "no error");
  CHECK(tensors_in(enough.get()) == 3);
  // With the data in the context, too.
  auto const filled = make_context(exact + 3 * 32, false), narrow = make_context(exact + 64, false);
  CHECK(refusal([&] { prefopt::ggml_surrogate(filled.get(), x); }) == "no error");
  CHECK(refusal([&] { prefopt::ggml_surrogate(narrow.get(), x); }) != "no error");
}
