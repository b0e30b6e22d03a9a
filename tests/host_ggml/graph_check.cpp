// Graphs that ggml would abort at, or compute wrong gradients of. They are built and checked, never differentiated.

#include <prefopt/adapter/ggml.hpp>

#include "../catch.hpp"
#include "../refusal.hpp"
#include "graphs.hpp"

// ggml_add1 is deprecated, and still there.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace {

/// A graph's leafs and the check of what it ends in.
class checked_graph {
 public:
  ggml_tensor* leaf(ggml_type type, std::vector<std::int64_t> const& shape, char const* name,
                    bool is_parameter = false) {
    auto* const made = ggml_new_tensor(context, type, static_cast<int>(shape.size()), shape.data());
    ggml_set_name(made, name);
    if (is_parameter) ggml_set_param(made);
    return made;
  }
  ggml_tensor* parameter(std::vector<std::int64_t> const& shape, char const* name = "w") {
    return leaf(GGML_TYPE_F32, shape, name, true);
  }

  std::string check(ggml_tensor* x, char const* version = "0.21.0",
                    prefopt::ggml_allocation allocation = prefopt::ggml_allocation::of_graph) {
    ggml_build_forward_expand(graph, x);
    int const before = ggml_graph_n_nodes(graph);
    auto const said = refusal([&] { prefopt::check_ggml_graph(graph, x, version, allocation); });
    CHECK(ggml_graph_n_nodes(graph) == before);
    auto const expanded = refusal([&] {
      if (said != "no error") prefopt::ggml_expand_backward(context, graph, x, version, allocation);
    });
    if (said != "no error") CHECK(expanded.substr(expanded.find(": ")) == said.substr(said.find(": ")));
    return said;
  }

  ggml_context_ptr owner = graphs::make_context(1 << 20);
  ggml_context* context = owner.get();
  ggml_cgraph* graph = ggml_new_graph_custom(context, 512, true);
};

std::string refused(std::string const& what) { return "prefopt::check_ggml_graph: " + what; }

}  // namespace

TEST_CASE("ggml check: flags are those of ggml") {
  STATIC_REQUIRE(prefopt::detail::ggml_flag_param == GGML_TENSOR_FLAG_PARAM);
  STATIC_REQUIRE(prefopt::detail::ggml_flag_loss == GGML_TENSOR_FLAG_LOSS);
  CHECK(prefopt::detail::ggml_tensor_bytes<ggml_tensor> == ggml_tensor_overhead());
}

TEST_CASE("ggml check: names in the tables are those of ggml") {
  auto const is_known = [](auto const& all, std::string const& name) {
    return prefopt::detail::find(all, name) != nullptr;
  };
  std::size_t operators = 0, unaries = 0, gated = 0;
  for (int op = 0; op < GGML_OP_COUNT; ++op) {
    operators += is_known(prefopt::detail::ggml_operators, ggml_op_name(static_cast<ggml_op>(op)));
  }
  for (int op = 0; op < GGML_UNARY_OP_COUNT; ++op) {
    unaries += is_known(prefopt::detail::ggml_unary_operators, ggml_unary_op_name(static_cast<ggml_unary_op>(op)));
  }
  for (int op = 0; op < GGML_GLU_OP_COUNT; ++op) {
    gated += is_known(prefopt::detail::ggml_gated_operators, ggml_glu_op_name(static_cast<ggml_glu_op>(op)));
  }
  CHECK(operators == std::size(prefopt::detail::ggml_operators));
  CHECK(unaries == std::size(prefopt::detail::ggml_unary_operators) - (graphs::is_before("0.9.5") ? 2 : 0));
  CHECK(gated == std::size(prefopt::detail::ggml_gated_operators));
}

