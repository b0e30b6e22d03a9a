// A rank that cannot evaluate its pairs: every rank throws, none has written anything, and all stay in step.
#include "refusals.hpp"

#include <chain/sequences.hpp>
#include <engine/pairs.hpp>
#include <functional>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/train/step.hpp>

using namespace prefopt;

namespace {

struct pair_attempt {
  any_pair_loss loss{dpo{}};
  pair_batch<double> batch;
  pair_outputs<double> outputs;
  prefopt::options options;
};

/// `spoil` makes an attempt one that is refused.
void check_pairs(std::string const& message, std::function<void(pair_attempt&)> const& spoil) {
  check_refusals(message, [&](std::size_t rank, bool is_bad, rank_sum& sum) {
    pairs<double> const data{5 + rank};
    results<double> written{data.size(), false};
    pair_attempt attempt{.batch = data.batch(any_pair_loss{dpo{}}),
                         .outputs = written.outputs(),
                         .options = {.non_finite = on_invalid::error, .all_reduce = sum}};
    if (is_bad) spoil(attempt);
    try {
      static_cast<void>(evaluate(attempt.loss, attempt.batch, attempt.outputs, attempt.options));
    } catch (...) {
      if (!written.is_untouched()) throw std::logic_error{"outputs were written although a rank refused"};
      throw;
    }
  });
}

}  // namespace

TEST_CASE("a rank refuses its pairs") {
  static std::vector<double> const nan(20, std::numeric_limits<double>::quiet_NaN()), negative(20, -1), zero(20, 0.0),
      short_column(2, 1.0);
  static std::vector<double> short_output(2);
  auto const like = [](pair_attempt const& attempt, std::vector<double> const& values) {
    return column<double>{values.data(), attempt.batch.chosen.size()};
  };
  check_pairs("prefopt::dpo: beta is -1, expected", [](auto& attempt) { attempt.loss = dpo{.beta = -1}; });
  check_pairs("ref_chosen has 2 elements, chosen has ", [](auto& attempt) { attempt.batch.ref_chosen = short_column; });
  check_pairs("output d_chosen has 2", [](auto& attempt) { attempt.outputs.d_chosen = short_output; });
  check_pairs("does not write the output posterior",
              [](auto& attempt) { attempt.outputs.posterior = attempt.outputs.loss; });
  check_pairs("needs the column ref_chosen", [](auto& attempt) { attempt.batch.ref_chosen = {}; });
  check_pairs("does not read the column margin", [&](auto& attempt) { attempt.batch.margin = like(attempt, zero); });
  check_pairs("chosen[0] is ", [&](auto& attempt) { attempt.batch.chosen = like(attempt, nan); });
  check_pairs("weight[0] is -1", [&](auto& attempt) { attempt.batch.weight = like(attempt, negative); });
  check_pairs("denominator is 0", [](auto& attempt) { attempt.options.denominator = 0; });
  check_pairs("only reduction::mean divides", [](auto& attempt) {
    attempt.options.denominator = 1;
    attempt.options.reduction = reduction::sum;
  });
  check_pairs("has a completion of length 0", [&](auto& attempt) {
    attempt.loss = simpo{};
    attempt.batch.ref_chosen = attempt.batch.ref_rejected = {};
    attempt.batch.chosen_length = attempt.batch.rejected_length = like(attempt, zero);
  });
}

TEST_CASE("a rank without pairs refuses its parameters") {
  check_refusal("prefopt::dpo: beta is 0", {1}, [](std::size_t rank, bool is_bad, rank_sum& sum) {
    pairs<double> const data{rank == 1 ? 0U : 7U};
    any_pair_loss const loss{dpo{.beta = is_bad ? 0.0 : 1.0}};
    results<double> written{data.size(), false};
    try {
      static_cast<void>(evaluate(loss, data.batch(loss), written.outputs(), {.all_reduce = sum}));
    } catch (...) {
      expect_untouched({&written.loss, &written.d_chosen}, results<double>::untouched);
      throw;
    }
  });
}

