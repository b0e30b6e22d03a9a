#pragma once

#include <chrono>
#include <cstdio>
#include <prefopt/adapter/mpi.hpp>
#include <span>
#include <string>
#include <thread>

#include "ranks.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"

/// Runs a program's body on every rank, body(ranks), as run_program does. The first rank alone has a standard output, and
/// tells in the end how long sums took.
template <class Body>
int run_over_ranks(char const* program, Body const& body) {
  using clock_type = std::chrono::steady_clock;
  auto const seconds_since = [](clock_type::time_point begin) {
    return std::chrono::duration<double>(clock_type::now() - begin).count();
  };
  prefopt::mpi_sum const over_ranks;
  clock_type::time_point began{};
  double in_sums = 0;
  auto const sum = [&](std::span<double> values) {
    auto const begin = clock_type::now();
    over_ranks(values);
    if (began == clock_type::time_point{})
      began = clock_type::now();  // the options, and the data, are read
    else
      in_sums += seconds_since(begin);
  };
  ranks const all{static_cast<std::size_t>(over_ranks.rank()), static_cast<std::size_t>(over_ranks.ranks()), sum};
  // One table and one help are enough.
  if (!all.is_first() && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;

  std::string const name = program + (": rank " + std::to_string(all.rank));
  int const status = run_program(name.c_str(), [&] {
    try {
      return body(all);
    } catch (told_elsewhere const&) {
      return 2;
    }
  });
  if (status == 0 && all.is_first() && in_sums > 0) {
    std::fprintf(stderr, "%zu ranks: %.2f s, of which %.2f s in sums over ranks\n", all.count, seconds_since(began),
                 in_sums);
  }
  return status;
}

/// The main of such a program.
template <class Body>
int mpi_program(int argc, char** argv, char const* name, Body const& body) {
  hold_places_of_closed_streams();  // before MPI opens its own
  MPI_Init(&argc, &argv);
  int const status = run_over_ranks(name, [&](ranks const& all) { return body(argc, argv, all); });
  if (status != 0) {
    // The others wait for this rank's next sum. Those that fail together with it have the time to tell why.
    std::this_thread::sleep_for(std::chrono::seconds{1});
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  MPI_Finalize();
  return 0;
}