TEST_CASE("ggml check: operators without a backward pass") {
  checked_graph made;
  auto* const w = made.parameter({4, 4});
  using unary = ggml_tensor* (*)(ggml_context*, ggml_tensor*);
  auto const [name, apply] = GENERATE(table<char const*, unary>({
      {"NORM", [](auto* c, auto* a) { return ggml_norm(c, a, 1e-5F); }},
      {"L2_NORM", [](auto* c, auto* a) { return ggml_l2_norm(c, a, 1e-5F); }},
      {"GROUP_NORM", [](auto* c, auto* a) { return ggml_group_norm(c, a, 2, 1e-5F); }},
      {"GELU", [](auto* c, auto* a) { return ggml_gelu(c, a); }},
      {"GELU_QUICK", [](auto* c, auto* a) { return ggml_gelu_quick(c, a); }},
      {"TANH", [](auto* c, auto* a) { return ggml_scale(c, ggml_tanh(c, a), 30); }},
      {"SIGMOID", [](auto* c, auto* a) { return ggml_sigmoid(c, a); }},
      {"GEGLU", [](auto* c, auto* a) { return ggml_geglu_split(c, a, a); }},
      {"REGLU", [](auto* c, auto* a) { return ggml_reglu(c, a); }},
      {"CONCAT", [](auto* c, auto* a) { return ggml_concat(c, a, a, 0); }},
      {"CLAMP", [](auto* c, auto* a) { return ggml_clamp(c, a, -1, 1); }},
      {"LEAKY_RELU", [](auto* c, auto* a) { return ggml_leaky_relu(c, a, 0.1F, false); }},
  }));
  auto* const y = apply(made.context, w);
  ggml_set_name(y->op == GGML_OP_SCALE ? y->src[0] : y, "ffn_out");
  CHECK(made.check(y) == refused("ffn_out (" + std::string{name} + ") has no backward pass in ggml"));
}

TEST_CASE("ggml check: an operator that no gradient comes to is none of its business") {
  checked_graph made;
  auto* const w = made.parameter({4, 4});
  auto* const mask = ggml_tanh(made.context, made.leaf(GGML_TYPE_F32, {4, 4}, "input"));
  auto* const aside = ggml_gelu(made.context, w);
  ggml_build_forward_expand(made.graph, aside);
  CHECK(made.check(ggml_mul(made.context, w, mask)) == "no error");
}

TEST_CASE("ggml check: products") {
  checked_graph made;
  auto* const context = made.context;
  auto* const w = made.parameter({64, 4});
  auto const product = [&](ggml_tensor* a, ggml_tensor* b) {
    auto* const y = ggml_mul_mat(context, a, b);
    ggml_set_name(y, "kq");
    return y;
  };
  SECTION("by bf16") {
    CHECK(made.check(product(made.leaf(GGML_TYPE_BF16, {64, 8}, "frozen"), w)) ==
          refused("kq (MUL_MAT) has a factor of type bf16, by which ggml has no backward pass: expected f32, f16 or a "
                  "quantized type"));
  }
  SECTION("by f16 before 0.17") {
    auto* const y = product(made.leaf(GGML_TYPE_F16, {64, 8}, "frozen"), w);
    CHECK(made.check(y, "0.16.9") ==
          refused("kq (MUL_MAT) has a factor of type f16, by which ggml has no backward pass before 0.17"));
    CHECK(made.check(y, "0.17.0") == "no error");
  }
  SECTION("by bf16 where only the other factor is frozen") {
    CHECK(made.check(product(made.leaf(GGML_TYPE_Q8_0, {64, 8}, "frozen"), w)) == "no error");
  }
  SECTION("mixtures of experts") {
    auto* const experts = made.leaf(GGML_TYPE_F32, {64, 8, 3}, "experts");
    auto* const y = ggml_mul_mat_id(context, experts, ggml_reshape_3d(context, w, 64, 2, 2),
                                    made.leaf(GGML_TYPE_I32, {2, 2}, "ids"));
    ggml_set_name(y, "moe");
    CHECK(made.check(y) == refused("moe (MUL_MAT_ID) has no backward pass in ggml"));
  }
  SECTION("grouped queries") {
    auto const queries = [&](std::int64_t sequences) {
      return product(made.parameter({8, 3, 1, sequences}, "k"), made.parameter({8, 3, 2, sequences}, "q"));
    };
    CHECK(made.check(queries(1)) == "no error");
    CHECK(made.check(queries(2)) ==
          refused("kq (MUL_MAT) has grouped queries (its first factor, [8, 3, 1, 2], is repeated) over 2 sequences in "
                  "dimension 3, ggml has a backward pass for 1"));
  }
  SECTION("grouped queries with keys in f16") {
    auto* const k = made.leaf(GGML_TYPE_F16, {8, 3, 1}, "k");
    CHECK(made.check(product(k, made.parameter({8, 3, 2}, "q"))) ==
          refused("kq (MUL_MAT) repeats a factor of type f16, by which ggml has a backward pass for f32 only"));
  }
}

