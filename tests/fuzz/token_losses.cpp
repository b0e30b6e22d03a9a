// Every preset and surrogate of tokens by name, with any KL estimate, correction and aggregation.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <prefopt/engine/make_token_loss.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fuzzed_batch.hpp"
#include "gradient_quotient.hpp"
#include "named_losses.hpp"

namespace {

using f = prefopt::token_family;

/// A token's numbers are log-probs of probabilities down to 1e-13: ratios of three of them are finite in float.
constexpr double lowest_log_prob = -28;

struct token_terms_made {
  prefopt::any_token_loss loss;
  bool is_moderate = true;
};

/// Sets the terms, of which some may be out of range.
void set_terms(fuzz_input& in, token_terms_made& made) {
  auto& loss = made.loss;
  bool const is_wild = in.one_in(6);
  auto const number = [&](double low, double high) {
    if (is_wild && in.one_in(3)) {
      made.is_moderate = false;
      return in.any<double>();
    }
    return in.uniform(low, high);
  };
  if (in.one_in(2)) {
    loss.kl.estimator = static_cast<prefopt::kl_estimator>(in.below(9));
    loss.kl.coefficient = loss.kl.estimator == prefopt::kl_estimator::none ? 0 : number(0, 2);
    if (in.one_in(3)) loss.kl.log_ratio_limit = number(0.1, 20);
    if (in.one_in(3)) loss.kl.value_limit = number(0.1, 20);
    loss.kl.is_corrected = in.one_in(2);
  }
  if (in.one_in(2)) {
    loss.correction.mode = static_cast<prefopt::correction_mode>(in.below(8));
    loss.correction.low = in.one_in(2) ? 0 : number(0, 1);
    loss.correction.high = number(1, 8);
    if (in.one_in(3)) loss.correction.off_policy_limit = number(-1, 1);
  }
  loss.aggregation.mode = static_cast<prefopt::aggregation_mode>(in.below(7));
  loss.aggregation.horizon = number(0.5, 100);
  if (in.one_in(3)) loss.entropy_coefficient = number(-1, 1);
  if (in.one_in(3)) loss.log_ratio_limit = number(0.1, 20);
}

template <class T>
struct token_values {
  std::array<std::vector<T>, f::input_count> columns;
  std::array<bool, f::input_count> is_given{};
  std::vector<std::int64_t> offsets, group_offsets;

  [[nodiscard]] prefopt::token_batch<T> batch() const {
    prefopt::token_batch<T> all;
    for (std::size_t c = 0; c < f::input_count; ++c) {
      if (is_given[c]) all.*f::inputs<T>[c].values = columns[c];
    }
    all.offsets = offsets;
    if (!group_offsets.empty()) all.group_offsets = group_offsets;
    return all;
  }
};

template <class T>
struct plain_tokens {
  std::optional<prefopt::token_report> report;
  std::array<std::vector<T>, f::output_count> outputs;
};

template <class T>
plain_tokens<T> plain(prefopt::any_token_loss const& loss, token_values<T> const& values,
                      std::array<std::vector<T>, f::output_count> before, prefopt::options const& options) {
  plain_tokens<T> made;
  made.outputs = std::move(before);
  prefopt::token_outputs<T> outputs;
  for (std::size_t o = 0; o < f::output_count; ++o) outputs.*f::results<T>[o].values = made.outputs[o];
  try {
    made.report = prefopt::evaluate(loss, values.batch(), outputs, options);
  } catch (std::invalid_argument const&) {
  }
  return made;
}

bool is_same_report(prefopt::token_report const& a, prefopt::token_report const& b) {
  return is_same(a.loss, b.loss) && is_same(a.mean_ratio, b.mean_ratio) && is_same(a.largest_ratio, b.largest_ratio) &&
         is_same(a.clipped_low, b.clipped_low) && is_same(a.clipped_high, b.clipped_high) && is_same(a.kl, b.kl) &&
         is_same(a.entropy, b.entropy) && is_same(a.mean_correction, b.mean_correction) &&
         is_same(a.effective_sample_size, b.effective_sample_size) && is_same(a.denominator, b.denominator) &&
         a.count == b.count && a.skipped == b.skipped && a.non_finite == b.non_finite && a.sequences == b.sequences &&
         a.empty == b.empty;
}

template <class T>
bool are_same(std::vector<T> const& a, std::vector<T> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return is_same(x, y); });
}

