#include "oracle/list_oracle.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unsupported/Eigen/AutoDiff>
#include <utility>

namespace oracle {
namespace {

/// A number with its derivatives by as many log-probs as it depends on.
using many_dual = Eigen::AutoDiffScalar<Eigen::Matrix<real, Eigen::Dynamic, 1>>;

/// A candidate of a choice: its logit is multiplier * score, its probability should be the target.
struct chooser {
  std::size_t who;
  real multiplier, target;
  real target_error = 0;  ///< how far the target may be off
};

/// weight * sum_i target_i (log sum_j e^(logit_j) - logit_i).
struct choice {
  std::vector<chooser> among;
  /// One more logit, which no candidate moves, and its target.
  struct constant {
    real logit, target;
  };
  std::optional<constant> other;
  real weight = 1;
  real error = 0;            ///< of the weight and of the multipliers, relative
  bool is_smoothed = false;  ///< computed as the first one's and a difference of scores
};

/// max(0, score_worse - score_better).
struct rank_hinge {
  std::size_t better, worse;
};

struct list_formula {
  std::vector<choice> choices;
  std::vector<rank_hinge> hinges;
  real likelihood = 0;  ///< times -logp of `best`
  std::size_t best = 0;
  real constant = 0, constant_error = 0;
};

/// A group as a loss sees it.
struct list_view {
  candidate_list const& group;
  list_given given;
  real eps;  ///< of the type that the library computes in

  [[nodiscard]] std::size_t size() const { return group.size(); }
  /// The places of the candidates, best first: by reward, equal ones as they came; without rewards as they come.
  [[nodiscard]] std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> places(size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    if (given.reward) {
      std::stable_sort(places.begin(), places.end(),
                       [&](std::size_t a, std::size_t b) { return group[a].reward > group[b].reward; });
    }
    return places;
  }
  [[nodiscard]] real score(std::size_t i) const {
    list_candidate const& c = group[i];
    real const s = given.reference ? c.logp - c.reference : c.logp;
    return given.length ? s / c.length : s;
  }
  [[nodiscard]] real largest_reward() const {
    real largest = 0;
    for (list_candidate const& c : group) largest = std::max(largest, std::fabs(c.reward));
    return largest;
  }
};

// The formulas, of the loss's parameters by name.

real of(named_loss const& loss, std::string_view parameter) { return value_of(loss, parameter); }
bool is_on(named_loss const& loss, std::string_view parameter) { return value_of(loss, parameter) != 0; }

/// Sum over stages k of log sum_{i >= k} e^(scale s_i) - scale s_k, smoothed: (1 - e) of that and e of the same with
/// the mean of scale s_i, i >= k, in the place of scale s_k.
list_formula successive_choices(list_view const& view, real scale, real top_k, real smoothing, bool mean) {
  auto const order = view.ranking();
  std::size_t const size = order.size();
  std::size_t stages = size - 1;
  if (top_k > 0 && top_k < static_cast<real>(stages)) stages = static_cast<std::size_t>(top_k);
  list_formula f;
  for (std::size_t k = 0; k < stages; ++k) {
    choice c;
    if (mean) c.weight = 1 / static_cast<real>(stages);
    c.is_smoothed = smoothing != 0;
    for (std::size_t i = k; i < size; ++i) {
      c.among.push_back({order[i], scale, smoothing / static_cast<real>(size - k) + (i == k ? 1 - smoothing : 0)});
    }
    f.choices.push_back(c);
  }
  return f;
}

list_formula plackett_luce(named_loss const& loss, list_view const& view) {
  return successive_choices(view, of(loss, "beta"), of(loss, "top_k"), of(loss, "smoothing"), is_on(loss, "mean"));
}
list_formula list_mle(named_loss const& loss, list_view const& view) {
  return successive_choices(view, 1, of(loss, "top_k"), 0, false);
}
list_formula adpo_ranked(named_loss const& loss, list_view const& view) {
  return successive_choices(view, 1 / of(loss, "tau"), of(loss, "top_k"), of(loss, "smoothing"), true);
}
list_formula info_nce(named_loss const& loss, list_view const& view) {
  std::size_t const best = view.ranking()[0];
  choice c;
  for (std::size_t i = 0; i < view.size(); ++i) c.among.push_back({i, 1 / of(loss, "tau"), i == best ? real(1) : 0});
  list_formula f;
  f.choices.push_back(c);
  return f;
}

list_formula pro(named_loss const& loss, list_view const& view) {
  auto const order = view.ranking();
  std::size_t const size = order.size();
  auto const reward = [&](std::size_t i) { return view.group[order[i]].reward; };
  list_formula f;
  for (std::size_t k = 0; k + 1 < size; ++k) {
    choice c;
    // log(1e-10 + sum e^logit) in the place of the log sum.
    if (is_on(loss, "eps_compat")) c.other = {std::log(1e-10L), 0};
    real largest = 0;
    for (std::size_t i = k + 1; i < size; ++i) largest = std::max(largest, reward(k) - reward(i));
    for (std::size_t i = k; i < size; ++i) {
      real const a = i == k ? largest : reward(k) - reward(i);
      c.among.push_back({order[i], is_on(loss, "temperatures") ? a : 1, i == k ? real(1) : 0});
    }
    f.choices.push_back(c);
  }
  real const others = static_cast<real>(size - 1);
  f.likelihood = of(loss, "sft") * others * others;
  f.best = order[0];
  return f;
}

/// A number and how far it may be off.
struct uncertain {
  real value, error;
};

/// A target: q, -log q, and how far q may be off.
struct probability {
  real value, negated_log, error;
};

std::vector<probability> softmax_of(std::vector<uncertain> const& logits, real eps) {
  std::size_t top = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i].value > logits[top].value) top = i;
  }
  real others = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i != top) others += std::exp(logits[i].value - logits[top].value);
  }
  std::vector<probability> p;
  real mean_error = 0;
  for (auto const& z : logits) {
    // Of one that is next to 1 the logarithm keeps its digits.
    real const negated_log = logits[top].value - z.value + std::log1p(others);
    p.push_back({std::exp(-negated_log), negated_log, 0});
    mean_error += p.back().value * z.error;
  }
  // dp_i = p_i (dz_i - sum_j p_j dz_j); an exp, a sum of K and a quotient.
  real const rounding = (static_cast<real>(logits.size()) + 4) * eps;
  for (std::size_t i = 0; i < p.size(); ++i) p[i].error = p[i].value * (logits[i].error + mean_error + rounding);
  return p;
}

