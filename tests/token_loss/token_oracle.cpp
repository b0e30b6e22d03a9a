#include "token_loss/token_oracle.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <string>

namespace token_oracle {
namespace {

using namespace prefopt;

/// Errors of a function of the library, in epsilons.
constexpr real of_function = 6;

number constant(real x) { return {x, 0, 0, 0}; }
/// Rounded to T, unless that changes nothing.
number parameter(real x) { return {x, 0, static_cast<float>(x) == x ? 0 : std::fabs(x), 0}; }
/// Held constant.
number held(number const& x) { return {x.value, 0, x.value_error, 0}; }

number operator+(number const& a, number const& b) {
  // Beside a 0 nothing is rounded.
  auto const rounding = [](real x, real y) { return x == 0 || y == 0 ? 0 : std::fabs(x + y); };
  return {a.value + b.value, a.slope + b.slope, a.value_error + b.value_error + rounding(a.value, b.value),
          a.slope_error + b.slope_error + rounding(a.slope, b.slope)};
}
number operator-(number const& a) { return {-a.value, -a.slope, a.value_error, a.slope_error}; }
number operator-(number const& a, number const& b) { return a + -b; }
number operator*(number const& a, number const& b) {
  real const left = a.slope * b.value, right = a.value * b.slope;
  return {a.value * b.value, left + right,
          std::fabs(a.value) * b.value_error + std::fabs(b.value) * a.value_error + std::fabs(a.value * b.value),
          std::fabs(a.slope) * b.value_error + a.slope_error * std::fabs(b.value) + std::fabs(a.value) * b.slope_error +
              a.value_error * std::fabs(b.slope) + 2 * (std::fabs(left) + std::fabs(right))};
}

/// f of x, with the first two derivatives there.
number applied(number const& x, real f, real first, real second) {
  return {f, first * x.slope, std::fabs(first) * x.value_error + of_function * std::fabs(f),
          std::fabs(first) * x.slope_error +
              std::fabs(x.slope) * (std::fabs(second) * x.value_error + of_function * std::fabs(first))};
}
number exp(number const& x) {
  if (x.value == 0 && x.value_error == 0) return {1, x.slope, 0, x.slope_error};
  real const e = std::exp(x.value);
  return applied(x, e, e, e);
}
number log(number const& x) { return applied(x, std::log(x.value), 1 / x.value, -1 / (x.value * x.value)); }
number sigmoid(number const& x) {
  real const s = 1 / (1 + std::exp(-x.value)), other = 1 / (1 + std::exp(x.value));
  return applied(x, s, s * other, s * other * (other - s));
}
/// e^-x - 1 + x, by its series where that would cancel.
number third_estimate(number const& x) {
  real value = std::expm1(-x.value) + x.value;
  if (std::fabs(x.value) < real(0.125)) {
    value = 0;
    real term = -x.value;
    for (int n = 2; n < 24; ++n) value += term *= -x.value / n;
  }
  return applied(x, value, -std::expm1(-x.value), std::exp(-x.value));
}

number sum(std::vector<number> const& xs) {
  number total;
  real size = 0, slopes = 0;
  for (auto const& x : xs) {
    total.value += x.value;
    total.slope += x.slope;
    total.value_error += x.value_error;
    total.slope_error += x.slope_error;
    size += std::fabs(x.value);
    slopes += std::fabs(x.slope);
  }
  // Lanes over a block of 512, and the lanes.
  real const additions = std::min<real>(static_cast<real>(xs.size()), 140);
  total.value_error += additions * size;
  total.slope_error += additions * slopes;
  return total;
}

struct sequence {
  std::vector<number> l;
  std::vector<real> o, r, b, advantage, entropy;
  std::vector<bool> counts, selected;
  std::vector<std::size_t> counted;  ///< their places
};

/// What is found at one token.
struct at_token {
  number surrogate, kl, correction{1, 0, 0, 0}, ratio;
  bool below = false, above = false;
};

class evaluation {
 public:
  evaluation(any_token_loss const& loss, real epsilon) : loss_{loss}, epsilon_{epsilon} {
    for (auto const& [name, value] : loss.surrogate.parameters()) values_[std::string{name}] = value;
  }

