// unpaired_step: what a host gives reaches the loss, and the gradient comes back.
#include <catch.hpp>
#include <cstdio>
#include <prefopt/adapter/reference_file.hpp>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

/// A log-prob for each completion of the data, by index; keeps the gradients that it is given.
struct table_policy {
  std::vector<double> logp, length, d{};

  void log_probs(std::vector<int> const& batch, unpaired_log_probs<double> const& out) const {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      out.logp[i] = logp[static_cast<std::size_t>(batch[i])];
      if (!out.length.empty()) out.length[i] = length[static_cast<std::size_t>(batch[i])];
    }
  }
  void backward(std::vector<int> const&, unpaired_gradients<double> const& gradients) {
    d.assign(gradients.logp.begin(), gradients.logp.end());
  }
};

}  // namespace

TEST_CASE("an unpaired step is evaluate between the policy and its gradient") {
  table_policy policy{.logp = {-3, -7, -4, -9}, .length = {2, 3, 4, 5}};
  std::vector<double> const references{-2, -8, -5, -9}, label{1, 0, 1}, weight{1, 2, 0.5}, kl{-3, -4, -5},
      ref_kl{-4, -4, -6};
  std::vector<int> const batch{3, 0, 1};
  stored_unpaired_reference<double> const stored{column<double>{references}};
  unpaired_step<double> step;
  auto const seen = step(kto{.beta = 0.4}, policy, stored, batch,
                         {.label = label, .weight = weight, .kl_logp = kl, .ref_kl_logp = ref_kl});

  std::vector<double> const logp{-9, -3, -7}, ref_logp{-9, -2, -8};
  std::vector<double> loss(3), d(3);
  auto const expected = evaluate(
      kto{.beta = 0.4},
      unpaired_batch<double>{
          .logp = logp, .ref_logp = ref_logp, .label = label, .weight = weight, .kl_logp = kl, .ref_kl_logp = ref_kl},
      {.loss = loss, .d_logp = d});
  CHECK(seen.loss == expected.loss);
  CHECK(policy.d == d);
  CHECK(std::vector<double>(step.loss().begin(), step.loss().end()) == loss);
  CHECK(std::vector<double>(step.logp().begin(), step.logp().end()) == logp);
  CHECK(std::vector<double>(step.ref_logp().begin(), step.ref_logp().end()) == ref_logp);

  CHECK(refusal([&] {
          static_cast<void>(
              step(kto{}, policy, stored, batch, {.label = label}, {.gradient = gradient_write::accumulate}));
        }) ==
        "prefopt::unpaired_step: options.gradient is accumulate, expected assign: the policy adds up gradients itself");
}

TEST_CASE("log-probs of single completions are kept in a file, which no other family reads") {
  std::string const path = "unpaired_reference.bin";
  std::vector<double> const references{-2, -8.5, -5};
  auto const data = data_checksum{}.add(std::string{"three completions"});
  write_unpaired_reference_file(path, column<double>{references}, data);
  unpaired_reference_file<double> const read{path, data};
  CHECK(std::vector<double>(read.logp().begin(), read.logp().end()) == references);
  std::vector<double> out(2);
  read.log_probs(std::vector<int>{2, 0}, unpaired_log_probs<double>{out, {}});
  CHECK(out == std::vector<double>{-5, -2});
  auto const of_pairs = refusal([&] { reference_file<double>{path, data}; });
  CHECK(of_pairs.find("completions") != std::string::npos);
  std::remove(path.c_str());
}