TEST_CASE("a rank refuses its tokens") {
  using view = dense_tokens<double>;
  check_refusals("gradient is 3 x 4, log_prob is 4 x 3", [](std::size_t, bool is_bad, rank_sum& sum) {
    std::vector<double> const log_prob(12, -1.0), reference(4, -3.0);
    std::vector<double> d(12, -77.0), d_rejected(12, -77.0);
    matrix<double> const tokens{log_prob.data(), 4, 3};
    output_matrix<double> const gradient{d.data(), is_bad ? 3U : 4U, is_bad ? 4U : 3U};
    try {
      evaluate(dpo{},
               token_pair_batch<view>{.chosen = {.log_prob = tokens},
                                      .rejected = {.log_prob = tokens},
                                      .ref_chosen = reference,
                                      .ref_rejected = reference},
               {.d_chosen = gradient, .d_rejected = {d_rejected.data(), 4, 3}}, {.all_reduce = sum});
    } catch (...) {
      expect_untouched({&d, &d_rejected}, -77.0);
      throw;
    }
  });
}

TEST_CASE("a rank refuses its logits, as pairs and as groups") {
  static std::vector<double> const reference(6, -3.0);
  struct logit_attempt {
    std::vector<std::int64_t> labels, offsets{0, 2, 4, 6};
    column<double> ref_log_prob{reference};
    dpo loss{};
  };
  auto const check = [](std::string const& message, std::function<void(logit_attempt&)> const& spoil) {
    for (bool const as_groups : {false, true}) {
      CAPTURE(as_groups);
      check_refusals(message, [&](std::size_t, bool is_bad, rank_sum& sum) {
        sequences<double> const data{6, 5, 1};
        auto d_logits = untouched_like(data.memory);
        std::vector<double> log_prob(6, -77.0), length(6, -77.0);
        logit_attempt attempt{.labels = data.labels};
        if (is_bad) spoil(attempt);
        auto policy = data.policy(d_logits);
        policy.tokens.labels = attempt.labels;
        std::vector<double> const reward{3, 2, 1, 3, 2, 1};
        std::vector<int> const offsets{0, 3, 6};
        try {
          if (as_groups) {
            evaluate(plackett_luce{.beta = attempt.loss.beta}, policy,
                     policy_groups<double>{.offsets = offsets, .ref_log_prob = attempt.ref_log_prob, .reward = reward},
                     {.log_prob = log_prob, .length = length}, {.non_finite = on_invalid::error, .all_reduce = sum});
          } else {
            evaluate(attempt.loss, policy, policy_pairs<double>{.ref_log_prob = attempt.ref_log_prob},
                     {.log_prob = log_prob, .length = length}, {.non_finite = on_invalid::error, .all_reduce = sum});
          }
        } catch (...) {
          expect_untouched({&d_logits, &log_prob, &length}, -77.0);
          throw;
        }
      });
    }
  };
  static std::vector<double> const nan(6, std::numeric_limits<double>::quiet_NaN());
  check("beta is -1", [](auto& attempt) { attempt.loss.beta = -1; });
  check("labels[", [](auto& attempt) { attempt.labels.back() = 99; });
  check("ref_log_prob has 5", [](auto& attempt) { attempt.ref_log_prob = {reference.data(), 5}; });
  check("expected a finite number", [](auto& attempt) { attempt.ref_log_prob = nan; });
}

namespace {

/// A batch of three examples for a host that fails where it is told to.
struct three {
  bool host_throws = false, host_throws_int = false, reference_throws = false;
  static constexpr std::size_t size() { return 3; }
};

struct failing_host {
  std::size_t backwards = 0;

  template <class T>
  void log_probs(three const& batch, pair_log_probs<T> const& out) const {
    check(batch);
    for (auto const& values : {out.chosen, out.rejected}) std::fill(values.begin(), values.end(), T(-1));
  }
  template <class T>
  void log_probs(three const& batch, list_log_probs<T> const& out) const {
    check(batch);
    std::fill(out.logp.begin(), out.logp.end(), T(-1));
  }
  template <class Gradients>
  void backward(three const&, Gradients const&) {
    ++backwards;
  }

