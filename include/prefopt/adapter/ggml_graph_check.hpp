#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <prefopt/adapter/ggml_memory.hpp>
#include <prefopt/adapter/ggml_operators.hpp>
#include <prefopt/core/errors.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What gives a graph its memory: ggml_gallocr, ggml_backend_sched and ggml_opt lay results into the memory of those that
/// are no longer needed; with ggml_backend_alloc_ctx_tensors each tensor has its own.
enum class ggml_allocation { of_graph, of_each_tensor };

namespace detail {

/// GGML_TENSOR_FLAG_PARAM and GGML_TENSOR_FLAG_LOSS.
inline constexpr int ggml_flag_param = 4, ggml_flag_loss = 8;

/// A graph as its backward pass will see it. Everything that is wrong with it is found when this is made.
template <class Graph, class Tensor>
class ggml_walk {
 public:
  ggml_walk(char const* where, Graph* graph, Tensor const* x, ggml_release const& release, ggml_allocation allocation)
      : where_{where}, release_{release}, allocation_{allocation} {
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) nodes_.push_back(ggml_graph_node(graph, i));
    find_needed(x);
    losses_ = 1;
    for (auto const* node : nodes_) {
      if (node != x && (node->flags & ggml_flag_loss) == 0) continue;
      gradients_[node] = strides_of(*node);
      losses_ += node != x;
    }
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      auto const seen = gradients_.find(nodes_[i]);
      if (seen != gradients_.end()) go_back(*nodes_[i], strides{seen->second});
    }
  }

  /// At most so many are added to the graph.
  [[nodiscard]] std::size_t added_tensors() const noexcept { return losses_ + 4 * passed_; }
  [[nodiscard]] std::size_t leafs() const noexcept { return leafs_.size(); }

 private:
  /// Of a gradient, in bytes.
  using strides = std::array<std::size_t, 4>;

  static strides strides_of(Tensor const& like) {
    strides all{sizeof(float)};
    for (std::size_t i = 1; i < 4; ++i) all[i] = all[i - 1] * static_cast<std::size_t>(like.ne[i - 1]);
    return all;
  }
  static bool has_shape_of(Tensor const& a, Tensor const& b) {
    bool same = true;
    for (int i = 0; i < 4; ++i) same = same && a.ne[i] == b.ne[i];
    return same;
  }
  static bool has_one_element(Tensor const& a) { return a.ne[0] * a.ne[1] * a.ne[2] * a.ne[3] == 1; }
  /// A gradient with the shape of `like`.
  static bool is_laid_out(strides const& gradient, Tensor const& like, ggml_layout layout) {
    if (layout == ggml_layout::any) return true;
    if (layout == ggml_layout::rows) return gradient[0] == sizeof(float);
    auto const whole = strides_of(like);
    if (layout == ggml_layout::packed) return gradient == whole;
    bool same = gradient[0] == sizeof(float);
    for (std::size_t i = 1; i < 4; ++i) same = same && (like.ne[i] == 1 || gradient[i] == whole[i]);
    return same;
  }

  [[noreturn]] PREFOPT_COLD void fail_node(Tensor const& node, std::string const& what) const {
    fail_tensor(where_, node, "(" + operator_name(node) + ") " + what);
  }

  /// Which nodes depend on parameters.
  void find_needed(Tensor const* x) {
    bool has_parameters = false, is_found = false;
    for (auto const* node : nodes_) {
      bool const is_parameter = (node->flags & ggml_flag_param) != 0;
      bool needed = is_parameter || (node->flags & ggml_flag_loss) != 0;
      if (is_parameter) {
        has_parameters = true;
        if (number_of(*node) != ggml_number::f32 && number_of(*node) != ggml_number::f16) {
          fail_tensor(where_, *node,
                      "is a parameter of type " + std::string{ggml_type_name(node->type)} +
                          ", expected f32, or f16 with an optimizer of one's own");
        }
      }
      auto const name = operator_name(*node);
      for (std::size_t j = 0; j < std::size(node->src); ++j) {
        auto const* const source = node->src[j];
        if (source == nullptr || source == node) continue;
        if (std::string_view{ggml_op_name(source->op)} == "NONE" && (source->flags & ggml_flag_param) == 0) {
          leafs_.insert(source);
        }
        if (is_ignored(name, j) || !needed_.contains(source)) continue;
        if (number_of(*source) != ggml_number::f32 && number_of(*source) != ggml_number::f16) {
          fail_tensor(where_, *source,
                      "is of type " + std::string{ggml_type_name(source->type)} +
                          " and depends on parameters, expected f32 or f16");
        }
        needed = true;
      }
      if (node == x) is_found = true;
      if (!needed) {
        if (node == x) fail_tensor(where_, *x, "depends on no parameter of the graph: ggml_set_param");
        continue;
      }
      bool const is_view =
          name == "CPY" || name == "VIEW" || name == "RESHAPE" || name == "PERMUTE" || name == "TRANSPOSE";
      if (node->view_src != nullptr && !is_view) {
        fail_node(*node, backward_of(*node) == nullptr
                             ? "has no backward pass in ggml"
                             : "is computed in place, which ggml cannot differentiate: the operator without _inplace");
      }
      needed_.insert(node);
    }
    if (!has_parameters) fail(where_, "the graph has no parameter: ggml_set_param before ggml_build_forward_expand");
    if (!is_found) fail_tensor(where_, *x, "is not a node of the graph: ggml_build_forward_expand");
  }

  [[nodiscard]] bool needs(Tensor const& node, std::size_t source) const {
    auto const* const of = node.src[source];
    return of != nullptr && of != &node && needed_.contains(of);
  }

  /// What the backward pass asks of the gradient of a node, by the sources that it goes to.
  [[nodiscard]] ggml_layout taken(Tensor const& node, ggml_operator const& rule) const {
    bool const repeats = needs(node, 1) && !has_shape_of(*node.src[1], node);
    if (rule.name == "ADD") return repeats ? ggml_layout::rows : rule.takes;
    if (rule.name == "SUB") return needs(node, 1) ? ggml_layout::contiguous : rule.takes;
    if (rule.name == "MUL") return needs(node, 0) ? rule.takes : ggml_layout::any;
    return rule.takes;
  }

  void go_back(Tensor const& node, strides const& gradient) {
    auto const* const rule = backward_of(node);
    if (std::string_view{ggml_op_name(node.op)} == "NONE") return;
    if (rule == nullptr || release_ < rule->since) fail_node(node, "has no backward pass in ggml");
    for (std::size_t j = 0; j < std::size(node.src); ++j) {
      if (!needs(node, j) || is_ignored(rule->name, j) || (rule->passes_to >> j & 1U) != 0) continue;
      fail_node(node, "depends on parameters by its source " + text(j) + ", to which ggml passes no gradient on");
    }
    auto const takes = taken(node, *rule);
    if (!is_laid_out(gradient, node, takes)) {
      fail_node(node,
                "gets a permuted gradient, which its backward pass does not take: ggml_reshape to its own shape, and "
                "what permutes or transposes it behind that");
    }
    check_operator(node, *rule);
    for (std::size_t j = 0; j < 3; ++j) {
      if (!needs(node, j) || (rule->passes_to >> j & 1U) == 0) continue;
      ++passed_;
      pass_on(node, rule->name, *node.src[j], passed(node, rule->name, j, gradient));
    }
  }

  /// The strides of what a source gets.
  static strides passed(Tensor const& node, std::string_view name, std::size_t source, strides const& gradient) {
    auto const& to = *node.src[source];
    bool const is_same = name == "DUP" || name == "ADD" || name == "ADD1" || (name == "SUB" && source == 0) ||
                         (name == "ACC" && source == 0) || name == "CONT";
    if (is_same && has_shape_of(node, to)) return gradient;
    if (name == "TRANSPOSE") return {gradient[1], gradient[0], gradient[2], gradient[3]};
    if (name == "PERMUTE") {
      strides back{};
      for (std::size_t i = 0; i < 4; ++i) back[i] = gradient[static_cast<std::size_t>(node.op_params[i] & 3)];
      return back;
    }
    return strides_of(to);
  }

  void pass_on(Tensor const& node, std::string_view name, Tensor const& source, strides const& gradient) {
    auto const [at, is_first] = gradients_.try_emplace(&source, gradient);
    if (is_first) {
      if (name == "VIEW" && (number_of(source) != ggml_number::f32 || !is_packed(source))) {
        fail_node(node, "is a view of a tensor that is not contiguous or not f32, whose gradient ggml cannot make");
      }
      return;
    }
    bool const by_number = name == "SUM" || name == "MEAN";
    if (by_number && !has_one_element(node)) {
      fail_node(node, "has several elements and is not all that its source goes into, which ggml cannot add up");
    }
    auto const asked = by_number                          ? ggml_layout::packed
                       : name == "VIEW" || name == "CONT" ? ggml_layout::contiguous
                                                          : ggml_layout::rows;
    if (!is_laid_out(at->second, source, asked)) {
      fail_tensor(where_, source,
                  "gets a permuted gradient, to which ggml cannot add another: ggml_reshape to its own shape, and what "
                  "permutes or transposes it behind that");
    }
    at->second = strides_of(source);
  }

  /// A tensor of f32.
  static bool is_packed(Tensor const& tensor) {
    return std::equal(std::begin(tensor.nb), std::end(tensor.nb), strides_of(tensor).begin());
  }

  void check_operator(Tensor const& node, ggml_operator const& rule) const {
    auto const name = rule.name;
    if (name == "MUL_MAT") return check_product(node);
    if (name == "RMS_NORM" && release_ < ggml_release{0, 15} && allocation_ == ggml_allocation::of_graph) {
      fail_node(node,
                "has a wrong gradient where an allocator shares memory among the tensors of a graph, before ggml 0.15: "
                "a later ggml, or ggml_backend_alloc_ctx_tensors and ggml_allocation::of_each_tensor");
    }
    if ((name == "SILU" || name == "SWIGLU") && needs(node, 0) && number_of(*node.src[0]) == ggml_number::f32 &&
        !is_packed(*node.src[0])) {
      fail_node(node,
                "takes a permuted tensor or one with gaps, of which ggml reads other rows in its backward pass: "
                "ggml_cont");
    }
    if (name == "SWIGLU" && node.src[1] == nullptr) fail_node(node, "has no backward pass in ggml: ggml_swiglu_split");
    if (name == "GET_ROWS") {
      auto const &rows = *node.src[0], &ids = *node.src[1];
      if (rows.ne[2] != 1 || rows.ne[3] != 1 || ids.ne[1] != 1 || ids.ne[2] != 1 || ids.ne[3] != 1) {
        fail_node(node,
                  "takes its rows by " + shape_of(ids) + " numbers, whose gradient ggml cannot make: a vector of them");
      }
    }
    if (name == "ADD1" && needs(node, 1) && !has_one_element(node)) {
      fail_node(node, "passes on the mean of its gradient in ggml, not the sum: ggml_add");
    }
    if ((name == "SUB" || name == "DIV") && needs(node, 1) && !has_shape_of(*node.src[1], node)) {
      fail_node(node, "repeats its second source, whose gradient ggml does not add up then: ggml_repeat");
    }
    if (name == "SOFT_MAX") {
      float max_bias = 0;
      std::memcpy(&max_bias, node.op_params + 1, sizeof max_bias);
      if (max_bias != 0) fail_node(node, "has a bias by position (max_bias), of which ggml has no backward pass");
    }
  }

  /// ggml's gradients of a product are outer products, of less types and shapes.
  void check_product(Tensor const& node) const {
    auto const &a = *node.src[0], &b = *node.src[1];
    bool const is_repeated = a.ne[2] != b.ne[2] || a.ne[3] != b.ne[3];
    auto const check_factor = [&](Tensor const& factor, bool repeated) {
      bool const is_half = number_of(factor) == ggml_number::f16;
      if (number_of(factor) == ggml_number::f32) return;
      if (!is_half && !ggml_is_quantized(factor.type)) {
        fail_node(node, "has a factor of type " + std::string{ggml_type_name(factor.type)} +
                            ", by which ggml has no backward pass: expected f32, f16 or a quantized type");
      }
      if (is_half && release_ < ggml_release{0, 17}) {
        fail_node(node, "has a factor of type f16, by which ggml has no backward pass before 0.17");
      }
      if (repeated) {
        fail_node(node, "repeats a factor of type " + std::string{ggml_type_name(factor.type)} +
                            ", by which ggml has a backward pass for f32 only");
      }
    };
    if (needs(node, 0)) {
      if (is_repeated && node.ne[3] != 1) {
        fail_node(node, "has grouped queries (its first factor, " + shape_of(a) + ", is repeated) over " +
                            std::to_string(node.ne[3]) + " sequences in dimension 3, ggml has a backward pass for 1");
      }
      if (b.nb[0] > b.nb[1]) {
        fail_node(node, "has a second factor that is transposed, by which ggml has no backward pass: ggml_cont");
      }
      check_factor(b, false);
    }
    if (needs(node, 1)) check_factor(a, is_repeated);
  }

  char const* where_;
  ggml_release release_;
  ggml_allocation allocation_;
  std::vector<Tensor const*> nodes_{};
  std::unordered_set<Tensor const*> needed_{}, leafs_{};
  std::unordered_map<Tensor const*, strides> gradients_{};
  std::size_t losses_ = 0, passed_ = 0;
};

}  // namespace detail

