#include <algorithm>
#include <cmath>
#include <cstdio>
#include <prefopt/logprob/token_logprobs.hpp>
#include <string>
#include <vector>

#include "batch_advantages.hpp"
#include "gru_policy.hpp"
#include "preset.hpp"
#include "sentence_bleu.hpp"

// Numbers of the loop that nothing else shows: BLEU, the policy's gradient, its samples, the advantages.

namespace {

int failures = 0;

void expect(bool holds, std::string const& what) {
  if (holds) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failures;
}

void expect_near(double got, double expected, double tolerance, std::string const& what) {
  char text[96];
  std::snprintf(text, sizeof text, ": got %.17g, expected %.17g", got, expected);
  expect(std::abs(got - expected) <= tolerance, what + text);
}

/// sacrebleu 2.6.0: sentence_bleu(sentence, [reference], tokenize="none", smooth_method="exp",
/// use_effective_order=True).score / 100
void bleu() {
  constexpr std::string_view reference = "the fox hides the red ball";
  struct {
    std::string_view sentence;
    double expected;
  } const cases[] = {{"the fox hides the red ball", 1.0000000000000004},
                     {"the fox hides the old ball", 0.537284965911771},
                     {"the fox sees the old ball", 0.19304869754804482},
                     {"the fox hides", 0.3678794411714425},
                     {"fox hides", 0.13533528323661276},
                     {"ball", 0.0067379469990854705},
                     {"the the the the the the the", 0.07809849842300637},
                     {"ball red the hides fox the", 0.12703318703865377},
                     {"the fox, hides the red ball.", 0.32466791547509904},
                     {"the fox hides the red ball and the fox hides the red ball", 0.3805803001674947},
                     {"  the   fox\thides the red ball ", 1.0000000000000004},
                     {"a b c", 0},
                     {"", 0}};
  for (auto const& [sentence, expected] : cases) {
    expect_near(sentence_bleu(sentence, reference), expected, 1e-15, "bleu of \"" + std::string{sentence} + "\"");
  }
}

sample_group some_group() {
  auto const tokens = [](char const* text, bool ends) {
    auto of = byte_alphabet::tokens_of(text);
    if (ends) of.push_back(byte_alphabet::end);
    return of;
  };
  return {tokens("7+5=", false), {tokens("12", true), tokens("", true), tokens("1712", false), tokens("2", true)}};
}

/// A preset's loss of the group and a critic's, and their gradient by the weights.
class loss_of_weights {
 public:
  loss_of_weights(preset const& by, gru_policy<double>& policy) : preset_{by}, policy_{policy} {
    std::mt19937_64 random{7};
    auto const some = [&] { return static_cast<double>(random() >> 11U) * 0x1p-53 - 0.5; };
    offsets_.push_back(0);
    for (auto const& completion : group_.completions) {
      offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(completion.size()));
      advantage_.push_back(3 * some());
    }
    forward();
    for (double const log_prob : log_prob_) {
      old_.push_back(log_prob + 0.5 * some());
      reference_.push_back(log_prob + some());
      gain_.push_back(some());
    }
  }

  double operator()() {
    forward();
    double sum = prefopt::evaluate(preset_.loss, batch()).loss;
    for (std::size_t i = 0; i < gain_.size(); ++i) sum += std::pow(value(i) - gain_[i], 2) / 2;
    return sum;
  }

  Eigen::VectorXd gradient() {
    forward();
    std::size_t const tokens = log_prob_.size();
    std::vector<double> d_log_prob(tokens);
    prefopt::evaluate(preset_.loss, batch(), {.d_log_prob = d_log_prob});
    Eigen::MatrixXd d_outputs(kept_.outputs.rows(), kept_.outputs.cols());
    auto const labels = group_.labels();
    prefopt::token_logprob_gradients(rows(kept_.outputs.data()), labels, log_sum_exp_, d_log_prob,
                                     rows(d_outputs.data()));
    for (std::size_t i = 0; i < tokens; ++i) {
      d_outputs(byte_alphabet::size, static_cast<Eigen::Index>(i)) = value(i) - gain_[i];
    }
    Eigen::VectorXd of = Eigen::VectorXd::Zero(policy_.weights().size());
    policy_.backward(group_, kept_, d_outputs, of);
    return of;
  }