TEST_CASE("ggml check: rows, masks, numbers and halves") {
  checked_graph made;
  auto* const context = made.context;
  auto* const w = made.parameter({4, 6});
  auto const named = [](ggml_tensor* y) {
    ggml_set_name(y, "y");
    return y;
  };
  SECTION("rows by a matrix") {
    auto* const rows = ggml_reshape_3d(context, w, 4, 3, 2);
    CHECK(
        made.check(named(ggml_get_rows(context, rows, made.leaf(GGML_TYPE_I32, {3, 2}, "ids")))) ==
        refused(
            "y (GET_ROWS) takes its rows by [3, 2, 1, 1] numbers, whose gradient ggml cannot make: a vector of them"));
  }
  SECTION("set_rows, as a cache of keys and values") {
    auto* const cache = made.leaf(GGML_TYPE_F32, {4, 9}, "cache");
    CHECK(made.check(named(ggml_set_rows(context, cache, w, made.leaf(GGML_TYPE_I64, {6}, "places")))) != "no error");
  }
  SECTION("a mask that depends on parameters") {
    CHECK(made.check(named(ggml_soft_max_ext(context, w, made.parameter({4, 6}, "mask"), 1, 0))) ==
          refused("y (SOFT_MAX) depends on parameters by its source 1, to which ggml passes no gradient on"));
  }
  SECTION("a bias by position") {
    CHECK(made.check(named(ggml_soft_max_ext(context, w, made.leaf(GGML_TYPE_F32, {4, 6}, "mask"), 1, 8))) ==
          refused("y (SOFT_MAX) has a bias by position (max_bias), of which ggml has no backward pass"));
  }
  SECTION("flash attention") {
    auto *const q = made.parameter({8, 4, 2}, "q"), *const kv = made.leaf(GGML_TYPE_F16, {8, 4, 2}, "kv");
    CHECK(made.check(named(ggml_flash_attn_ext(context, q, kv, kv, nullptr, 1, 0, 0))) ==
          refused("y (FLASH_ATTN_EXT) has no backward pass in ggml"));
  }
  SECTION("swiglu of one tensor") {
    CHECK(made.check(named(ggml_swiglu(context, w))) ==
          refused("y (SWIGLU) has no backward pass in ggml: ggml_swiglu_split"));
  }
  SECTION("one number added to several") {
    CHECK(made.check(named(ggml_add1(context, w, made.parameter({1}, "one")))) ==
          refused("y (ADD1) passes on the mean of its gradient in ggml, not the sum: ggml_add"));
  }
  SECTION("less and by a row that is repeated") {
    auto const [name, apply] = GENERATE(table<char const*, ggml_tensor* (*)(ggml_context*, ggml_tensor*, ggml_tensor*)>(
        {{"SUB", &ggml_sub}, {"DIV", &ggml_div}}));
    CHECK(made.check(named(apply(context, w, made.parameter({4}, "row")))) ==
          refused("y (" + std::string{name} +
                  ") repeats its second source, whose gradient ggml does not add up then: ggml_repeat"));
  }
  SECTION("in place") {
    CHECK(made.check(named(ggml_silu_inplace(context, ggml_scale(context, w, 2)))) ==
          refused("y (SILU) is computed in place, which ggml cannot differentiate: the operator without _inplace"));
  }
  SECTION("permuted gradients") {
    auto* const y = named(ggml_cont(context, w));
    CHECK(made.check(ggml_transpose(context, y)) ==
          refused("y (CONT) gets a permuted gradient, which its backward pass does not take: ggml_reshape to its own "
                  "shape, and what permutes or transposes it behind that"));
    CHECK(made.check(ggml_transpose(context, ggml_reshape_2d(context, y, 4, 6))) == "no error");
    auto* const z = named(ggml_scale(context, w, 2));
    CHECK(made.check(ggml_add(context, ggml_cont(context, ggml_transpose(context, z)), ggml_transpose(context, z))) !=
          "no error");
  }
  SECTION("a view of what is not contiguous") {
    auto* const y = ggml_transpose(context, w);
    CHECK(made.check(named(ggml_view_1d(context, y, 3, 0))) ==
          refused("y (VIEW) is a view of a tensor that is not contiguous or not f32, whose gradient ggml cannot make"));
  }
}

TEST_CASE("ggml check: rms_norm under an allocator before 0.15") {
  checked_graph made;
  auto* const y = ggml_rms_norm(made.context, made.parameter({4, 4}), 1e-5F);
  ggml_set_name(y, "norm");
  CHECK(made.check(y, "0.15.0") == "no error");
  CHECK(made.check(y, "0.9.1", prefopt::ggml_allocation::of_each_tensor) == "no error");
  for (char const* version : {"0.14.0", "0.9.11", "0.9.1-dev"}) {
    CHECK(made.check(y, version) ==
          refused(
              "norm (RMS_NORM) has a wrong gradient where an allocator shares memory among the tensors of a graph, "
              "before ggml 0.15: a later ggml, or ggml_backend_alloc_ctx_tensors and ggml_allocation::of_each_tensor"));
  }
}

