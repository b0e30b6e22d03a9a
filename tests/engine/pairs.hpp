#pragma once

#include <catch.hpp>
#include <cstddef>
#include <cstring>
#include <oracle/bits.hpp>
#include <oracle/same_reports.hpp>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <string>
#include <vector>

/// Every loss of the one list and every modifier over it, made by name. Instantiated in one file only.
std::vector<prefopt::any_pair_loss> const& every_loss();
/// Those of which a pair's results depend on that pair alone.
std::vector<prefopt::any_pair_loss> const& every_independent_loss();

/// A value of every column for n pairs, reproducible: pair i is the same for every n.
template <class T>
struct pairs {
  std::vector<T> chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, weight, margin, label,
      reliability;
  /// Labels that are outcomes, and probabilities that are none.
  std::vector<T> outcome, doubt;
  /// Of all other columns: positive numbers.
  std::vector<T> further;

  explicit pairs(std::size_t n, std::size_t period = 5003) {
    std::mt19937 engine{7};
    auto const between = [&](double low, double high) {
      return static_cast<T>(low + (high - low) * static_cast<double>(engine()) / 4294967296.0);
    };
    for (std::size_t i = 0; i < n; ++i) {
      if (i >= period) {
        for (auto* column : all()) column->push_back((*column)[i - period]);
        continue;
      }
      T const width = i % 7 == 0 ? T(80) : T(3);
      chosen.push_back(between(-300, -20));
      rejected.push_back(between(-300, -20));
      ref_chosen.push_back(chosen.back() + width * between(-1, 1));
      ref_rejected.push_back(rejected.back() + width * between(-1, 1));
      chosen_length.push_back(static_cast<T>(1 + engine() % 200));
      rejected_length.push_back(static_cast<T>(1 + engine() % 200));
      weight.push_back(i % 11 == 0 ? T(0) : between(0, 2));
      margin.push_back(between(0, 1));
      label.push_back(i % 5 == 0 ? T(1) : between(0, 1));
      reliability.push_back(between(0.5, 1));
      outcome.push_back(static_cast<T>(i % 3 == 0 ? 0 : 1));
      doubt.push_back(static_cast<T>(0.1 + 0.8 * static_cast<double>(label.back())));
      further.push_back(static_cast<T>(0.25 + static_cast<double>(i % 13) / 4));
    }
  }

  [[nodiscard]] std::size_t size() const { return chosen.size(); }

  std::vector<std::vector<T>*> all() {
    return {&chosen, &rejected, &ref_chosen,  &ref_rejected, &chosen_length, &rejected_length, &weight,
            &margin, &label,    &reliability, &outcome,      &doubt,         &further};
  }

  /// The labels that the loss takes.
  [[nodiscard]] std::vector<T> const& label_for(prefopt::any_pair_loss const& loss) const {
    using prefopt::allowed_values;
    if (loss.rule().kind != prefopt::columns::label) return label;
    return loss.rule().values == allowed_values::inside ? doubt : outcome;
  }

  /// The columns that the loss reads, and the weights if wanted, for pairs [begin, begin + count).
  [[nodiscard]] prefopt::pair_batch<T> batch(prefopt::any_pair_loss const& loss, std::size_t begin, std::size_t count,
                                             bool weighted = true) const {
    using prefopt::columns;
    auto const part = [&](std::vector<T> const& column, bool given) {
      return given ? prefopt::column<T>{column.data() + begin, count} : prefopt::column<T>{};
    };
    bool const anchors = loss.reads(columns::reference), measures = loss.reads(columns::length);
    prefopt::pair_batch<T> all{.chosen = part(chosen, true),
                               .rejected = part(rejected, true),
                               .ref_chosen = part(ref_chosen, anchors),
                               .ref_rejected = part(ref_rejected, anchors),
                               .chosen_length = part(chosen_length, measures),
                               .rejected_length = part(rejected_length, measures),
                               .weight = part(weight, weighted),
                               .margin = part(margin, loss.reads(columns::margin)),
                               .label = part(label_for(loss), loss.reads(columns::label)),
                               .reliability = part(reliability, loss.reads(columns::reliability))};
    using family = prefopt::pair_family;
    for (std::size_t c = family::reliability + 1; c < family::input_count; ++c) {
      auto const& row = family::inputs<T>[c];
      all.*row.values = part(further, loss.reads(row.kind));
    }
    return all;
  }
  [[nodiscard]] prefopt::pair_batch<T> batch(prefopt::any_pair_loss const& loss, bool weighted = true) const {
    return batch(loss, 0, size(), weighted);
  }
};

/// Memory for every output, filled with a value that no loss writes.
template <class T>
struct results {
  static constexpr T untouched = T(-12345.5);

  std::vector<T> loss, d_chosen, d_rejected, chosen_reward, rejected_reward, posterior;
  bool has_posterior;

  results(std::size_t n, bool with_posterior)
      : loss(n, untouched),
        d_chosen(loss),
        d_rejected(loss),
        chosen_reward(loss),
        rejected_reward(loss),
        posterior(with_posterior ? n : 0, untouched),
        has_posterior{with_posterior} {}
  results(std::size_t n, prefopt::any_pair_loss const& like) : results{n, like.has_posterior()} {}

  [[nodiscard]] prefopt::pair_outputs<T> outputs() {
    return {.loss = loss,
            .d_chosen = d_chosen,
            .d_rejected = d_rejected,
            .chosen_reward = chosen_reward,
            .rejected_reward = rejected_reward,
            .posterior = posterior};
  }

  [[nodiscard]] std::vector<std::vector<T> const*> all() const {
    return {&loss, &d_chosen, &d_rejected, &chosen_reward, &rejected_reward, &posterior};
  }

  [[nodiscard]] bool is_untouched() const {
    for (auto const* column : all()) {
      for (T const x : *column) {
        if (x != untouched) return false;
      }
    }
    return true;
  }

  /// Whether pairs [begin, begin + count) have, bit for bit, what `other` has from `from` on.
  [[nodiscard]] bool same_bits(std::size_t begin, std::size_t count, results const& other, std::size_t from) const {
    auto const mine = all(), theirs = other.all();
    for (std::size_t c = 0; c < mine.size(); ++c) {
      if (mine[c]->empty() && theirs[c]->empty()) continue;
      if (count != 0 && std::memcmp(mine[c]->data() + begin, theirs[c]->data() + from, count * sizeof(T)) != 0)
        return false;
    }
    return true;
  }
  [[nodiscard]] bool same_bits(results const& other) const {
    return loss.size() == other.loss.size() && same_bits(0, loss.size(), other, 0);
  }
};

using oracle::same_bits;

/// The text with which evaluate refuses, having written nothing.
template <class L, class T>
std::string refusal_of(L const& loss, prefopt::pair_batch<T> const& batch, prefopt::options const& options = {}) {
  bool const posterior = prefopt::any_pair_loss{loss}.has_posterior();
  results<T> written{batch.chosen.size(), posterior};
  auto const text = refusal([&] { static_cast<void>(prefopt::evaluate(loss, batch, written.outputs(), options)); });
  if (!written.is_untouched()) return "outputs were written before the error: " + text;
  return text;
}