 private:
  prefopt::row_major<double> rows(double* outputs) const {
    return {outputs, group_.tokens(), std::size_t{byte_alphabet::size}, gru_policy<double>::output_count};
  }

  double value(std::size_t token) const { return kept_.outputs(byte_alphabet::size, static_cast<Eigen::Index>(token)); }

  prefopt::token_batch<double> batch() const {
    return {.log_prob = log_prob_,
            .old_log_prob = old_,
            .ref_log_prob = preset_.loss.kl.estimator == prefopt::kl_estimator::none
                                ? prefopt::column<double>{}
                                : prefopt::column<double>{reference_},
            .advantage = advantage_,
            .offsets = offsets_};
  }

  void forward() {
    policy_.forward(group_, kept_);
    log_prob_.resize(group_.tokens());
    log_sum_exp_.resize(group_.tokens());
    auto const labels = group_.labels();
    prefopt::token_logprobs(rows(kept_.outputs.data()), labels, {.log_prob = log_prob_, .log_sum_exp = log_sum_exp_});
  }

  preset const& preset_;
  gru_policy<double>& policy_;
  sample_group const group_ = some_group();
  gru_policy<double>::pass kept_;
  std::vector<double> log_prob_, log_sum_exp_, old_, reference_, advantage_, gain_;
  std::vector<std::int64_t> offsets_;
};

/// By every weight, against central differences. cispo's is none of its loss: it holds the ratio constant.
void gradient() {
  for (auto const* name : {"grpo", "dr_grpo", "dapo", "gspo", "rloo", "reinforce_pp", "ppo"}) {
    rl_settings settings;
    settings.kl = 0.1;
    preset const by = preset_of(name, {}, settings, 4);
    std::mt19937_64 random{3};
    gru_policy<double> policy{5, random};
    loss_of_weights loss{by, policy};
    Eigen::VectorXd const computed = loss.gradient();
    double largest = 0;
    for (Eigen::Index i = 0; i < policy.weights().size(); ++i) {
      constexpr double step = 1e-5;
      double& weight = policy.weights()[i];
      double const before = weight;
      weight = before + step;
      double const above = loss();
      weight = before - step;
      double const below = loss();
      weight = before;
      largest = std::max(largest, std::abs((above - below) / (2 * step) - computed[i]));
    }
    expect(computed.cwiseAbs().maxCoeff() > 0.01, std::string{name} + ": the gradient is next to nothing");
    expect(largest < 1e-9,
           std::string{name} + ": finite differences differ by " + std::to_string(largest * 1e9) + "e-9");
  }
}

