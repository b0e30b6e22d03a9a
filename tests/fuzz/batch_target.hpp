#pragma once

#include <optional>
#include <prefopt/batch/report.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <stdexcept>
#include <string>

#include "fuzzed_batch.hpp"
#include "gradient_quotient.hpp"
#include "may_be_undefined.hpp"
#include "named_losses.hpp"

/// What a call gave, or that it refused.
template <class Family, class T>
struct plain_results {
  std::optional<prefopt::report> report;  ///< none: refused
  std::array<std::vector<T>, Family::output_count> outputs;
};

/// The loss over plain columns.
template <class Family, class T>
plain_results<Family, T> plain(prefopt::any_loss<Family> const& loss, batch_values<Family, T> const& values,
                               std::array<std::vector<T>, Family::output_count> before,
                               prefopt::options const& options) {
  plain_results<Family, T> made;
  made.outputs = std::move(before);
  typename Family::template outputs<T> outputs;
  for (std::size_t o = 0; o < Family::output_count; ++o) {
    outputs.*Family::template results<T>[o].values = made.outputs[o];
  }
  try {
    made.report = prefopt::evaluate(loss, values.batch(), outputs, options);
  } catch (std::invalid_argument const&) {
  }
  return made;
}

template <class T>
bool is_same(std::vector<T> const& a, std::vector<T> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return is_same(x, y); });
}

inline bool is_same(prefopt::report const& a, prefopt::report const& b) {
  return is_same(a.loss, b.loss) && is_same(a.accuracy, b.accuracy) && is_same(a.margin, b.margin) &&
         is_same(a.chosen_reward, b.chosen_reward) && is_same(a.rejected_reward, b.rejected_reward) &&
         is_same(a.best_probability, b.best_probability) && is_same(a.weight, b.weight) && a.count == b.count &&
         a.skipped == b.skipped && a.non_finite == b.non_finite && a.empty == b.empty;
}

/// One call of one loss, and what must hold of it.
template <class Family, class T>
class batch_target {
  using f = Family;
  static constexpr bool in_groups = std::same_as<Family, prefopt::list_family>;

 public:
  batch_target(fuzz_input& in, prefopt::any_loss<f> const& loss, late_text const& name, bool is_moderate)
      : in_{in}, loss_{loss}, name_{name}, is_moderate_{is_moderate} {}

  void run() {
    shape_.is_sound = !in_.one_in(3);
    shape_.most = in_.one_in(2) ? 30 : 1e4;
    std::vector<std::size_t> sizes;
    shape_.examples = in_.below(in_.is_large() ? 601 : 24);
    if (!in_groups) {
      shape_.items = shape_.examples;
    } else {
      std::size_t const most = in_.is_large() ? 90 : 7;
      for (std::size_t g = 0; g < shape_.examples && shape_.items < 600; ++g) {
        std::size_t size = in_.below(most) + (shape_.is_sound ? 1 : 0);
        if (loss_.is_square() && shape_.is_sound) size = (size % 8 + 1) * (size % 8 + 1);
        sizes.push_back(size);
        shape_.items += size;
      }
      shape_.examples = sizes.size();
    }
    batch_maker<f, T> maker{in_, loss_, shape_};
    columns_ = maker.columns();
    for (std::size_t c = 0; c < f::input_count; ++c) {
      values_.columns[c] = columns_[c].values();
      values_.is_given[c] = columns_[c].is_given();
    }
    if constexpr (in_groups) {
      values_.offsets = maker.offsets(sizes);
      shape_.examples = values_.offsets.empty() ? 0 : values_.offsets.size() - 1;
    }
    options_ = options_for(in_, shape_.is_sound);
    if (shape_.is_sound && loss_.facts().matches != prefopt::rank_matching::none) {
      // What sorts the whole batch leaves none out.
      options_.non_finite = options_.empty = prefopt::on_invalid::error;
    }
    bool const is_computed = check_call();
    promise(is_computed || !shape_.is_sound, name_, ": refuses a batch that is as it should be: ", refusal_);
    if (!is_computed) return;
    if (!in_groups) shape_.examples = shape_.items = values_.columns[0].size();
    if (is_independent()) {
      check_order();
      check_parts();
    }
    if (shape_.is_sound && is_moderate_) {
      check_numbers();
      if constexpr (std::same_as<T, double>) {
        if (shape_.most < 100 && is_independent() && shape_.examples != 0 && in_.one_in(4)) check_gradients();
      }
    }
  }

