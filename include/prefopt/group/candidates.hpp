#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/simd/lanes.hpp>
#include <prefopt/view/kernel_types.hpp>

// The candidates of a group, as a list loss sees them. The same loss runs in two ways: on as many groups of one size as
// there are lanes, a group a lane, or on one large group that is spread over the lanes. It says what happens to a
// candidate, and leaves the loops and the sums to the group.

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class V>
constexpr std::size_t lanes_of() noexcept {
  if constexpr (batch<V>) {
    return V::size;
  } else {
    return 1;
  }
}

template <lane V, class T>
PREFOPT_INLINE V load_candidate(T const* from) noexcept {
  if constexpr (batch<V>) {
    return V::load_unaligned(from);
  } else {
    return V(*from);
  }
}

template <lane V, class T>
PREFOPT_INLINE void store_candidate(V const& x, T* to) noexcept {
  if constexpr (batch<V>) {
    x.store_unaligned(to);
  } else {
    *to = T(x);
  }
}

template <lane V>
PREFOPT_INLINE auto first_lane(V const& x) noexcept {
  if constexpr (batch<V>) {
    return x.get(0);
  } else {
    return x;
  }
}

}  // namespace detail

/// One candidate in each lane: of as many groups, or consecutive ones of a spread group.
template <lane V, class T>
class candidate {
 public:
  PREFOPT_INLINE candidate(detail::candidate_columns<T> const& columns, std::size_t offset, V const& number) noexcept
      : columns_{&columns}, offset_{offset}, number_{number} {}
  /// Of which only the lanes with a number below `count` hold candidates.
  PREFOPT_INLINE candidate(detail::candidate_columns<T> const& columns, std::size_t offset, V const& number,
                           std::size_t count) noexcept
      : columns_{&columns}, offset_{offset}, number_{number}, count_{count} {}

  /// Place in the group, from 0; for a ranked loss 0 is the best.
  [[nodiscard]] PREFOPT_INLINE V number() const noexcept { return number_; }
  [[nodiscard]] PREFOPT_INLINE V score() const noexcept { return load(columns_->score); }
  /// Larger is better; -number where no rewards are given.
  [[nodiscard]] PREFOPT_INLINE V reward() const noexcept { return load(columns_->reward); }
  [[nodiscard]] PREFOPT_INLINE V target() const noexcept { return load(columns_->target); }

  /// The derivative of the loss by this candidate's score: every candidate's has to be set.
  [[nodiscard]] PREFOPT_INLINE V gradient() const noexcept { return load(columns_->gradient); }
  PREFOPT_INLINE void set_gradient(V const& x) const noexcept { store(x, columns_->gradient); }

  /// Working memory, a few values a candidate.
  template <std::size_t I>
  [[nodiscard]] PREFOPT_INLINE V kept() const noexcept {
    return load(columns_->slots[I]);
  }
  template <std::size_t I>
  PREFOPT_INLINE void keep(V const& x) const noexcept {
    store(x, columns_->slots[I]);
  }

  // For the engine.
  [[nodiscard]] PREFOPT_INLINE V load(T const* column) const noexcept {
    return detail::load_candidate<V>(column + offset_);
  }
  PREFOPT_INLINE void store(V const& x, T* column) const noexcept {
    if constexpr (detail::batch<V>) {
      if (count_ != all) return detail::store_candidate(V(xsimd::select(live(), x, load(column))), column + offset_);
    }
    detail::store_candidate(x, column + offset_);
  }
  [[nodiscard]] PREFOPT_INLINE std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] PREFOPT_INLINE bool is_partial() const noexcept { return count_ != all; }
  [[nodiscard]] PREFOPT_INLINE auto live() const noexcept {
    return number_ < math::constant<V>(static_cast<double>(count_));
  }

 private:
  static constexpr std::size_t all = static_cast<std::size_t>(-1);

  detail::candidate_columns<T> const* columns_;
  std::size_t offset_;
  V number_;
  std::size_t count_ = all;
};

/// One and the same candidate of a spread group in all lanes.
template <lane V, class T>
class lone_candidate {
 public:
  PREFOPT_INLINE lone_candidate(detail::candidate_columns<T> const& columns, std::size_t offset,
                                std::size_t number) noexcept
      : columns_{&columns}, offset_{offset}, number_{number} {}