/// Tokens come as often as the policy's probabilities say, also behind a first token.
void samples() {
  std::mt19937_64 random{5};
  gru_policy<double> const policy{8, random};
  constexpr std::size_t count = 40000;
  auto const prompt = byte_alphabet::tokens_of("1+2=");
  auto const drawn = policy.sample(prompt, count, 2, random);
  auto const probabilities_after = [&](std::vector<byte_alphabet::token> const& begin) {
    sample_group group{prompt, {begin}};
    group.completions.front().push_back(byte_alphabet::end);
    gru_policy<double>::pass kept;
    policy.forward(group, kept);
    Eigen::ArrayXd const logits = kept.outputs.col(kept.outputs.cols() - 1).head(byte_alphabet::size);
    Eigen::ArrayXd const weights = (logits - logits.maxCoeff()).exp();
    return Eigen::ArrayXd{weights / weights.sum()};
  };
  auto const first = probabilities_after({});
  Eigen::ArrayXd seen = Eigen::ArrayXd::Zero(byte_alphabet::size);
  for (auto const& completion : drawn.completions) seen[completion.front()] += 1;
  Eigen::ArrayXd expected = first * static_cast<double>(count);
  // Of 95 degrees of freedom: the mean is 95, the deviation sqrt(190).
  double const chi_square = ((seen - expected).square() / expected).sum();
  expect(chi_square < 95 + 4 * std::sqrt(190.0), "first tokens: chi-square " + std::to_string(chi_square));
  expect(chi_square > 95 - 4 * std::sqrt(190.0), "first tokens: chi-square " + std::to_string(chi_square));

  Eigen::ArrayXd second = Eigen::ArrayXd::Zero(byte_alphabet::size);
  seen.setZero();
  for (int t = 1; t < byte_alphabet::size; ++t)
    second += first[t] * probabilities_after({static_cast<unsigned char>(t)});
  for (auto const& completion : drawn.completions) {
    if (completion.size() == 2) seen[completion.back()] += 1;
    expect(completion.size() == (completion.front() == byte_alphabet::end ? 1 : 2),
           "a completion goes on after its end");
  }
  expected = second * static_cast<double>(count);
  double const of_second = ((seen - expected).square() / expected).sum();
  expect(of_second < 95 + 4 * std::sqrt(190.0), "second tokens: chi-square " + std::to_string(of_second));
}

/// Two prompts with two samples each, by hand.
void advantages() {
  step_rewards const rewards{.token_reward = {0, 1, 0.5, 0, 0, -1, 0.25},
                             .value = {0.5, 0.25, 0.125, 0, 0.5, -0.5, 0.25},
                             .offsets = {0, 2, 3, 6, 7},
                             .samples = 2};
  rl_settings const settings;
  auto const equal = [](std::vector<double> const& got, std::vector<double> const& expected, std::string const& what) {
    expect(got.size() == expected.size(), what + ": " + std::to_string(got.size()) + " numbers");
    for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
      expect_near(got[i], expected[i], 1e-12, what + " " + std::to_string(i));
    }
  };
  // Rewards 1, 0.5; -1, 0.25: of each group half the difference.
  equal(advantages_of(rewards, preset_of("dr_grpo", {}, settings, 4)).advantage,
        {0.25, 0.25, -0.25, -0.625, -0.625, -0.625, 0.625}, "dr_grpo");
  equal(advantages_of(rewards, preset_of("rloo", {}, settings, 4)).advantage,
        {0.5, 0.5, -0.5, -1.25, -1.25, -1.25, 1.25}, "rloo");
  // Half the difference over sqrt(2) times as much, but for epsilon.
  double const scaled = 0.25 / (0.25 * std::sqrt(2.0) + 1e-4), other = 0.625 / (0.625 * std::sqrt(2.0) + 1e-4);
  equal(advantages_of(rewards, preset_of("grpo", {}, settings, 4)).advantage,
        {scaled, scaled, -scaled, -other, -other, -other, other}, "grpo");
  // Generalized advantage estimates with lambda 0.95; their sum with the values is what the critic should have said.
  std::vector<double> const estimates{-0.25 + 0.95 * 0.75, 0.75, 0.375, 0.5 + 0.95 * (-1 + 0.95 * -0.5),
                                      -1 + 0.95 * -0.5,    -0.5, 0};
  auto const made = advantages_of(rewards, preset_of("ppo", {}, settings, 4));
  std::vector<double> gain, whitened;
  double mean = 0, squares = 0;
  for (double const each : estimates) mean += each / 7;
  for (double const each : estimates) squares += (each - mean) * (each - mean);
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    gain.push_back(estimates[i] + rewards.value[i]);
    whitened.push_back((estimates[i] - mean) / std::sqrt(squares / 6 + 1e-8));
  }
  equal(made.gain, gain, "gain");
  equal(made.advantage, whitened, "ppo");
}

}  // namespace

int main() {
  bleu();
  gradient();
  samples();
  advantages();
  if (failures == 0) std::printf("BLEU, gradients, samples and advantages are right\n");
  return failures == 0 ? 0 : 1;
}