/// The column as it is.
std::vector<probability> target_as_given(list_view const& view) {
  std::vector<probability> q;
  for (auto const& c : view.group) q.push_back({c.target, c.target == 0 ? 0 : -std::log(c.target), 0});
  return q;
}

/// sum_i q_i (lse(s / tau) - s_i / tau), less the entropy of q if wanted, tau adapted to the entropy if wanted.
list_formula cross_entropy_to(list_view const& view, std::vector<probability> const& q, real tau, bool kl, real adapt,
                              real tau_min) {
  real const size = static_cast<real>(view.size());
  real entropy = 0, entropy_error = 0;
  for (auto const& [value, negated_log, error] : q) {
    entropy += value * negated_log;
    entropy_error += (error + (size + 4) * view.eps * value) * std::fabs(negated_log);
  }
  choice c;
  real used = tau;
  if (adapt != 0 && view.size() > 1) {
    used = std::max(tau_min, tau * (1 - adapt * entropy / std::log(size)));
    // The bracket is a difference of numbers near 1, in units of tau.
    c.error = (8 * view.eps * tau + tau * adapt / std::log(size) * entropy_error) / used;
  }
  for (std::size_t i = 0; i < view.size(); ++i) c.among.push_back({i, 1 / used, q[i].value, q[i].error});
  list_formula f;
  f.choices.push_back(c);
  if (kl) f.constant = -entropy, f.constant_error = entropy_error;
  return f;
}