/// Surrogates and corrections that hold ratios constant have a gradient that is not their value's; nor do those that are
/// told to have none, or all of it, where a log-ratio is limited.
bool has_gradient_of_value(std::string const& name, prefopt::any_token_loss const& loss) {
  using prefopt::kl_estimator;
  static constexpr std::string_view smooth[]{"grpo",      "dr_grpo",  "dapo", "rloo",      "reinforce_pp", "ppo",
                                             "reinforce", "ppo_clip", "sapo", "dro_token", "masked_ratio"};
  static constexpr double none = std::numeric_limits<double>::infinity();
  auto const kl = loss.kl.estimator;
  bool const is_limited = name == "dro_token" && loss.log_ratio_limit != none;
  // A ratio may be so large that within no step of the quotients the estimate is within its limits.
  bool const is_limited_kl =
      prefopt::detail::uses_ratio(kl) && (loss.kl.log_ratio_limit != none || loss.kl.value_limit != none);
  return std::find(std::begin(smooth), std::end(smooth), name) != std::end(smooth) && !is_limited && !is_limited_kl &&
         kl != kl_estimator::k1_straight && kl != kl_estimator::k3_straight && loss.correction.off_policy_limit == none;
}

template <class T>
class token_target {
 public:
  token_target(fuzz_input& in, token_terms_made const& made, std::string const& name, late_text const& text)
      : in_{in}, loss_{made.loss}, is_moderate_{made.is_moderate}, name_{name}, text_{text} {}

  void run() {
    is_sound_ = !in_.one_in(3);
    make();
    auto const options = options_for(in_, is_sound_);
    bool const is_computed = check_call(options);
    promise(is_computed || !is_sound_ || !is_moderate_ || reads_more_than_is_given_, text_,
            ": refuses a batch that is as it should be: ", refusal_);
    if (!is_computed || !is_sound_ || !is_moderate_) return;
    check_numbers(options);
    if constexpr (std::same_as<T, double>) {
      if (values_.columns[f::log_prob].size() != 0 && has_gradient_of_value(name_, loss_) && in_.one_in(4))
        check_gradient();
    }
  }

 private:
  void make() {
    std::size_t const sequences = in_.below(in_.is_large() ? 90 : 9);
    bool const is_long = in_.is_large();
    values_.offsets = {0};
    bool is_one_each = true;
    for (std::size_t s = 0; s < sequences && tokens() < 600; ++s) {
      std::size_t const size = in_.below(is_long && in_.one_in(2) ? 300 : 6);
      is_one_each = is_one_each && size == 1;
      values_.offsets.push_back(values_.offsets.back() + static_cast<std::int64_t>(size));
    }
    std::size_t const n = tokens(), of = values_.offsets.size() - 1;
    values_.group_offsets = {0};
    while (values_.group_offsets.back() < static_cast<std::int64_t>(of)) {
      std::int64_t const next = values_.group_offsets.back() + static_cast<std::int64_t>(in_.below(4));
      values_.group_offsets.push_back(std::min(next, static_cast<std::int64_t>(of)));
    }
    bool const per_token = in_.one_in(2) || (of == n && !is_one_each);
    for (std::size_t c = 0; c < f::input_count; ++c) {
      bool gives = c == f::log_prob || c == f::advantage || is_wanted(f::inputs<T>[c].kind) || in_.one_in(2);
      auto const kind = f::inputs<T>[c].kind;
      if (is_sound_ && !is_wanted(kind) && (kind == prefopt::columns::reference || kind == prefopt::columns::rollout))
        gives = false;
      if (!is_sound_ && in_.one_in(32)) gives = !gives;
      std::size_t size = c == f::advantage && !per_token ? of : n;
      if (!is_sound_ && in_.one_in(64)) size = in_.below(n + 2);
      std::vector<T> made(size);
      bool const is_wild = !is_sound_ && in_.one_in(3);
      for (T& x : made) x = is_wild ? in_.any<T>() : static_cast<T>(sound(c));
      if (gives) columns_[c] = {in_, std::move(made), true};
      values_.is_given[c] = gives;
      values_.columns[c] = columns_[c].values();
    }
    // Where as many are tokens as sequences, whose advantages they are cannot be told.
    reads_more_than_is_given_ = of == n && !is_one_each;
    if (!is_sound_ && in_.one_in(8))
      values_.offsets[in_.below(values_.offsets.size())] = static_cast<std::int64_t>(in_.bits(8));
    if (!is_sound_ && in_.one_in(8)) {
      values_.group_offsets[in_.below(values_.group_offsets.size())] = static_cast<std::int64_t>(in_.bits(8));
    }
  }

