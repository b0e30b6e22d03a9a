#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <oracle/bits.hpp>
#include <oracle/same_numbers.hpp>
#include <oracle/same_reports.hpp>
#include <prefopt/prefopt.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Single completions as columns, by the family's own names, and what a loss makes of them.
template <class T>
struct completions {
  using f = prefopt::unpaired_family;

  std::vector<T> logp, ref_logp, length, label, target, weight, kl_logp, ref_kl_logp;

  /// Every column of n completions, reproducible: completion i is the same for every n. With labels that are 0 or 1 if
  /// asked for.
  explicit completions(std::size_t n, bool is_binary = false) {
    oracle::random_numbers random{81};
    auto const put = [](std::vector<T>& to, double x) { to.push_back(static_cast<T>(x)); };
    for (std::size_t i = 0; i < n; ++i) {
      double const reference = -random.spread(1e-2, 1e3), width = random.spread(1e-3, 1e2);
      put(ref_logp, reference);
      put(logp, reference + width * random.uniform(-1, 1));
      put(length, 1 + std::floor(random.uniform(0, 60)));
      double const soft = random.uniform();
      put(label, i % 3 == 0 ? (is_binary ? std::round(soft) : soft) : i % 3 == 1 ? 1 : 0);
      put(target, random.uniform(-3, 3));
      put(weight, i % 7 == 0 ? 0 : random.uniform(0, 2));
      put(kl_logp, random.uniform(-9, 0));
      put(ref_kl_logp, random.uniform(-12, -1));
    }
  }

  [[nodiscard]] std::size_t size() const { return logp.size(); }

  [[nodiscard]] std::vector<T>& column(std::size_t input) {
    std::vector<T>* const all[]{&logp, &ref_logp, &length, &label, &target, &weight, &kl_logp, &ref_kl_logp};
    return *all[input];
  }

  /// The columns that the loss needs, with the weights and those that it takes if wanted, of [begin, end).
  [[nodiscard]] prefopt::unpaired_batch<T> batch(prefopt::any_unpaired_loss const& loss, bool is_weighted = false,
                                                 bool is_all = false, std::size_t begin = 0,
                                                 std::size_t end = std::size_t(-1)) const {
    end = std::min(end, size());
    prefopt::unpaired_batch<T> given;
    for (auto const& row : f::inputs<T>) {
      auto const index = static_cast<std::size_t>(&row - f::inputs<T>.data());
      bool const is_given =
          row.when == prefopt::presence::always || (row.when == prefopt::presence::optional && is_weighted) ||
          (row.when == prefopt::presence::as_read && (is_all ? loss.reads(row.kind) : loss.needs(row.kind)));
      auto const& values = const_cast<completions*>(this)->column(index);
      if (is_given) given.*row.values = prefopt::column<T>{values.data() + begin, end - begin};
    }
    return given;
  }

  void push_back(completions const& from, std::size_t i) {
    for (std::size_t c = 0; c < f::input_count; ++c) column(c).push_back(const_cast<completions&>(from).column(c)[i]);
  }
  void erase(std::size_t i) {
    for (std::size_t c = 0; c < f::input_count; ++c) {
      column(c).erase(column(c).begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
};

template <class T>
struct written {
  std::vector<T> loss, d_logp, reward;
  prefopt::report seen;

  written(prefopt::any_unpaired_loss const& with, prefopt::unpaired_batch<T> const& batch,
          prefopt::options const& how = {.reduction = prefopt::reduction::none}, T before = 7)
      : loss(batch.logp.size(), before), d_logp(loss), reward(loss) {
    seen = prefopt::evaluate(with, batch, {.loss = loss, .d_logp = d_logp, .reward = reward}, how);
  }
};

template <class T>
bool same(written<T> const& x, written<T> const& y) {
  return oracle::same_numbers(x.loss, y.loss) && oracle::same_numbers(x.d_logp, y.d_logp) &&
         oracle::same_numbers(x.reward, y.reward) && oracle::same_bits(x.seen, y.seen);
}

/// A loss by name with parameters.
struct named_unpaired {
  std::string name;
  prefopt::parameter_values given{};

  [[nodiscard]] prefopt::any_unpaired_loss made() const { return prefopt::make_unpaired_loss(name, given); }
  [[nodiscard]] double value(std::string const& parameter) const {
    for (auto const& [known, value] : given) {
      if (known == parameter) return value;
    }
    for (auto const& card : prefopt::unpaired_loss_cards()) {
      if (card.card.name != name) continue;
      for (auto const& p : card.parameters) {
        if (p.name == parameter) return p.standard;
      }
    }
    throw std::out_of_range{name + " has no parameter " + parameter};
  }
};

inline std::vector<named_unpaired> every_unpaired_loss() {
  std::vector<named_unpaired> all;
  for (auto const& card : prefopt::unpaired_loss_cards()) all.push_back({std::string{card.card.name}});
  return all;
}

/// Whether its labels have to be 0 or 1.
inline bool takes_binary(prefopt::any_unpaired_loss const& loss) {
  return loss.rule().values == prefopt::allowed_values::binary;
}
