#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <prefopt/core/parts.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/inspect.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What is done with every block, and what becomes of it: a plain sum of Sums, one for each part, without their types.
template <class T>
struct block_work {
  void const* body;
  void (*run)(void const* body, block<T>&, std::size_t begin, void* sums) noexcept;
  void (*add)(void* total, void const* sums) noexcept;
  std::size_t bytes;

  static constexpr std::size_t most_bytes = 128;
};

/// Runs the work over all blocks of a batch whose examples are independent, and adds up in an order that depends on the
/// size alone. Of the batch the columns are read whose bits are set, `at_once` examples at a time, which may be more than
/// a block where all of them are in place; `total` begins as what a part begins with. Without outputs nothing is written.
template <class Family, class T>
void run_blocks(typename Family::template batch<T> const& batch, unsigned columns_read,
                typename Family::template outputs<T> const* outputs, std::size_t examples, std::size_t at_once,
                bool fetch_gradients, executor const& run, block_work<T> const& work, void* total) {
  constexpr std::size_t inputs = Family::input_count, results = Family::output_count;
  auto const& input_rows = Family::template inputs<T>;
  auto const& output_rows = Family::template results<T>;
  // Most columns of a family are not there.
  std::array<unsigned char, inputs> read;
  std::array<unsigned char, results> written;
  std::size_t read_count = 0, written_count = 0;
  for (unsigned left = columns_read; left != 0; left &= left - 1) {
    read[read_count++] = static_cast<unsigned char>(std::countr_zero(left));
  }
  for (unsigned left = outputs == nullptr ? 0U : outputs_given<Family, T>(*outputs); left != 0; left &= left - 1) {
    written[written_count++] = static_cast<unsigned char>(std::countr_zero(left));
  }
  parts const split{examples, 16, block_examples};
  // Not set to 0: a call on few examples must not pay for parts that it does not need.
  alignas(double) unsigned char partial[most_parts][block_work<T>::most_bytes];
  auto const part = [&](std::size_t index) noexcept {
    // What there is one of is the total.
    void* const sums = split.count == 1 ? total : std::memcpy(partial[index], total, work.bytes);
    T in_buffer[inputs][block_examples];
    T out_buffer[results][block_examples];
    std::size_t const end = split.end(index);
    block<T> block{};
    for (std::size_t begin = split.begin(index); begin < end; begin += at_once) {
      block.count = std::min(at_once, end - begin);
      for (std::size_t i = 0; i < read_count; ++i) {
        std::size_t const c = read[i];
        block.in[c] = (batch.*input_rows[c].values).block(begin, block.count, in_buffer[c]);
      }
      for (std::size_t i = 0; i < written_count; ++i) {
        std::size_t const c = written[i];
        bool const fetch = fetch_gradients && output_rows[c].gradient_of >= 0;
        block.out[c] = (outputs->*output_rows[c].values).block(begin, block.count, out_buffer[c], fetch);
      }
      work.run(work.body, block, begin, sums);
      for (std::size_t i = 0; i < written_count; ++i) {
        std::size_t const c = written[i];
        (outputs->*output_rows[c].values).commit(begin, block.count, out_buffer[c]);
      }
    }
  };
  run(split.count, executor::task{part});
  if (split.count == 1) return;
  for (std::size_t i = 0; i < split.count; ++i) work.add(total, partial[i]);
}

/// Runs body(block, first example, sums) over all blocks; the sums of all parts by `add`, from `zero` on.
template <class Family, class T, class Sums, class Body>
Sums for_each_block(typename Family::template batch<T> const& batch, unsigned columns_read,
                    typename Family::template outputs<T> const* outputs, std::size_t examples, std::size_t at_once,
                    bool fetch_gradients, executor const& run, Sums const& zero,
                    void (*add)(void*, void const*) noexcept, Body const& body) {
  static_assert(std::is_trivially_copyable_v<Sums> && sizeof(Sums) <= block_work<T>::most_bytes);
  Sums total = zero;
  run_blocks<Family, T>(batch, columns_read, outputs, examples, at_once, fetch_gradients, run,
                        {&body,
                         [](void const* function, block<T>& block, std::size_t begin, void* sums) noexcept {
                           (*static_cast<Body const*>(function))(block, begin, *static_cast<Sums*>(sums));
                         },
                         add, sizeof(Sums)},
                        &total);
  return total;
}

/// Adds numbers to numbers.
template <class Sums>
void add_numbers(void* total, void const* sums) noexcept {
  auto& all = *static_cast<Sums*>(total);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] += (*static_cast<Sums const*>(sums))[i];
}

/// Runs a loss over a batch of a family whose examples are independent of one another.
template <class Family, class T>
class block_engine {
  using f = Family;
  using batch_type = typename Family::template batch<T>;
  using outputs_type = typename Family::template outputs<T>;

 public:
  block_engine(loss_ref<f, T> const& loss, batch_type const& batch, outputs_type const& outputs, options const& options,
               bool lengths_mark_empty)
      : loss_{loss},
        batch_{batch},
        options_{options},
        given_{check_columns<f, T>(loss.facts, batch, outputs, examples(), examples(), lengths_mark_empty)} {}

  [[nodiscard]] std::size_t examples() const noexcept { return (batch_.*f::template inputs<T>[0].values).size(); }