  bool is_close = false;

  std::vector<at_token> run(sequence const& s, bool has_rollout) {
    std::vector<at_token> all(s.l.size());
    if (s.counted.empty()) return all;
    auto const weights = corrections(s);
    std::vector<bool> const off = off_policy(s, has_rollout);
    auto surrogates = values(s, weights, all);
    for (auto const t : s.counted) {
      number correction = weights[t], surrogate = surrogates[t];
      if (loss_.surrogate.name() != "vespo") surrogate = correction * surrogate;
      // The KL keeps its correction.
      if (off[t]) surrogate = constant(0);
      all[t].surrogate = surrogate;
      all[t].correction = correction;
      if (loss_.kl.estimator != kl_estimator::none) all[t].kl = kl(s, t);
    }
    return all;
  }

 private:
  [[nodiscard]] number p(char const* name) const { return parameter(values_.at(name)); }

  bool less(number const& a, number const& b) {
    real const error = 4 * epsilon_ * (a.value_error + b.value_error);
    if (error > 0 && std::fabs(a.value - b.value) <= error) is_close = true;
    return a.value < b.value;
  }
  number clip(number const& x, number const& low, number const& high) {
    return less(x, low) ? low : less(high, x) ? high : x;
  }

  /// Limited, without a slope where it is.
  number log_ratio(sequence const& s, std::size_t t) const {
    number x = s.l[t];
    x.value -= s.o[t];  // exact
    if (x.value > loss_.log_ratio_limit) return constant(loss_.log_ratio_limit);
    if (x.value < -loss_.log_ratio_limit) return constant(-loss_.log_ratio_limit);
    return x;
  }
  number ratio(sequence const& s, std::size_t t) const { return exp(log_ratio(s, t)); }

  template <class F>
  number sum_over(sequence const& s, F const& f) {
    std::vector<number> xs;
    for (auto const t : s.counted) xs.push_back(f(t));
    return sum(xs);
  }
  template <class F>
  number mean_over(sequence const& s, F const& f) {
    return sum_over(s, f) * constant(1 / static_cast<real>(s.counted.size()));
  }

  std::vector<number> corrections(sequence const& s) {
    std::vector<number> w(s.l.size(), constant(1));
    auto const mode = loss_.correction.mode;
    if (mode == correction_mode::none) return w;
    number const low = parameter(loss_.correction.low), high = parameter(loss_.correction.high);
    number const top{high.value, 0, std::isfinite(high.value) ? high.value : 0, 0};
    auto const x = [&](std::size_t t) { return constant(s.o[t] - s.b[t]); };
    number const product = exp(sum_over(s, x)), geometric = exp(mean_over(s, x));
    auto const inside = [&](number const& y) { return !less(y, low) && !less(top, y); };
    for (auto const t : s.counted) {
      number const token = exp(x(t));
      switch (mode) {
        case correction_mode::none:
          break;
        case correction_mode::token_truncate:
          w[t] = clip(token, low, top);
          break;
        case correction_mode::token_mask:
          w[t] = inside(token) ? token : constant(0);
          break;
        case correction_mode::sequence_truncate:
          w[t] = clip(product, low, top);
          break;
        case correction_mode::sequence_mask:
          w[t] = inside(product) ? product : constant(0);
          break;
        case correction_mode::geometric_truncate:
          w[t] = clip(geometric, low, top);
          break;
        case correction_mode::geometric_mask:
          w[t] = inside(geometric) ? geometric : constant(0);
          break;
        case correction_mode::geometric_mask_token:
          w[t] = inside(geometric) ? token : constant(0);
          break;
      }
    }
    return w;
  }

  std::vector<bool> off_policy(sequence const& s, bool has_rollout) {
    std::vector<bool> off(s.l.size(), false);
    double const limit = loss_.correction.off_policy_limit;
    if (!std::isfinite(limit)) return off;
    number const apart =
        mean_over(s, [&](std::size_t t) { return constant((has_rollout ? s.b[t] : s.o[t]) - s.l[t].value); });
    if (!less(parameter(limit), apart)) return off;
    for (auto const t : s.counted) off[t] = s.advantage[t] < 0;
    return off;
  }