/// softmax(reward / temperature), of z-scores if wanted.
std::vector<probability> target_of_rewards(list_view const& view, real temperature, bool standardize) {
  real const size = static_cast<real>(view.size());
  real mean = 0, squares = 0, shift = 0, scale = 1 / temperature, error = 4 * view.eps;
  if (standardize) {
    for (auto const& c : view.group) mean += c.reward / size;
    for (auto const& c : view.group) squares += (c.reward - mean) * (c.reward - mean);
    // Of one candidate the deviation counts as 1.
    real const deviation = view.size() == 1 ? 1 : std::sqrt(squares / (size - 1)) + 1e-8L;
    shift = mean;
    scale /= deviation;
    error += (size + 4) * view.eps * (1 + view.largest_reward() / deviation);
  }
  // Only differences to the highest reward are formed.
  real top = view.group[0].reward;
  for (auto const& c : view.group) top = std::max(top, c.reward);
  std::vector<uncertain> logits;
  for (auto const& c : view.group) logits.push_back({(c.reward - shift) * scale, error * (top - c.reward) * scale});
  return softmax_of(logits, view.eps);
}

list_formula adpo(named_loss const& loss, list_view const& view) {
  auto const q = view.given.target ? target_as_given(view)
                                   : target_of_rewards(view, of(loss, "beta_reward"), is_on(loss, "standardize"));
  return cross_entropy_to(view, q, of(loss, "tau"), is_on(loss, "kl"), of(loss, "adapt"), of(loss, "tau_min"));
}
list_formula list_net(named_loss const& loss, list_view const& view) {
  auto const q = view.given.target ? target_as_given(view) : target_of_rewards(view, of(loss, "beta_reward"), false);
  return cross_entropy_to(view, q, 1, false, 0, 1);
}

/// The reward below which the part of the group lies, interpolated between neighbours.
real quantile_of(std::vector<real> rewards, real part) {
  std::sort(rewards.begin(), rewards.end());
  real const place = part * static_cast<real>(rewards.size() - 1);
  auto const below = static_cast<std::size_t>(place);
  std::size_t const above = std::min(below + 1, rewards.size() - 1);
  return rewards[below] + (place - static_cast<real>(below)) * (rewards[above] - rewards[below]);
}

list_formula adpo_kde(named_loss const& loss, list_view const& view) {
  real const size = static_cast<real>(view.size()), eps = view.eps;
  std::vector<real> rewards;
  for (auto const& c : view.group) rewards.push_back(c.reward);
  real const mean = std::accumulate(rewards.begin(), rewards.end(), real(0)) / size;
  real squares = 0;
  for (real const r : rewards) squares += (r - mean) * (r - mean);
  real const deviation = view.size() == 1 ? 0 : std::sqrt(squares / (size - 1));
  real const spread = (quantile_of(rewards, 0.75L) - quantile_of(rewards, 0.25L)) / 1.34L;
  real const narrow = std::min(deviation, spread);
  real const bandwidth = std::max(real(1e-6), 1.06L * narrow * std::pow(size, -0.2L));
  // The deviation's mean and the quartiles are off by rewards' rounding.
  real const bandwidth_error = narrow == 0 ? eps : (size + 6) * eps * (1 + view.largest_reward() / narrow);
  // What normal_cdf states.
  real const cdf_error = eps > 1e-10L ? 1e-7L : 4e-15L;
  std::vector<uncertain> logits;
  for (real const r : rewards) {
    real f = 0, error = 0;
    for (real const other : rewards) {
      real const x = (r - other) / bandwidth;
      f += std::erfc(-x / std::sqrt(real(2))) / 2 / size;
      // The derivative of Phi at x, times x.
      real const slope = std::fabs(x) * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(real(-1)));
      error += (cdf_error + slope * (bandwidth_error + 3 * eps)) / size;
    }
    error += (size + 2) * eps * f;
    f = std::clamp(f, real(1e-3L), real(1) - 1e-3L);
    real const logit = std::log(f / (1 - f));
    // d logit = dF / (F (1 - F)); 1 - F is off by an eps of 1.
    real const off = (error + eps) / (f * (1 - f)) + 4 * eps * (1 + std::fabs(logit));
    logits.push_back({logit / of(loss, "beta_reward"), off / of(loss, "beta_reward")});
  }
  return cross_entropy_to(view, softmax_of(logits, eps), of(loss, "tau"), false, 0, 1);
}