  /// Fails for what the options call an error; the sum of the counted weights.
  [[nodiscard]] double inspect() {
    // Only the columns that decide anything are read twice.
    bool const needs_finite = options_.non_finite != on_invalid::propagate;
    unsigned const judged = given_ & (needs_finite ? ~0U : columns_with_range<f> | ruled_columns<f>(loss_.facts));
    if (judged == 0) return static_cast<double>(examples());
    std::size_t at_once = few_blocks;
    for (unsigned left = judged; left != 0; left &= left - 1) {
      auto const c = static_cast<std::size_t>(std::countr_zero(left));
      // Weights are summed up in blocks.
      if (c == f::weight || (batch_.*f::template inputs<T>[c].values).in_place() == nullptr) at_once = block_examples;
    }
    auto looked_for = inspection_settings_for<f, T>(loss_.facts, options_, judged);
    looked_for.has_empty = (judged & looked_for.lengths) != 0;
    auto const inspect_block = loss_.kernels.inspect;
    auto const seen = for_each_block<f, T>(
        batch_, judged, nullptr, examples(), at_once, false, options_.executor, nothing_seen,
        [](void* total, void const* part) noexcept {
          add_to(*static_cast<inspection*>(total), *static_cast<inspection const*>(part));
        },
        [&](block<T>& block, std::size_t begin, inspection& part) noexcept {
          inspect_block(looked_for, block, begin, part);
        });
    if (seen.out_of_range != no_example) {
      find_out_of_range<f, T>(loss_.facts, batch_, looked_for, seen.out_of_range, seen.out_of_range + 1);
      fail_evaluate("a column changed during the call");
    }
    if (options_.non_finite == on_invalid::error && seen.non_finite != no_example) {
      fail_for_non_finite<f, T>(batch_, seen.non_finite, seen.non_finite + 1);
    }
    bool const refuses_empty = loss_.facts.refuses_empty && options_.empty == on_invalid::propagate;
    if (seen.empty != no_example && (options_.empty == on_invalid::error || refuses_empty)) {
      fail_evaluate({f::example, " ", text(seen.empty), f::empty_example, " of length 0, ",
                     refuses_empty ? "of which there is no " : "which options.empty calls an error",
                     refuses_empty ? loss_.facts.name : std::string_view{}});
    }
    has_non_finite_ = seen.non_finite != no_example;
    has_empty_ = seen.empty != no_example;
    return seen.weight;
  }

  /// Adds up what the loss asks for, and the number of counted pairs behind it.
  using observations = std::array<double, most_observed + 1>;
  [[nodiscard]] observations observe() const {
    auto const settings = settings_for(1);
    return for_each_block<f, T>(batch_, given_, nullptr, examples(), block_examples, false, options_.executor,
                                observations{}, &add_numbers<observations>,
                                [&](block<T>& block, std::size_t, observations& part) noexcept {
                                  loss_.kernels.observe(loss_.loss, settings, block, part.data());
                                });
  }

  [[nodiscard]] sums run(void const* loss, outputs_type const& outputs, double gradient_scale) const {
    auto const settings = settings_for(gradient_scale);
    auto const kernel = loss_.kernels.run;
    auto const finish = is_plain(settings) ? nullptr : loss_.kernels.finish;
    std::size_t const at_once =
        examples() > block_examples && finish == nullptr ? examples_at_once(outputs) : block_examples;
    return for_each_block<f, T>(batch_, given_, &outputs, examples(), at_once, settings.accumulate, options_.executor,
                                sums{}, &add_numbers<sums>, [&](block<T>& block, std::size_t, sums& part) noexcept {
                                  if (finish == nullptr) return kernel(loss, settings, block, part);
                                  finish(kernel, loss, settings, block, part);
                                });
  }

  /// Whether the batch has columns of that kind; of none it has.
  [[nodiscard]] bool has(columns kind) const noexcept {
    if (kind == columns::none) return true;
    for (auto const& row : f::template inputs<T>) {
      if (row.kind == kind && (batch_.*row.values).is_given()) return true;
    }
    return false;
  }

  static void complete(sums& all, double) noexcept { complete_sums<f>(all); }

 private:
  // What the inspection did not find needs no looking out for.
  [[nodiscard]] settings<T> settings_for(double gradient_scale) const noexcept {
    return {.gradient_scale = static_cast<T>(gradient_scale),
            .reward_scale = static_cast<T>(loss_.facts.reward_scale),
            .accumulate = options_.gradient == gradient_write::accumulate,
            .skip_non_finite = has_non_finite_ && options_.non_finite == on_invalid::skip,
            .skip_empty = has_empty_ && options_.empty == on_invalid::skip,
            .has_empty = has_empty_};
  }

  /// How many examples the kernel gets in one call.
  [[nodiscard]] PREFOPT_NOINLINE std::size_t examples_at_once(outputs_type const& outputs) const noexcept {
    bool all = loss_.kernels.runs_several;
    for (unsigned left = given_; left != 0; left &= left - 1) {
      auto const c = static_cast<std::size_t>(std::countr_zero(left));
      all = all && (batch_.*f::template inputs<T>[c].values).in_place() != nullptr;
    }
    for (auto const& row : f::template results<T>) {
      all = all && ((outputs.*row.values).empty() || (outputs.*row.values).in_place() != nullptr);
    }
    return all ? few_blocks : block_examples;
  }

  static constexpr std::size_t few_blocks = blocks_at_once * block_examples;

  loss_ref<f, T> const& loss_;
  batch_type const& batch_;
  options const& options_;
  unsigned given_;  ///< columns with values, a bit each
  bool has_non_finite_ = false, has_empty_ = false;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