  number kl(sequence const& s, std::size_t t) {
    auto const& penalty = loss_.kl;
    number d = s.l[t];
    d.value -= s.r[t];  // exact
    bool const is_outside = std::fabs(d.value) > penalty.log_ratio_limit;
    if (is_outside) d = constant(std::copysign(static_cast<real>(penalty.log_ratio_limit), d.value));
    number value;
    auto const straight = [&](number x) {
      return number{x.value, d.value * d.slope, x.value_error, 2 * std::fabs(d.value * d.slope)};
    };
    switch (penalty.estimator) {
      case kl_estimator::none:
        break;
      case kl_estimator::k1:
        value = d;
        break;
      case kl_estimator::k2:
        value = constant(0.5L) * d * d;
        break;
      case kl_estimator::k3:
        value = third_estimate(d);
        break;
      case kl_estimator::abs:
        value = d.value < 0 ? -d : d;
        if (d.value == 0) value.slope = 0;
        break;
      case kl_estimator::k1_straight:
        value = straight(d);
        break;
      case kl_estimator::k3_straight:
        value = straight(third_estimate(d));
        break;
      case kl_estimator::k1_corrected:
        value = ratio(s, t) * d;
        break;
      case kl_estimator::k3_corrected:
        value = ratio(s, t) * third_estimate(d);
        break;
      case kl_estimator::sdar:
        value = -(held(sigmoid(constant(-5) * d)) * d);
        break;
    }
    // Documented so: none outside, not even by the ratio.
    if (is_outside) value.slope = 0;
    if (std::isfinite(penalty.value_limit)) {
      number const most = parameter(penalty.value_limit);
      if (less(most, value) || less(value, -most)) value = value.value > 0 ? most : -most;
    }
    return value;
  }

  /// The larger of -A x and -A clip(x), and whether it is the clipped one.
  number clipped(real advantage, number const& x, number const& low, number const& high, at_token& at) {
    number const minus = constant(-advantage);
    if (advantage == 0) return constant(0);
    at.below = advantage < 0 && less(x, low);
    at.above = advantage > 0 && less(high, x);
    return minus * (at.below ? low : at.above ? high : x);
  }

  number ppo(real advantage, number const& x, at_token& at) {
    number value = clipped(advantage, x, constant(1) - p("low"), constant(1) + p("high"), at);
    if (auto const dual = values_.find("dual"); dual != values_.end() && dual->second != 0 && advantage < 0) {
      number const cap = p("dual") * constant(-advantage);
      if (less(cap, value)) {
        value = cap;
        at.above = true;
      }
    }
    return value;
  }

  /// -w A l of a token that is kept.
  number kept(sequence const& s, std::size_t t, bool is_kept, at_token& at) {
    bool const is_good = s.advantage[t] > 0;
    at.above = is_good && !is_kept;
    at.below = !is_good && !is_kept;
    if (!is_kept) return constant(0);
    number const w = clip(held(ratio(s, t)), constant(0), p("cap"));
    return -(w * constant(s.advantage[t]) * s.l[t]);
  }

