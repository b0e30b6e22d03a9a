#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <oracle/bits.hpp>
#include <oracle/same_reports.hpp>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Every list loss by name, at its defaults and with parameters that switch its other branches on. Each is a kernel
/// that takes a while to compile: one file only instantiates them.
std::vector<prefopt::any_list_loss> const& every_list_loss();
prefopt::any_list_loss made(std::string_view name, prefopt::parameter_values const& values = {});

/// Which of the columns that a loss may do without it is given.
struct given {
  bool reference = true, length = true, reward = true, target = false;
};

/// Groups with a value in every column. Rewards in a group differ.
template <class T>
struct groups {
  std::vector<std::int64_t> offsets{0};
  std::vector<T> logp, ref_logp, length, reward, target;
  std::vector<T> weight;  ///< one a group

  groups() = default;
  explicit groups(std::vector<std::size_t> const& sizes, std::uint64_t seed = 7) {
    oracle::random_numbers random{seed};
    for (std::size_t const size : sizes) add(size, random);
  }

  void add(std::size_t size, oracle::random_numbers& random) {
    std::vector<std::size_t> rank(size);
    std::iota(rank.begin(), rank.end(), std::size_t{0});
    for (std::size_t i = size; i > 1; --i) std::swap(rank[i - 1], rank[random.bits() % i]);
    double const width = random.chance(0.2) ? 80 : 3;
    double mass = 0;
    std::size_t const from = logp.size();
    for (std::size_t i = 0; i < size; ++i) {
      logp.push_back(static_cast<T>(random.uniform(-300, -20)));
      ref_logp.push_back(static_cast<T>(static_cast<double>(logp.back()) + width * random.uniform(-1, 1)));
      length.push_back(static_cast<T>(1 + random.bits() % 200));
      reward.push_back(
          static_cast<T>((static_cast<double>(rank[i]) + random.uniform(0, 0.75)) * 6 / static_cast<double>(size) - 3));
      target.push_back(static_cast<T>(random.chance(0.3) ? 0 : random.uniform()));
      mass += static_cast<double>(target.back());
    }
    for (std::size_t i = from; i < logp.size() && mass > 0; ++i) target[i] /= static_cast<T>(mass);
    weight.push_back(static_cast<T>(random.chance(0.1) ? 0 : random.uniform(0, 2)));
    offsets.push_back(static_cast<std::int64_t>(logp.size()));
  }

  [[nodiscard]] std::size_t count() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t candidates() const { return logp.size(); }
  [[nodiscard]] std::size_t begin(std::size_t group) const { return static_cast<std::size_t>(offsets[group]); }
  [[nodiscard]] std::size_t size(std::size_t group) const { return begin(group + 1) - begin(group); }
  [[nodiscard]] std::vector<std::vector<T>*> columns() { return {&logp, &ref_logp, &length, &reward, &target}; }

  /// Some of these groups, one behind the other.
  [[nodiscard]] groups picked(std::vector<std::size_t> const& which) const {
    groups result;
    for (std::size_t const group : which) result.append(*this, group);
    return result;
  }
  void append(groups const& other, std::size_t group) {
    auto const copy = [&](std::vector<T>& to, std::vector<T> const& from) {
      to.insert(to.end(), from.begin() + other.offsets[group], from.begin() + other.offsets[group + 1]);
    };
    copy(logp, other.logp);
    copy(ref_logp, other.ref_logp);
    copy(length, other.length);
    copy(reward, other.reward);
    copy(target, other.target);
    weight.push_back(other.weight[group]);
    offsets.push_back(static_cast<std::int64_t>(logp.size()));
  }

  /// The groups' weights at each of their candidates.
  [[nodiscard]] std::vector<T> spread_weight() const {
    std::vector<T> result;
    for (std::size_t group = 0; group < count(); ++group) result.insert(result.end(), size(group), weight[group]);
    return result;
  }

  /// What the loss reads, without weights.
  [[nodiscard]] prefopt::list_batch<T> batch(prefopt::any_list_loss const& loss, given const& which = {}) const {
    using prefopt::columns;
    auto const column_if = [](std::vector<T> const& values, bool is_given) {
      return is_given ? prefopt::column<T>{values} : prefopt::column<T>{};
    };
    auto const takes = [&](columns kind, bool wanted) { return loss.needs(kind) || (wanted && loss.reads(kind)); };
    bool const by_target = takes(columns::target, which.target);
    bool const excludes = contains(loss.one_of(), columns::reward | columns::target);
    return {.logp = logp,
            .ref_logp = column_if(ref_logp, takes(columns::reference, which.reference)),
            .length = column_if(length, takes(columns::length, which.length)),
            .reward = column_if(reward, takes(columns::reward, which.reward) && !(by_target && excludes)),
            .target = column_if(target, by_target),
            .offsets = offsets};
  }
  [[nodiscard]] prefopt::list_batch<T> weighted(prefopt::any_list_loss const& loss, given const& which = {}) const {
    auto result = batch(loss, which);
    result.weight = weight;
    return result;
  }
};

/// Memory for both outputs, filled with a value that no loss writes.
template <class T>
struct list_results {
  static constexpr T untouched = T(-12345.5);

  std::vector<T> loss, d_logp;

  list_results(std::size_t groups, std::size_t candidates) : loss(groups, untouched), d_logp(candidates, untouched) {}
  explicit list_results(groups<T> const& like) : list_results{like.count(), like.candidates()} {}

  [[nodiscard]] prefopt::list_outputs<T> outputs() { return {.loss = loss, .d_logp = d_logp}; }
  [[nodiscard]] bool is_untouched() const {
    auto const unwritten = [](T x) { return x == untouched; };
    return std::all_of(loss.begin(), loss.end(), unwritten) && std::all_of(d_logp.begin(), d_logp.end(), unwritten);
  }
};

template <class T>
bool same_bits(T const* a, T const* b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!oracle::same_bits(a[i], b[i])) return false;
  }
  return true;
}
template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && same_bits(a.data(), b.data(), a.size());
}
template <class T>
bool same_bits(list_results<T> const& a, list_results<T> const& b) {
  return same_bits(a.loss, b.loss) && same_bits(a.d_logp, b.d_logp);
}
using oracle::same_bits;

/// The text with which evaluate refuses, having written nothing.
template <class L, class T>
std::string refusal_of(L const& loss, prefopt::list_batch<T> const& batch, prefopt::options const& options = {}) {
  list_results<T> written{batch.offsets.empty() ? 0 : batch.offsets.size() - 1, batch.logp.size()};
  auto const text = refusal([&] { static_cast<void>(prefopt::evaluate(loss, batch, written.outputs(), options)); });
  if (!written.is_untouched()) return "outputs were written before the error: " + text;
  return text;
}

/// 1, 2, …, highest.
inline std::vector<std::size_t> sizes_up_to(std::size_t highest) {
  std::vector<std::size_t> sizes(highest);
  std::iota(sizes.begin(), sizes.end(), std::size_t{1});
  return sizes;
}

inline bool is_square(prefopt::any_list_loss const& loss) { return loss.name() == "sami"; }

/// Sizes that the loss takes: as they are, or as sides of squares.
inline std::vector<std::size_t> fitting(prefopt::any_list_loss const& loss, std::vector<std::size_t> sizes) {
  if (!is_square(loss)) return sizes;
  for (std::size_t& size : sizes) {
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
    size = side * side;
  }
  return sizes;
}

inline bool is_ranked(prefopt::any_list_loss const& loss) {
  auto const name = loss.name();
  return name != "adpo" && name != "list_net" && name != "sami" && name != "real";
}
