#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/core/callable.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class Run, class Executor>
concept runs_parts = !std::same_as<std::remove_cvref_t<Run>, Executor> &&
                     std::invocable<Run&, std::size_t, typename Executor::task const&>;

}  // namespace detail

/// How the independent parts of one call are run: one after the other by default, or by a callable of the host's,
/// `run(parts, task)`, which must call `task(i)` exactly once for every i in [0, parts), on any threads, and return
/// when all are done. Results do not depend on it, bit for bit. Refers to the callable and must not outlive it.
class executor {
 public:
  /// One part of the work. noexcept: no error can come out of it.
  class task {
   public:
    template <class F>
    explicit task(F const& f) noexcept
        : function_{&f}, call_{[](void const* function, std::size_t i) noexcept {
            (*static_cast<F const*>(function))(i);
          }} {}
    void operator()(std::size_t part) const noexcept { call_(function_, part); }

   private:
    void const* function_;
    void (*call_)(void const*, std::size_t) noexcept;
  };

  executor() = default;

  template <detail::runs_parts<executor> Run>
  executor(Run& run) noexcept
      : run_{detail::address_of(run)}, call_{[](void* function, std::size_t parts, void const* work) {
          detail::callable_at<Run>(function)(parts, *static_cast<task const*>(work));
        }} {}

  void operator()(std::size_t parts, task const& work) const {
    if (call_ == nullptr) {
      for (std::size_t i = 0; i < parts; ++i) work(i);
    } else if (parts != 0) {
      call_(run_, parts, &work);
    }
  }

 private:
  void* run_ = nullptr;
  void (*call_)(void*, std::size_t, void const*) = nullptr;
};

#if defined(_OPENMP)
/// Runs the parts on OpenMP's threads: `{.executor = prefopt::openmp}`.
inline constexpr struct openmp_executor {
  void operator()(std::size_t parts, executor::task const& work) const noexcept {
#pragma omp parallel for schedule(dynamic)
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(parts); ++i) work(static_cast<std::size_t>(i));
  }
} openmp{};
#endif

}  // namespace prefopt::inline PREFOPT_ABI