  std::vector<number> values(sequence const& s, std::vector<number> const& weights, std::vector<at_token>& all) {
    std::string const name = loss_.surrogate.name();
    std::vector<number> out(s.l.size());
    for (auto const t : s.counted) all[t].ratio = ratio(s, t);
    number of_sequence;
    if (name == "gspo" || name == "sequence_clip" || name == "gspo_token") {
      auto const x = [&](std::size_t t) { return log_ratio(s, t); };
      of_sequence = name == "sequence_clip" ? sum_over(s, x) : mean_over(s, x);
    } else if (name == "gmpo") {
      of_sequence = mean_over(s, [&](std::size_t t) {
        number const x = log_ratio(s, t);
        if (s.advantage[t] > 0) return less(p("high"), x) ? p("high") : x;
        return less(x, -p("low")) ? -p("low") : x;
      });
    } else if (name == "vespo") {
      of_sequence = sum_over(s, [&](std::size_t t) {
        number const x = clip(held(log_ratio(s, t)), constant(-20), constant(20));
        return x + log(less(weights[t], parameter(1e-8L)) ? parameter(1e-8L) : weights[t]);
      });
    }
    for (auto const t : s.counted) {
      real const a = s.advantage[t];
      number const &l = s.l[t], advantage = constant(a), rho = all[t].ratio, moving = held(rho);
      auto& at = all[t];
      number& value = out[t];
      if (name == "reinforce") {
        value = -(advantage * l);
      } else if (name == "ppo_clip") {
        value = ppo(a, rho, at);
      } else if (name == "cispo" || name == "cispo_around_one") {
        bool const absolute = name == "cispo";
        number const low = absolute ? p("low") : constant(1) - p("low"),
                     high = absolute ? p("high") : constant(1) + p("high");
        at.below = less(moving, low);
        at.above = less(high, moving);
        value = -(clip(moving, low, high) * advantage * l);
      } else if (name == "topr") {
        at.above = a <= 0 && less(constant(1), moving);
        value = -((a > 0 || at.above ? constant(1) : moving) * advantage * l);
      } else if (name == "sapo") {
        number const k = a > 0 ? p("tau_pos") : p("tau_neg");
        value = -(advantage * constant(4) * exp(-log(k)) * sigmoid(k * (rho - constant(1))));
      } else if (name == "gspo" || name == "sequence_clip") {
        at.ratio = exp(of_sequence);
        value = clipped(a, at.ratio, constant(1) - p("low"), constant(1) + p("high"), at);
      } else if (name == "gspo_token") {
        // Its own path: 1, with the slope of the log-prob.
        number path{held(of_sequence).value, l.slope, of_sequence.value_error, 0};
        if (values_.at("limit") != 0 && less(p("limit"), path)) path = p("limit");
        value = clipped(a, exp(path), constant(1) - p("low"), constant(1) + p("high"), at);
      } else if (name == "gmpo") {
        at.ratio = exp(of_sequence);
        number const x = log_ratio(s, t);
        at.above = a > 0 && less(p("high"), x);
        at.below = a <= 0 && less(x, -p("low"));
        value = -(advantage * at.ratio);
      } else if (name == "vespo") {
        bool const is_bad = a < 0;
        number const low = log(parameter(1e-8L)), high = constant(20), w = clip(of_sequence, low, high),
                     k = is_bad ? p("k_neg") : p("k_pos"), lambda = is_bad ? p("lambda_neg") : p("lambda_pos");
        at.below = less(of_sequence, low);
        at.above = less(high, of_sequence);
        value = -(exp(lambda + k * w - lambda * exp(w)) * advantage * l);
      } else if (name == "dro_token") {
        // By the log-prob: the limit holds the value of the square, not its slope.
        number const x = log_ratio(s, t), pull = constant(0.5L) * p("beta") * held(x) * held(x);
        value = -(advantage * l) + number{pull.value, values_.at("beta") * x.value * l.slope, pull.value_error,
                                          3 * std::fabs(values_.at("beta") * x.value * l.slope)};
      } else if (name == "dppo_tv") {
        number const moved = exp(held(l)) - exp(constant(s.o[t]));
        value = kept(s, t, a > 0 ? !less(p("high"), moved) : !less(moved, -p("low")), at);
      } else if (name == "dppo_kl") {
        number const policy = held(l), old = constant(s.o[t]), q = exp(old), one = constant(1);
        number const d = q * (old - policy) + (one - q) * (log(one - q) - log(one - exp(policy)));
        bool const is_near = !less(a > 0 ? p("high") : p("low"), d);
        value = kept(s, t, is_near || (a > 0 ? l.value <= s.o[t] : l.value >= s.o[t]), at);
      } else if (name == "masked_ratio") {
        number const moved = exp(held(l)) - exp(constant(s.o[t])), x = log_ratio(s, t);
        bool const both = values_.at("both_sides") != 0;
        at.above = (both || a > 0) && less(p("high"), moved);
        at.below = (both || !(a > 0)) && less(moved, -p("low"));
        value = p("kl_tau") * x * x;
        if (!at.above && !at.below) value = value - advantage * rho;
      } else if (name == "fipo") {
        std::vector<number> later;
        for (auto const u : s.counted) {
          if (u < t) continue;
          if (values_.at("dual") != 0 && less(p("dual"), held(ratio(s, u)))) continue;
          real const decay = std::exp2(-static_cast<real>(u - t) / values_.at("half_life"));
          later.push_back(constant(decay) * held(log_ratio(s, u)));
        }
        number w = clip(exp(sum(later)), p("weight_low"), p("weight_high"));
        if (a < 0 && less(p("safety"), moving)) w = clip(w, parameter(0.8L), constant(1));
        value = w * ppo(a, rho, at);
      } else if (name == "clip_cov") {
        value = ppo(a, rho, at);
        if (s.selected[t]) value = constant(0);
      } else if (name == "kl_cov") {
        value = -(advantage * rho);
        number const x = log_ratio(s, t);
        if (s.selected[t] && x.value != 0) value = value + p("coefficient") * (x.value < 0 ? -x : x);
      } else {
        throw std::invalid_argument{"the oracle does not know " + name};
      }
    }
    return out;
  }