list_formula rank_dpo(named_loss const& loss, list_view const& view) {
  auto const order = view.ranking();
  list_formula f;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      auto const gain = [&](std::size_t k) { return std::pow(real(2), view.group[order[k]].reward); };
      auto const discount = [](std::size_t k) { return 1 / std::log(static_cast<real>(k + 2)); };
      // 0.7 |r| ULP of a gain are stated, an exp and a quotient beyond; a log and a quotient of a discount.
      auto const gain_error = [&](std::size_t k) {
        return (0.7L * std::fabs(view.group[order[k]].reward) + 3) * view.eps * gain(k);
      };
      real const gains = std::fabs(gain(i) - gain(j)), discounts = std::fabs(discount(i) - discount(j));
      if (gains == 0) continue;
      choice c;
      c.weight = gains * discounts;
      c.error = (gain_error(i) + gain_error(j)) / gains + 3 * view.eps * (discount(i) + discount(j)) / discounts;
      c.among = {{order[i], of(loss, "beta"), 1}, {order[j], of(loss, "beta"), 0}};
      f.choices.push_back(c);
    }
  }
  return f;
}

list_formula best_versus_worst(named_loss const& loss, list_view const& view) {
  auto const order = view.ranking();
  list_formula f;
  if (order.size() == 1) return f;
  choice c;
  c.among = {{order.front(), of(loss, "beta"), 1}, {order.back(), of(loss, "beta"), 0}};
  f.choices.push_back(c);
  return f;
}

list_formula rrhf(named_loss const& loss, list_view const& view) {
  auto const order = view.ranking();
  list_formula f;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      bool const ordered = !view.given.reward || view.group[order[i]].reward > view.group[order[j]].reward;
      if (ordered) f.hinges.push_back({order[i], order[j]});
    }
  }
  f.likelihood = of(loss, "sft");
  f.best = order[0];
  return f;
}

list_formula sami(named_loss const&, list_view const& view) {
  auto const n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(view.size()))));
  list_formula f;
  for (std::size_t i = 0; i < n; ++i) {
    choice row, column;
    row.weight = column.weight = 1 / (2 * static_cast<real>(n));
    for (std::size_t j = 0; j < n; ++j) {
      row.among.push_back({i * n + j, 1, i == j ? real(1) : 0});
      column.among.push_back({j * n + i, 1, i == j ? real(1) : 0});
    }
    f.choices.push_back(row);
    f.choices.push_back(column);
  }
  return f;
}

/// log(1 + sum over worse e^z) + log(1 + sum over better e^-z): what is wanted is the 1, whose logit is 0.
list_formula real_loss(named_loss const& loss, list_view const& view) {
  choice of_worse, of_better;
  of_worse.other = of_better.other = {0, 1};
  real const scale = 1 / of(loss, "tau");
  for (std::size_t i = 0; i < view.size(); ++i) {
    bool const is_better = view.group[i].reward > 0;
    (is_better ? of_better : of_worse).among.push_back({i, is_better ? -scale : scale, 0});
  }
  if (of_worse.among.empty() || of_better.among.empty()) return {};
  list_formula f;
  f.choices = {of_worse, of_better};
  return f;
}

std::map<std::string_view, list_formula (*)(named_loss const&, list_view const&)> const list_formulas{
    {"plackett_luce", plackett_luce},
    {"list_mle", list_mle},
    {"adpo_ranked", adpo_ranked},
    {"info_nce", info_nce},
    {"pro", pro},
    {"adpo", adpo},
    {"list_net", list_net},
    {"adpo_kde", adpo_kde},
    {"rank_dpo", rank_dpo},
    {"best_versus_worst", best_versus_worst},
    {"rrhf", rrhf},
    {"sami", sami},
    {"real", real_loss}};