  [[nodiscard]] PREFOPT_INLINE V number() const noexcept { return math::constant<V>(static_cast<double>(number_)); }
  [[nodiscard]] PREFOPT_INLINE V score() const noexcept { return V(columns_->score[offset_]); }
  [[nodiscard]] PREFOPT_INLINE V reward() const noexcept { return V(columns_->reward[offset_]); }
  [[nodiscard]] PREFOPT_INLINE V target() const noexcept { return V(columns_->target[offset_]); }
  [[nodiscard]] PREFOPT_INLINE V gradient() const noexcept { return V(columns_->gradient[offset_]); }
  PREFOPT_INLINE void set_gradient(V const& x) const noexcept { columns_->gradient[offset_] = detail::first_lane(x); }
  template <std::size_t I>
  [[nodiscard]] PREFOPT_INLINE V kept() const noexcept {
    return V(columns_->slots[I][offset_]);
  }
  template <std::size_t I>
  PREFOPT_INLINE void keep(V const& x) const noexcept {
    columns_->slots[I][offset_] = detail::first_lane(x);
  }
  [[nodiscard]] PREFOPT_INLINE V load(T const* column) const noexcept { return V(column[offset_]); }
  PREFOPT_INLINE void store(V const& x, T* column) const noexcept { column[offset_] = detail::first_lane(x); }

 private:
  detail::candidate_columns<T> const* columns_;
  std::size_t offset_, number_;
};

/// The largest of some values and the candidate that it belongs to, the first of equals.
template <lane V>
struct highest_of {
  V value, number;
};

/// A group of candidates, or a run of neighbours in one.
///     V       what a value a group is: lanes of groups, or the same value in every lane for a spread group
///     Spread  the lanes hold neighbours of one group
template <lane V, class T, bool Spread>
class candidate_group {
  static constexpr std::size_t lanes = detail::lanes_of<V>();
  /// From one candidate to the next in every column.
  static constexpr std::size_t step = Spread ? 1 : lanes;
  /// A spread group is summed in lanes this far, and then in double.
  static constexpr std::size_t block = 256;

 public:
  using lane_type = V;

  PREFOPT_INLINE candidate_group(detail::candidate_columns<T> const& columns, std::size_t size, bool has_target,
                                 std::size_t first = 0) noexcept
      : columns_{&columns}, size_{size}, first_{first}, has_target_{has_target} {}

  [[nodiscard]] PREFOPT_INLINE std::size_t size() const noexcept { return size_; }
  [[nodiscard]] PREFOPT_INLINE bool has_target() const noexcept { return has_target_; }

  /// The candidates [first, first + count), numbered from 0 again.
  [[nodiscard]] PREFOPT_INLINE candidate_group part(std::size_t first, std::size_t count) const noexcept {
    return {*columns_, count, has_target_, first_ + first * step};
  }
  /// The candidate of part `to` that has the same number as c has in this one.
  [[nodiscard]] PREFOPT_INLINE candidate<V, T> same_in(candidate_group const& to,
                                                       candidate<V, T> const& c) const noexcept {
    std::size_t const offset = to.first_ + (c.offset() - first_);
    if (c.is_partial()) return {*columns_, offset, c.number(), size_};
    return {*columns_, offset, c.number()};
  }

  [[nodiscard]] PREFOPT_INLINE auto at(std::size_t number) const noexcept {
    if constexpr (Spread) {
      return lone_candidate<V, T>{*columns_, first_ + number, number};
    } else {
      return candidate<V, T>{*columns_, first_ + number * step, math::constant<V>(static_cast<double>(number))};
    }
  }

  /// f(candidate) for every candidate.
  template <class F>
  PREFOPT_INLINE void for_each(F const& f) const noexcept {
    for_each_in(0, size_, f);
  }

  /// The sum over the candidates of f(candidate): a value, or an array of several.
  template <class F>
  [[nodiscard]] PREFOPT_INLINE auto sum(F const& f) const noexcept {
    using result = decltype(f(candidate<V, T>{*columns_, 0, V{}}));
    if constexpr (std::same_as<result, V>) {
      return sums<1>([&](candidate<V, T> const& c) PREFOPT_INLINE_LAMBDA { return std::array<V, 1>{f(c)}; })[0];
    } else {
      return sums<std::tuple_size_v<result>>(f);
    }
  }

