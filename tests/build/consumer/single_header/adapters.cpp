// The adapters to ggml and DLPack, from the single header, on types like their hosts'.
#include <cstring>

#include "../../../host_ggml/fake_ggml.hpp"

prefopt::report from_logits(fake::tensor const* logits, fake::tensor* gradient, std::vector<int> const& labels) {
  return prefopt::ggml_evaluate(prefopt::cpo{}, logits, gradient, {.labels = labels, .tokens_per_sequence = 8}, {});
}

void check(fake::graph* graph, fake::tensor const* x) { prefopt::check_ggml_graph(graph, x, "0.21.0"); }