// Value, gradient and bounds.

/// A candidate's score, of which its log-prob is one of the variables.
many_dual score_of(list_view const& view, std::size_t i, std::size_t variables, std::size_t place) {
  list_candidate const& c = view.group[i];
  many_dual const logp(c.logp, static_cast<int>(variables), static_cast<int>(place));
  many_dual const anchored = logp - (view.given.reference ? c.reference : real(0));
  return many_dual(anchored / (view.given.length ? c.length : real(1)));
}

/// A number that none of the variables moves.
many_dual constant_of(real x, std::size_t variables) {
  return {x, many_dual::DerType::Zero(static_cast<Eigen::Index>(variables))};
}

/// The bounds are derived, not tuned. With z the logits of a choice, p their softmax, q the target:
///  * conditioning: a logit is computed from exact inputs in at most six roundings (difference to the reference, per
///    token, twice; the multiplier; their product), and its difference to the highest in one more: off by
///    d_i = (4 eps + the multiplier's own error) |z_i|. So the choice moves by sum_i |dL/dz_i| d_i, and
///    p_i by p_i sum_j p_j (d_i + d_j), to first order; twice that covers the higher ones;
///  * arithmetic: r = 2.3 (K + 3) eps of every positive term. The sums of K terms are products and sums along a chain
///    of K stages at worst, each with an exp (1.3 ULP), a product and a sum; their gradients are summed over at most
///    K stages likewise;
///  * results that are not normal numbers are flushed to 0 in every exp, and may have a factor.
class list_judge {
 public:
  list_judge(list_view const& view, real smallest_normal)
      : view_{view},
        rounding_{2.3L * (static_cast<real>(view.size()) + 3) * view.eps},
        flushed_{16 * static_cast<real>(view.size()) * smallest_normal} {
    e_.d_logp.resize(view.size());
    e_.d_logp_bound.resize(view.size());
  }

  [[nodiscard]] list_expectation judge(list_formula const& f) {
    for (choice const& c : f.choices) add(c);
    for (rank_hinge const& h : f.hinges) add(h);
    real const eps = view_.eps, likelihood = -f.likelihood * view_.group[f.best].logp;
    e_.loss += f.constant + likelihood;
    e_.d_logp[f.best] -= f.likelihood;
    e_.loss_bound += f.constant_error + 4 * eps * (std::fabs(f.constant) + std::fabs(likelihood));
    e_.d_logp_bound[f.best] += 4 * eps * f.likelihood;
    // The sum of the parts.
    e_.loss_bound += 2 * eps * std::fabs(e_.loss);
    for (std::size_t i = 0; i < view_.size(); ++i) e_.d_logp_bound[i] += 4 * eps * std::fabs(e_.d_logp[i]);
    return e_;
  }

 private:
  /// The derivative of a score by its log-prob.
  [[nodiscard]] real per_logp(std::size_t i) const { return view_.given.length ? 1 / view_.group[i].length : 1; }

  void add(choice const& c) {
    std::size_t const n = c.among.size();
    std::vector<many_dual> z;
    for (std::size_t i = 0; i < n; ++i) {
      z.push_back(many_dual(c.among[i].multiplier * score_of(view_, c.among[i].who, n, i)));
    }
    if (c.other) z.push_back(constant_of(c.other->logit, n));
    auto const target = [&](std::size_t i) { return i < n ? c.among[i].target : c.other->target; };
    std::size_t top = 0;
    for (std::size_t i = 1; i < z.size(); ++i) {
      if (z[i].value() > z[top].value()) top = i;
    }
    // log sum e^z = z_top + log(1 + the others relative to the highest): the tails keep their digits.
    many_dual others = constant_of(0, n);
    std::vector<real> p(z.size(), 1);
    for (std::size_t i = 0; i < z.size(); ++i) {
      if (i == top) continue;
      many_dual const distance = z[i] - z[top];
      many_dual const term = exp(distance);
      p[i] = term.value();
      others += term;
    }
    for (real& x : p) x /= 1 + others.value();
    many_dual const log_others(std::log1p(others.value()), others.derivatives() / (1 + others.value()));
    many_dual value = constant_of(0, n);
    real mass = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      real const q = target(i);
      mass += q;
      many_dual const distance = z[top] - z[i];
      if (q != 0 && i != top) value += many_dual(q * distance);
    }
    value += many_dual(mass * log_others);
    e_.loss += c.weight * value.value();