 private:
  static void check(three const& batch) {
    if (batch.host_throws) throw std::runtime_error{"the host has no memory left"};
    if (batch.host_throws_int) throw 1;
  }
};

struct failing_reference {
  template <class Out>
  void log_probs(three const& batch, Out const& out) const {
    if (batch.reference_throws) throw std::runtime_error{"the reference is not there"};
    failing_host{}.log_probs(three{}, out);
  }
};

struct step_attempt {
  three batch;
  double beta = 1;
  std::vector<double> weight{1, 2, 3};
  std::vector<int> offsets{0, 1, 2, 3};
};

void check_steps(std::string const& message, bool of_pairs, bool of_groups,
                 std::function<void(step_attempt&)> const& spoil) {
  auto const check = [&](auto const& run) {
    check_refusals(message, [&](std::size_t, bool is_bad, rank_sum& sum) {
      step_attempt attempt;
      if (is_bad) spoil(attempt);
      failing_host host;
      try {
        run(attempt, host, options{.all_reduce = sum});
      } catch (...) {
        if (host.backwards != 0) throw std::logic_error{"the host got a gradient although a rank refused"};
        throw;
      }
    });
  };
  failing_reference const reference;
  if (of_pairs) {
    check([&](step_attempt const& attempt, failing_host& host, options const& given) {
      pair_step<double> step;
      step(dpo{.beta = attempt.beta}, host, reference, attempt.batch, {.weight = attempt.weight}, given);
    });
  }
  if (of_groups) {
    check([&](step_attempt const& attempt, failing_host& host, options const& given) {
      list_step<double> step;
      step(plackett_luce{.beta = attempt.beta}, host, reference, attempt.batch,
           {.offsets = attempt.offsets, .weight = attempt.weight}, given);
    });
  }
}

}  // namespace

TEST_CASE("a rank's step fails: before the loss, in it, and in the host's own code") {
  check_steps("beta is -1", true, true, [](auto& attempt) { attempt.beta = -1; });
  check_steps("weight has 2", true, true, [](auto& attempt) { attempt.weight.pop_back(); });
  check_steps("the host has no memory left", true, true, [](auto& attempt) { attempt.batch.host_throws = true; });
  check_steps("an int", true, true, [](auto& attempt) { attempt.batch.host_throws_int = true; });
  check_steps("the reference is not there", true, true, [](auto& attempt) { attempt.batch.reference_throws = true; });
  check_steps("offsets is empty", false, true, [](auto& attempt) { attempt.offsets.clear(); });
  check_steps("offsets end at -1", false, true, [](auto& attempt) { attempt.offsets.back() = -1; });
  check_steps("offsets", false, true, [](auto& attempt) { attempt.offsets = {0, 2, 1, 3}; });
}

TEST_CASE("an error of the all-reduce itself comes out as it is, after one call, before anything is written") {
  pairs<double> const data{6};
  any_pair_loss const loss{dpo{}};
  std::size_t calls = 0;
  auto const broken = [&](std::span<double>) {
    ++calls;
    throw std::runtime_error{"the network is gone"};
  };
  results<double> written{6, false};
  auto const message = [&](auto const& call) -> std::string {
    try {
      call();
    } catch (std::runtime_error const& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(message([&] {
          static_cast<void>(evaluate(loss, data.batch(loss), written.outputs(), {.all_reduce = broken}));
        }) == "the network is gone");
  CHECK(calls == 1);
  CHECK(written.is_untouched());

  failing_host host;
  pair_step<double> step;
  failing_reference reference;
  CHECK(message([&] { step(dpo{}, host, reference, three{}, {}, {.all_reduce = broken}); }) == "the network is gone");
  CHECK(calls == 2);
  CHECK(host.backwards == 0);
}

TEST_CASE("without an all-reduce nothing is changed about an error") {
  pairs<double> const data{6};
  CHECK(refusal_of(dpo{.beta = -1}, data.batch(any_pair_loss{dpo{}})).find("prefopt::dpo: beta is -1") == 0);
  CHECK_FALSE(all_reduce{});
  double one = 1;
  all_reduce{}({&one, 1});
  CHECK(one == 1);
}
