#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/core/callable.hpp>
#include <span>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Replaces every value by its sum over all ranks: MPI_Allreduce in place, NCCL with a copy, threads with a barrier.
template <class F>
concept sum_all_reduce = std::invocable<F&, std::span<double>>;

namespace detail {

template <class F, class AllReduce>
concept sums_over_ranks = !std::same_as<std::remove_cvref_t<F>, AllReduce> && sum_all_reduce<F>;

}  // namespace detail

/// Refers to a callable that sums over ranks, and must not outlive it; by default there is one rank.
class all_reduce {
 public:
  all_reduce() = default;

  template <detail::sums_over_ranks<all_reduce> F>
  all_reduce(F& sum) noexcept
      : sum_{detail::address_of(sum)}, call_{[](void* function, double* values, std::size_t count) {
          detail::callable_at<F>(function)(std::span<double>{values, count});
        }} {}

  void operator()(std::span<double> values) const {
    if (call_ != nullptr) call_(sum_, values.data(), values.size());
  }

  /// Whether there are other ranks to be told.
  [[nodiscard]] explicit operator bool() const noexcept { return call_ != nullptr; }

 private:
  void* sum_ = nullptr;
  void (*call_)(void*, double*, std::size_t) = nullptr;
};

}  // namespace prefopt::inline PREFOPT_ABI