/// Before ggml_build_backward_expand aborts the process, or gives a wrong gradient: throws std::invalid_argument for the
/// first node between the graph's parameters and x that it or the backward pass cannot take, with its name, its operator and
/// what is wrong. Names operators without a backward pass, types that cannot be a parameter or a factor, grouped queries
/// over several sequences, rows taken by a matrix of numbers, permuted gradients, operators in place, and rms_norm under
/// an allocator before 0.15. As far as is known of ggml 0.9.1 to 0.25 on the CPU. Nothing is changed.
///     graph      in which ggml_build_forward_expand has put x, after ggml_set_param of its parameters
///     x          what the loss's gradient is given by: any shape
///     version    ggml_version(): of the ggml that runs, not of its headers
template <class Graph, detail::ggml_tensor_like Tensor>
void check_ggml_graph(Graph* graph, Tensor const* x, char const* version,
                      ggml_allocation allocation = ggml_allocation::of_graph) {
  constexpr char const* where = "check_ggml_graph";
  if (graph == nullptr) detail::fail(where, "the graph is null");
  if (x == nullptr) detail::fail(where, "the tensor is null");
  detail::ggml_walk<Graph, Tensor>{where, graph, x, detail::release_of(where, version), allocation};
}

}  // namespace prefopt::inline PREFOPT_ABI