  [[nodiscard]] std::size_t tokens() const { return static_cast<std::size_t>(values_.offsets.back()); }

  /// What the surrogate and the terms read.
  [[nodiscard]] bool is_wanted(prefopt::columns kind) const {
    using prefopt::columns;
    bool const corrects = loss_.correction.mode != prefopt::correction_mode::none;
    bool const masks = prefopt::detail::masks_off_policy(loss_.correction);
    if (kind == columns::reference)
      return loss_.kl.estimator != prefopt::kl_estimator::none || loss_.surrogate.needs(kind);
    if (kind == columns::rollout) return corrects || masks || loss_.surrogate.needs(kind);
    if (kind == columns::old_policy) return true;
    return kind == columns::entropy ? loss_.entropy_coefficient != 0
                                    : kind != columns::none && loss_.surrogate.needs(kind);
  }

  [[nodiscard]] double sound(std::size_t column) {
    switch (column) {
      case f::mask:
        return in_.one_in(4) ? 0 : 1;
      case f::advantage:
        return in_.one_in(8) ? 0 : in_.uniform(-4, 4);
      case f::entropy:
        return in_.uniform(0, 8);
      default:
        return in_.one_in(8) ? -1 : in_.uniform(lowest_log_prob, 0);
    }
  }

  [[nodiscard]] bool writes(std::size_t output) const {
    return output != f::d_entropy || loss_.entropy_coefficient != 0;
  }