TEST_CASE("ggml check: parameters and what the graph ends in") {
  checked_graph made;
  auto* const context = made.context;
  auto* const w = made.parameter({32, 4});
  SECTION("types") {
    auto const type = GENERATE(GGML_TYPE_BF16, GGML_TYPE_Q4_0);
    auto* const y =
        ggml_get_rows(context, made.leaf(type, {32, 4}, "embedding", true), made.leaf(GGML_TYPE_I32, {3}, "ids"));
    CHECK(made.check(y) == refused("embedding is a parameter of type " + std::string{ggml_type_name(type)} +
                                   ", expected f32, or f16 with an optimizer of one's own"));
  }
  SECTION("a bf16 tensor on the way") {
    auto* const y = ggml_cast(context, w, GGML_TYPE_BF16);
    ggml_set_name(y, "narrow");
    CHECK(made.check(y) == "no error");
    CHECK(made.check(ggml_cast(context, y, GGML_TYPE_F32)) ==
          refused("narrow is of type bf16 and depends on parameters, expected f32 or f16"));
  }
  SECTION("no parameter") {
    auto* const input = made.leaf(GGML_TYPE_F32, {4}, "input");
    checked_graph other;
    CHECK(other.check(ggml_scale(other.context, input, 2)).find("depends on no parameter") != std::string::npos);
    ggml_build_forward_expand(made.graph, ggml_scale(context, w, 2));
    auto* const y = ggml_scale(context, input, 2);
    ggml_set_name(y, "y");
    CHECK(made.check(y) == refused("y depends on no parameter of the graph: ggml_set_param"));
  }
  SECTION("not in the graph") {
    ggml_build_forward_expand(made.graph, ggml_scale(context, w, 2));
    auto* const y = ggml_scale(context, w, 3);
    ggml_set_name(y, "y");
    CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, y, "0.21.0"); }) ==
          refused("y is not a node of the graph: ggml_build_forward_expand"));
  }
  SECTION("null, and versions that are none") {
    ggml_cgraph* const none = nullptr;
    CHECK(refusal([&] { prefopt::check_ggml_graph(none, w, "0.21.0"); }) == refused("the graph is null"));
    CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, static_cast<ggml_tensor*>(nullptr), "0.21.0"); }) ==
          refused("the tensor is null"));
    auto* const y = ggml_scale(context, w, 2);
    ggml_build_forward_expand(made.graph, y);
    for (char const* version : {"", "new", "1", "v0.21.0"}) {
      CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, y, version); }) ==
            refused("the version is \"" + std::string{version} + "\", expected what ggml_version() says, like 0.21.0"));
    }
    CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, y, nullptr); }) ==
          refused("the version is null, expected what ggml_version() says, like 0.21.0"));
    CHECK(refusal([&] { prefopt::check_ggml_graph(made.graph, y, ggml_version()); }) == "no error");
  }
}

TEST_CASE("ggml check: room for the backward pass") {
  auto const places = [](std::size_t size, std::size_t bytes, bool no_alloc = true) {
    auto const context = graphs::make_context(bytes, no_alloc);
    auto* const w = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 4, 4);
    ggml_set_param(w);
    auto* const y = ggml_mul_mat(context.get(), w, ggml_silu(context.get(), w));
    auto* const graph = ggml_new_graph_custom(context.get(), size, true);
    ggml_build_forward_expand(graph, y);
    return refusal([&] { prefopt::ggml_expand_backward(context.get(), graph, y, ggml_version()); });
  };
  CHECK(places(64, 1 << 16) == "no error");
  CHECK(places(3 + 13, 1 << 16) == "no error");
  CHECK(
      places(3 + 12, 1 << 16) ==
      "prefopt::ggml_expand_backward: the graph has 15 places, expected 16 in ggml_new_graph_custom: its backward pass "
      "may take as many");
  CHECK(places(64, 1 << 14).find("13 tensors and two graphs more in ggml_init_params::mem_size") != std::string::npos);
  CHECK(
      places(64, 1 << 17, false) ==
      "prefopt::ggml_expand_backward: the context holds its tensors' data itself, expected ggml_init_params::no_alloc");
}