  any_token_loss const& loss_;
  real epsilon_;
  std::map<std::string, double> values_;
};

bool is_counted(tokens<double> const& data, std::size_t token) { return data.mask.empty() || data.mask[token] != 0; }

}  // namespace

std::vector<real> covariances(tokens<double> const& data) {
  std::vector<real> all(data.size(), 0);
  real n = 0, advantages = 0, log_probs = 0;
  auto const each = [&](auto const& body) {
    for (std::size_t s = 0; s < data.sequences(); ++s) {
      for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
        if (is_counted(data, t)) body(t, static_cast<real>(data.advantage_at(s, t)));
      }
    }
  };
  each([&](std::size_t t, real a) { n += 1, advantages += a, log_probs += data.log_prob[t]; });
  each([&](std::size_t t, real a) { all[t] = (a - advantages / n) * (data.log_prob[t] - log_probs / n); });
  return all;
}

std::optional<std::vector<bool>> largest_covariances(tokens<double> const& data, double share) {
  auto const all = covariances(data);
  std::vector<std::size_t> order;
  for (std::size_t t = 0; t < data.size(); ++t) {
    if (is_counted(data, t)) order.push_back(t);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return all[a] > all[b]; });
  std::vector<bool> selected(data.size(), false);
  auto const wanted = static_cast<std::size_t>(std::max(1.0, std::floor(share * static_cast<double>(order.size()))));
  if (wanted < order.size() && all[order[wanted - 1]] - all[order[wanted]] < 1e-12L) return std::nullopt;
  for (std::size_t i = 0; i < std::min(wanted, order.size()); ++i) selected[order[i]] = true;
  return selected;
}