  /// The largest f(candidate). NaN is left out; of none but NaN it is -inf.
  template <class F>
  [[nodiscard]] PREFOPT_INLINE highest_of<V> highest(F const& f) const noexcept {
    highest_of<V> top{math::constant<V>(-std::numeric_limits<double>::infinity()), math::constant<V>(0)};
    for_each([&](candidate<V, T> const& c) PREFOPT_INLINE_LAMBDA {
      V const x = f(c);
      auto better = x > top.value;
      if constexpr (Spread) {
        if (c.is_partial()) better = better & c.live();
      }
      top.value = math::select(better, x, top.value);
      top.number = math::select(better, c.number(), top.number);
    });
    if constexpr (Spread && lanes > 1) {
      T values[lanes], numbers[lanes];
      top.value.store_unaligned(values);
      top.number.store_unaligned(numbers);
      std::size_t best = 0;
      for (std::size_t i = 1; i < lanes; ++i) {
        if (values[i] > values[best] || (values[i] == values[best] && numbers[i] < numbers[best])) best = i;
      }
      return {V(values[best]), V(numbers[best])};
    } else {
      return top;
    }
  }

  /// state = f(state, candidate) from the first candidate to the last, or back. In a spread group the state is a double
  /// and the candidates come one by one.
  template <class F>
  PREFOPT_INLINE auto from_first(double initial, F const& f) const noexcept {
    auto state = math::constant<state_type>(initial);
    for (std::size_t i = 0; i < size_; ++i) state = f(state, stepped(i));
    return state;
  }
  template <class F>
  PREFOPT_INLINE auto from_last(double initial, F const& f) const noexcept {
    auto state = math::constant<state_type>(initial);
    for (std::size_t i = size_; i-- > 0;) state = f(state, stepped(i));
    return state;
  }

 private:
  using state_type = std::conditional_t<Spread, double, V>;

  [[nodiscard]] PREFOPT_INLINE candidate<state_type, T> stepped(std::size_t number) const noexcept {
    return {*columns_, first_ + number * step, math::constant<state_type>(static_cast<double>(number))};
  }

  template <class F>
  PREFOPT_INLINE void for_each_in(std::size_t begin, std::size_t end, F const& f) const noexcept {
    if constexpr (Spread && lanes > 1) {
      V const numbers = detail::lane_numbers<T, typename V::arch_type>();
      for (std::size_t i = begin; i < end; i += lanes) {
        V const number = numbers + V(static_cast<T>(i));
        if (i + lanes <= size_) {
          f(candidate<V, T>{*columns_, first_ + i, number});
        } else {
          f(candidate<V, T>{*columns_, first_ + i, number, size_});
        }
      }
    } else {
      V const one = math::constant<V>(1);
      V number = math::constant<V>(static_cast<double>(begin));
      for (std::size_t i = begin; i < end; ++i, number = number + one) {
        f(candidate<V, T>{*columns_, first_ + i * step, number});
      }
    }
  }

  template <std::size_t N, class F>
  PREFOPT_INLINE std::array<V, N> sums(F const& f) const noexcept {
    auto const over = [&](std::size_t begin, std::size_t end) PREFOPT_INLINE_LAMBDA {
      std::array<V, N> sum;
      for (auto& x : sum) x = math::constant<V>(0);
      for_each_in(begin, end, [&](candidate<V, T> const& c) PREFOPT_INLINE_LAMBDA {
        auto const terms = f(c);
        for (std::size_t i = 0; i < N; ++i) {
          V x = terms[i];
          if constexpr (Spread && lanes > 1) {
            if (c.is_partial()) x = xsimd::select(c.live(), x, V(T(0)));
          }
          sum[i] = sum[i] + x;
        }
      });
      return sum;
    };
    if constexpr (Spread && lanes > 1) {
      std::array<double, N> total{};
      for (std::size_t begin = 0; begin < size_; begin += block) {
        auto const sum = over(begin, std::min(size_, begin + block));
        for (std::size_t i = 0; i < N; ++i) total[i] += static_cast<double>(detail::sum_of_lanes(sum[i]));
      }
      std::array<V, N> result;
      for (std::size_t i = 0; i < N; ++i) result[i] = V(static_cast<T>(total[i]));
      return result;
    } else {
      return over(0, size_);
    }
  }

  detail::candidate_columns<T> const* columns_;
  std::size_t size_, first_;
  bool has_target_;
};

}  // namespace prefopt::inline PREFOPT_ABI