    auto const off = [&](std::size_t i) { return (4 * view_.eps + c.error) * std::fabs(z[i].value()); };
    real mean_off = 0, bound = (rounding_ + c.error) * value.value() + flushed_;
    for (std::size_t i = 0; i < z.size(); ++i) mean_off += p[i] * off(i);
    for (std::size_t i = 0; i < n; ++i) {
      chooser const& m = c.among[i];
      real const slope = per_logp(m.who) * m.multiplier, derivative = value.derivatives()[static_cast<Eigen::Index>(i)];
      e_.d_logp[m.who] += c.weight * derivative;
      // A multiplier of 0 has no part in anything.
      if (slope != 0) bound += 2 * std::fabs(derivative / slope) * off(i);
      bound += m.target_error * (z[top].value() - z[i].value() + log_others.value());
      if (c.is_smoothed) bound += rounding_ * m.target * (std::fabs(z[0].value()) + std::fabs(z[i].value()));

      real size = mass * p[i] + m.target, shift = mean_off + (1 - 2 * p[i]) * off(i), target_error = m.target_error;
      if (i == top) {
        // Its p and q may both be next to the mass: what they lack counts, and that is the others'.
        if (!c.is_smoothed) size = 0;
        shift = target_error = 0;
        for (std::size_t j = 0; j < z.size(); ++j) {
          if (j == top) continue;
          shift += p[j] * (off(i) + off(j));
          if (!c.is_smoothed) size += mass * p[j] + target(j);
          if (j < n) target_error += c.among[j].target_error;
        }
      }
      real const error = 2 * mass * p[i] * shift + (rounding_ + c.error) * size + target_error + flushed_;
      e_.d_logp_bound[m.who] += c.weight * std::fabs(slope) * error;
    }
    e_.loss_bound += c.weight * bound;
  }

  void add(rank_hinge const& h) {
    many_dual const excess = score_of(view_, h.worse, 2, 1) - score_of(view_, h.better, 2, 0);
    // Three roundings of each score and one of their difference.
    real const off = 2 * view_.eps * (std::fabs(view_.score(h.better)) + std::fabs(view_.score(h.worse)));
    bool const is_wrong = excess.value() > 0, is_kink = std::fabs(excess.value()) <= off;
    if (is_wrong) {
      e_.loss += excess.value();
      e_.d_logp[h.better] += excess.derivatives()[0];
      e_.d_logp[h.worse] += excess.derivatives()[1];
    }
    e_.loss_bound += off + (is_wrong ? rounding_ * excess.value() : 0);
    // At the kink rounding decides.
    real const slope_error = is_kink ? 1 : is_wrong ? 2 * view_.eps : 0;
    for (std::size_t const i : {h.better, h.worse}) e_.d_logp_bound[i] += per_logp(i) * slope_error;
  }

  list_view const& view_;
  real rounding_, flushed_;
  list_expectation e_;
};

}  // namespace

template <class T>
list_expectation list_expected(named_loss const& loss, candidate_list const& group, list_given const& given) {
  auto const formula = list_formulas.find(loss.name);
  if (formula == list_formulas.end()) throw std::out_of_range{"the oracle does not know " + loss.name};
  list_view const view{group, given, std::numeric_limits<T>::epsilon()};
  return list_judge{view, std::numeric_limits<T>::min()}.judge(formula->second(loss, view));
}

template list_expectation list_expected<float>(named_loss const&, candidate_list const&, list_given const&);
template list_expectation list_expected<double>(named_loss const&, candidate_list const&, list_given const&);

}  // namespace oracle