  bool check_call(prefopt::options const& plain_options) {
    prefopt::token_batch<T> batch;
    prefopt::token_outputs<T> views;
    std::array<fuzzed_output<T>, f::output_count> outputs;
    std::array<std::vector<T>, f::output_count> before;
    std::array<bool, f::input_count> is_taken{};
    for (std::size_t c = 0; c < f::input_count; ++c) {
      if (values_.is_given[c]) batch.*f::inputs<T>[c].values = columns_[c].view();
    }
    batch.offsets = values_.offsets;
    batch.group_offsets = values_.group_offsets;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      if (!in_.one_in(2) || (!writes(o) && (is_sound_ || !in_.one_in(16)))) continue;
      std::size_t const size = !is_sound_ && in_.one_in(48) ? in_.below(8) : columns_[f::log_prob].values().size();
      std::size_t const c = in_.below(f::input_count);
      auto const* const memory = columns_[c].memory();
      if (in_.one_in(4) && memory != nullptr && !is_taken[c] && columns_[c].values().size() == size && size != 0) {
        is_taken[c] = true;
        outputs[o] = {*memory, size};
      } else {
        outputs[o] = {in_, size};
      }
      before[o] = outputs[o].before();
      views.*f::results<T>[o].values = outputs[o].view();
    }
    auto options = plain_options;
    odd_executor const executor{1 + in_.below(63)};
    auto const one_rank = [](std::span<double>) {};
    if (in_.one_in(2)) options.executor = executor;
    if (in_.one_in(4)) options.all_reduce = one_rank;
    std::optional<prefopt::token_report> report;
    try {
      report = prefopt::evaluate(loss_, batch, views, options);
    } catch (std::invalid_argument const& error) {
      refusal_ = error.what();
    }
    for (auto const& output : outputs) {
      promise(report ? output.has_whole_gaps() : output.is_untouched(), text_,
              (report ? ": writes between the results" : ": writes before it refuses"));
    }
    auto const same = plain(loss_, values_, before, plain_options);
    promise(report.has_value() == same.report.has_value(), text_, ": refuses by the layout alone: ", refusal_);
    if (!report) return false;
    promise(is_same_report(*report, *same.report), text_, ": reports otherwise by the layout alone");
    for (std::size_t o = 0; o < f::output_count; ++o) {
      promise(are_same(outputs[o].values(), same.outputs[o]), text_,
              ": computes otherwise by the layout alone: ", f::results<T>[o].name);
    }
    return true;
  }

  /// Log-probs make no NaN; and the loss is what the tokens' losses add up to, with the gradient's own factors.
  void check_numbers(prefopt::options options) {
    options.gradient = prefopt::gradient_write::assign;
    std::array<std::vector<T>, f::output_count> wanted;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      if (writes(o)) wanted[o].resize(values_.columns[f::log_prob].size());
    }
    auto const got = plain(loss_, values_, wanted, options);
    if (!got.report) return;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      for (std::size_t i = 0; i < got.outputs[o].size(); ++i) {
        T const value = got.outputs[o][i];
        promise(value == value, text_, ": NaN of finite numbers in ", f::results<T>[o].name);
        bool const counts = !values_.is_given[f::mask] || values_.columns[f::mask][i] != 0;
        promise(counts || value == 0, text_, ": a token that does not count has a result");
      }
    }
    promise(got.report->loss == got.report->loss, text_, ": a loss of NaN of finite numbers");
  }

  /// Of one token, the gradient of the aggregated loss.
  void check_gradient() {
    if constexpr (std::same_as<T, double>) {
      prefopt::options const options{.reduction = prefopt::reduction::sum};
      std::array<std::vector<T>, f::output_count> wanted;
      wanted[f::d_log_prob].resize(values_.columns[f::log_prob].size());
      wanted[f::loss].resize(wanted[f::d_log_prob].size());
      auto const at = plain(loss_, values_, wanted, options);
      if (!at.report || !std::isfinite(at.report->loss)) return;
      std::size_t const item = in_.below(values_.columns[f::log_prob].size());
      double const x = values_.columns[f::log_prob][item];
      double size = 1;
      for (double const loss : at.outputs[f::loss]) size += std::fabs(loss);
      for (double const slope : at.outputs[f::d_log_prob]) size += std::fabs(slope) * -lowest_log_prob;
      check_quotient(text_, x, at.outputs[f::d_log_prob][item], size, [&](double moved) {
        auto other = values_;
        other.columns[f::log_prob][item] = moved;
        auto const there = plain(loss_, other, {}, options);
        return there.report ? there.report->loss : std::numeric_limits<double>::quiet_NaN();
      });
    }
  }

  fuzz_input& in_;
  prefopt::any_token_loss const& loss_;
  bool is_moderate_, is_sound_ = true, reads_more_than_is_given_ = false;
  std::string const& name_;
  late_text const& text_;
  std::string refusal_;
  std::array<fuzzed_column<T>, f::input_count> columns_;
  token_values<T> values_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static auto const cards = prefopt::token_loss_cards();
  fuzz_input in{data, size};
  auto const& card = cards[in.below(cards.size())];
  auto const parameters = parameters_for(in, card.parameters);
  std::string const name{card.card.name};
  late_text const text = [&] { return text_of({name, {}, {}}, parameters.values); };
  std::unique_ptr<prefopt::any_token_loss const> loss;
  try {
    loss = std::make_unique<prefopt::any_token_loss const>(prefopt::make_token_loss(name, parameters.values));
  } catch (std::invalid_argument const&) {
  }
  // Of gspo and cispo the card of the surrogate comes second, and the preset is made.
  promise(!loss || parameters.in_range, text, ": a parameter out of its range is taken");
  if (!loss) return 0;
  token_terms_made made{*loss, parameters.moderate};
  if (in.one_in(2)) set_terms(in, made);
  late_text const with_terms = [&] {
    return text() + " kl " + std::string{name_of(made.loss.kl.estimator)} + " correction " +
           std::string{name_of(made.loss.correction.mode)} + " aggregation " +
           std::string{name_of(made.loss.aggregation.mode)};
  };
  if (in.one_in(2)) {
    token_target<float>{in, made, name, with_terms}.run();
  } else {
    token_target<double>{in, made, name, with_terms}.run();
  }
  return 0;
}