expectation expected(any_token_loss const& loss, tokens<double> const& data, options const& options,
                     std::vector<bool> const& selected, real epsilon) {
  expectation out;
  std::size_t const n = data.size();
  out.loss.resize(n);
  out.d_log_prob.resize(n);
  out.d_entropy.resize(n);
  out.is_close.assign(n, false);

  std::vector<real> of_sequence(data.sequences(), 0), of_group(data.group_offsets.size() - 1, 0);
  real prompts = 0;
  for (std::size_t g = 0; g + 1 < data.group_offsets.size(); ++g) {
    for (auto s = static_cast<std::size_t>(data.group_offsets[g]);
         s < static_cast<std::size_t>(data.group_offsets[g + 1]); ++s) {
      for (std::size_t t = data.begin(s); t < data.end(s); ++t) of_sequence[s] += is_counted(data, t) ? 1 : 0;
      of_group[g] += of_sequence[s];
    }
    prompts += of_group[g] > 0 ? 1 : 0;
  }
  for (real const c : of_sequence) {
    out.count += static_cast<std::size_t>(c);
    (c > 0 ? out.sequences : out.empty) += 1;
  }
  auto const live = static_cast<real>(out.sequences), counted = static_cast<real>(out.count);

  auto const mode = loss.aggregation.mode;
  bool const of_tokens = mode == aggregation_mode::token_mean;
  real natural = live;
  if (of_tokens) natural = counted;
  if (mode == aggregation_mode::token_sum) natural = 1;
  if (mode == aggregation_mode::prompt_mean) natural = prompts;
  out.denominator = options.denominator.value_or(static_cast<double>(natural == 0 ? 1 : natural));
  real const divisor = options.reduction == reduction::mean ? out.denominator : 1;

  evaluation evaluation{loss, epsilon};
  bool const has_rollout = data.gives_rollout || loss.correction.mode != correction_mode::none;
  std::vector<number> losses, ratios, olds, kls, entropies, weights, squares;
  real below = 0, above = 0;
  for (std::size_t g = 0; g + 1 < data.group_offsets.size(); ++g) {
    for (auto i = static_cast<std::size_t>(data.group_offsets[g]);
         i < static_cast<std::size_t>(data.group_offsets[g + 1]); ++i) {
      std::size_t const begin = data.begin(i), length = data.end(i) - begin;
      sequence s;
      for (std::size_t t = 0; t < length; ++t) {
        s.l.push_back(constant(data.log_prob[begin + t]));
        s.o.push_back(data.old_log_prob[begin + t]);
        s.r.push_back(data.ref_log_prob[begin + t]);
        s.b.push_back(data.rollout_log_prob[begin + t]);
        s.advantage.push_back(data.advantage_at(i, begin + t));
        s.entropy.push_back(data.entropy[begin + t]);
        s.selected.push_back(!selected.empty() && selected[begin + t]);
        if (is_counted(data, begin + t)) s.counted.push_back(t);
      }
      if (s.counted.empty()) continue;
      real f = 1 / divisor;
      if (mode == aggregation_mode::sequence_mean_of_means) f /= of_sequence[i];
      if (mode == aggregation_mode::sequence_mean_of_sums_scaled) f /= loss.aggregation.horizon;
      if (mode == aggregation_mode::prompt_mean) f /= of_group[g];
      number const factor = parameter(f), e = parameter(loss.entropy_coefficient), c = parameter(loss.kl.coefficient);
      auto const token_loss = [&](at_token const& at, std::size_t t) {
        number const kl = loss.kl.is_corrected ? at.correction * at.kl : at.kl;
        return at.surrogate + c * kl - e * constant(s.entropy[t]);
      };
      evaluation.is_close = false;
      for (auto const k : s.counted) {
        s.l[k].slope = 1;
        auto const all = evaluation.run(s, has_rollout);
        std::vector<number> parts;
        for (auto const t : s.counted) parts.push_back(factor * token_loss(all[t], t));
        number const total = sum(parts);
        out.d_log_prob[begin + k] = {total.slope, 0, total.slope_error, 0};
        s.l[k].slope = 0;
      }
      auto const all = evaluation.run(s, has_rollout);
      for (auto const t : s.counted) {
        auto const& at = all[t];
        out.loss[begin + t] = token_loss(at, t);
        out.d_entropy[begin + t] = -(e * factor);
        losses.push_back(factor * out.loss[begin + t]);
        ratios.push_back(at.ratio);
        if (at.ratio.value > out.largest_ratio.value) out.largest_ratio = at.ratio;
        real const x = data.log_prob[begin + t] - data.old_log_prob[begin + t];
        olds.push_back(parameter(x * x / 2));
        kls.push_back(at.kl);
        entropies.push_back(constant(s.entropy[t]));
        weights.push_back(at.correction);
        squares.push_back(at.correction * at.correction);
        below += at.below ? 1 : 0;
        above += at.above ? 1 : 0;
        out.is_close[begin + t] = evaluation.is_close;
      }
    }
  }
  number const share = parameter(out.count == 0 ? 1 : 1 / counted);
  out.total = sum(losses);
  if (options.reduction == reduction::none) out.total = out.total * parameter(1 / out.denominator);
  out.mean_ratio = share * sum(ratios);
  out.old_kl = share * sum(olds);
  out.kl = share * sum(kls);
  out.entropy = share * sum(entropies);
  out.mean_correction = share * sum(weights);
  number const all = sum(weights), squared = sum(squares);
  if (squared.value > 0) out.effective = all * all * exp(-log(squared));
  out.clipped_low = share * constant(below);
  out.clipped_high = share * constant(above);
  return out;
}

}  // namespace token_oracle