 private:
  [[nodiscard]] bool is_independent() const {
    return loss_.facts().observed == 0 && loss_.facts().matches == prefopt::rank_matching::none;
  }

  [[nodiscard]] std::size_t size_of(std::size_t output) const {
    return f::template results<T>[output].per == prefopt::entries::of_examples ? shape_.examples : shape_.items;
  }

  [[nodiscard]] bool writes(std::size_t output) const {
    return !f::template results<T>[output].is_of_some || (loss_.facts().writes >> output & 1U) != 0;
  }

  /// Everywhere that results can go, what stands there.
  [[nodiscard]] std::array<std::vector<T>, f::output_count> wanted(batch_values<f, T> const& of) const {
    std::array<std::vector<T>, f::output_count> all;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      bool const per_example = f::template results<T>[o].per == prefopt::entries::of_examples && in_groups;
      if (writes(o)) all[o].resize(per_example ? of.offsets.size() - 1 : of.columns[0].size());
    }
    return all;
  }

  /// The call with strides, types, aliases, an executor and ranks: refused before anything is written, or the same bits
  /// as without.
  bool check_call() {
    typename f::template batch<T> batch;
    typename f::template outputs<T> views;
    std::array<fuzzed_output<T>, f::output_count> outputs;
    std::array<std::vector<T>, f::output_count> before;
    for (std::size_t c = 0; c < f::input_count; ++c) {
      if (columns_[c].is_given()) batch.*f::template inputs<T>[c].values = columns_[c].view();
    }
    if constexpr (in_groups) batch.offsets = values_.offsets;
    std::array<bool, f::input_count> is_taken{};
    for (std::size_t o = 0; o < f::output_count; ++o) {
      if (!in_.one_in(2) || (!writes(o) && (shape_.is_sound || !in_.one_in(16)))) continue;
      std::size_t const size = !shape_.is_sound && in_.one_in(48) ? in_.below(shape_.items + 2) : size_of(o);
      std::size_t const c = in_.below(f::input_count);
      auto const* const memory = columns_[c].memory();
      // Of groups the gradient alone may be where an input is; with an output in its place a column is no longer what
      // is read first and added to.
      bool const may_alias = !in_groups || (o == static_cast<std::size_t>(prefopt::list_family::d_logp) &&
                                            c == static_cast<std::size_t>(prefopt::list_family::logp));
      if (in_.one_in(4) && may_alias && memory != nullptr && !is_taken[c] && columns_[c].values().size() == size &&
          size != 0) {
        is_taken[c] = true;
        outputs[o] = {*memory, size};
      } else {
        outputs[o] = {in_, size};
      }
      before[o] = outputs[o].before();
      views.*f::template results<T>[o].values = outputs[o].view();
    }
    auto options = options_;
    odd_executor const executor{1 + in_.below(63)};
    auto const one_rank = [](std::span<double>) {};
    if (in_.one_in(2)) options.executor = executor;
    if (in_.one_in(4)) options.all_reduce = one_rank;
    std::optional<prefopt::report> report;
    try {
      report = prefopt::evaluate(loss_, batch, views, options);
    } catch (std::invalid_argument const& error) {
      refusal_ = error.what();
    }
    for (std::size_t o = 0; o < f::output_count; ++o) {
      promise(report ? outputs[o].has_whole_gaps() : outputs[o].is_untouched(), name_,
              (report ? ": writes between the results" : ": writes before it refuses"), " to ",
              f::template results<T>[o].name);
    }
    auto const same = plain(loss_, values_, before, options_);
    promise(report.has_value() == same.report.has_value(), name_, ": refuses by the layout alone: ", refusal_);
    if (!report) return false;
    promise(is_same(*report, *same.report), name_, ": reports otherwise by the layout alone");
    for (std::size_t o = 0; o < f::output_count; ++o) {
      promise(is_same(outputs[o].values(), same.outputs[o]), name_,
              ": computes otherwise by the layout alone: ", f::template results<T>[o].name);
    }
    return true;
  }

  /// Examples in another order have the same bits.
  void check_order() {
    auto options = options_;
    options.reduction = prefopt::reduction::none;
    options.denominator = {};
    options.gradient = prefopt::gradient_write::assign;
    std::vector<std::size_t> places(shape_.examples);
    std::iota(places.begin(), places.end(), std::size_t{0});
    for (std::size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[in_.below(i)]);
    auto const whole = plain(loss_, values_, wanted(values_), options);
    if (!whole.report) return;  // for a weight or a denominator
    auto const other_values = values_.of(places);
    auto const other = plain(loss_, other_values, wanted(other_values), options);
    promise(other.report.has_value(), name_, ": refuses by the order alone");
    batch_values<f, T> expected;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      if (whole.outputs[o].empty()) continue;
      promise(is_same(in_order(o, whole.outputs[o], places), other.outputs[o]), name_,
              ": computes otherwise by the order alone: ", f::template results<T>[o].name);
    }
  }

  [[nodiscard]] std::vector<T> in_order(std::size_t output, std::vector<T> const& results,
                                        std::vector<std::size_t> const& places) const {
    bool const per_item = in_groups && f::template results<T>[output].per != prefopt::entries::of_examples;
    std::vector<T> ordered;
    for (std::size_t const place : places) {
      std::size_t begin = place, end = place + 1;
      if (per_item) {
        begin = static_cast<std::size_t>(values_.offsets[place]);
        end = static_cast<std::size_t>(values_.offsets[place + 1]);
      }
      for (; begin < end; ++begin) ordered.push_back(results[begin]);
    }
    return ordered;
  }

  /// With a denominator the whole is the sum of two parts: gradients bit for bit, the loss but for the roundings of
  /// sums. In T no lane adds up more than a call's 4096 examples before double does; twice that many roundings of the
  /// sum of the sizes are allowed, for the parts and for the whole.
  void check_parts() {
    auto options = options_;
    options.reduction = prefopt::reduction::mean;
    options.denominator = 1 + static_cast<double>(in_.below(64));
    options.gradient = prefopt::gradient_write::assign;
    std::size_t const middle = in_.below(shape_.examples + 1);
    std::vector<std::size_t> first(middle), second(shape_.examples - middle);
    std::iota(first.begin(), first.end(), std::size_t{0});
    std::iota(second.begin(), second.end(), middle);
    auto const values = std::array{values_.of(first), values_.of(second)};
    auto const whole = plain(loss_, values_, wanted(values_), options);
    auto const parts = std::array{plain(loss_, values[0], wanted(values[0]), options),
                                  plain(loss_, values[1], wanted(values[1]), options)};
    if (!whole.report || !parts[0].report || !parts[1].report) return;  // for weights
    for (std::size_t o = 0; o < f::output_count; ++o) {
      auto joined = parts[0].outputs[o];
      joined.insert(joined.end(), parts[1].outputs[o].begin(), parts[1].outputs[o].end());
      promise(is_same(joined, whole.outputs[o]), name_,
              ": parts are not those of the whole: ", f::template results<T>[o].name);
    }
    long double size = 0;
    for (T const value : whole.outputs[f::loss]) size += std::fabs(static_cast<long double>(value));
    if (!(size < std::numeric_limits<T>::max() / 4)) return;
    double const roundings = 4.0 * static_cast<double>(std::min<std::size_t>(shape_.examples, 4096) + 8);
    // The steps of the smallest numbers do not become smaller.
    long double const bound =
        roundings * (static_cast<long double>(std::numeric_limits<T>::epsilon()) * size / *options.denominator +
                     static_cast<long double>(std::numeric_limits<T>::denorm_min()));
    long double const sum = static_cast<long double>(parts[0].report->loss) + parts[1].report->loss;
    promise(std::fabs(sum - whole.report->loss) <= bound, name_, ": the whole's loss is ", whole.report->loss,
            ", that of its parts is ", sum, ", no further apart may be ", bound);
    promise(parts[0].report->count + parts[1].report->count == whole.report->count &&
                parts[0].report->skipped + parts[1].report->skipped == whole.report->skipped,
            name_, ": the whole does not count what its parts do");
  }

  /// Finite numbers within 1e4 make no NaN.
  void check_numbers() {
    if (may_be_undefined(loss_.name())) return;
    auto values = values_;
    values.is_given[f::weight] = false;  // an infinite loss of weight 0 is 0 * inf
    auto const got = plain(loss_, values, wanted(values), options_);
    if (!got.report) return;
    bool is_finite = true;
    for (std::size_t o = 0; o < f::output_count; ++o) {
      for (T const value : got.outputs[o]) {
        promise(value == value, name_, ": NaN of finite numbers in ", f::template results<T>[o].name);
        is_finite = is_finite && std::isfinite(value);
      }
    }
    promise(!is_finite || got.report->loss == got.report->loss, name_, ": a report of NaN of finite numbers");
  }

  /// Of one example, every gradient lies where the differences of the value say.
  void check_gradients() {
    if constexpr (std::same_as<T, double>) {
      auto values = values_.of({in_.below(shape_.examples)});
      values.is_given[f::weight] = false;
      prefopt::options const own{.reduction = prefopt::reduction::none};
      auto const at = plain(loss_, values, wanted(values), own);
      if (!at.report) return;
      for (std::size_t o = 0; o < f::output_count; ++o) {
        int const by = f::template results<T>[o].gradient_of;
        if (by < 0 || at.outputs[o].empty()) continue;
        auto const column = static_cast<std::size_t>(by);
        if (values.columns[column].empty() || has_constants(loss_.name(), f::template inputs<T>[column].name)) continue;
        std::size_t const item = in_.below(values.columns[column].size());
        double const x = values.columns[column][item];
        check_quotient([&] { return name_() + " by " + f::template inputs<T>[column].name; }, x, at.outputs[o][item],
                       size_of_terms(values, at),
                       [&](double moved) {
                         auto other = values;
                         other.columns[column][item] = moved;
                         auto const there = plain(loss_, other, {}, own);
                         return there.report ? there.report->loss : std::numeric_limits<double>::quiet_NaN();
                       });
      }
    }
  }

  /// What the value's rounding is relative to: the value, and every number times the gradient by it.
  [[nodiscard]] static double size_of_terms(batch_values<f, T> const& values, plain_results<f, T> const& at) {
    double largest = 1, numbers = 0;
    for (auto const& results : at.outputs) {
      for (T const value : results) largest = std::max(largest, std::fabs(static_cast<double>(value)));
    }
    for (auto const& column : values.columns) {
      for (T const value : column) numbers = std::max(numbers, std::fabs(static_cast<double>(value)));
    }
    return largest * (1 + numbers);
  }

  fuzz_input& in_;
  prefopt::any_loss<f> const& loss_;
  late_text const& name_;
  bool is_moderate_;
  batch_shape shape_;
  std::array<fuzzed_column<T>, f::input_count> columns_;
  batch_values<f, T> values_;
  prefopt::options options_;
  std::string refusal_;
};

/// A loss of a family by name, with parameters of which some may be refused, over a batch.
template <class Family, class Make>
void run_batch_target(fuzz_input& in, std::vector<fuzzed_loss_name> const& names, Make const& make) {
  auto const& named = names[in.below(names.size())];
  auto const parameters = parameters_for(in, named.parameters);
  late_text const text = [&] { return text_of(named, parameters.values); };
  std::optional<prefopt::any_loss<Family>> loss;
  try {
    loss = make(named, parameters.values);
  } catch (std::invalid_argument const&) {
  }
  promise(!loss || parameters.in_range, text, ": a parameter out of its range is taken");
  if (!loss) return;
  if (in.one_in(2)) {
    batch_target<Family, float>{in, *loss, text, parameters.moderate}.run();
  } else {
    batch_target<Family, double>{in, *loss, text, parameters.moderate}.run();
  }
}
