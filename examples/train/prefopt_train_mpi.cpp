#include <chrono>
#include <cstdio>
#include <prefopt/adapter/mpi.hpp>
#include <span>
#include <string>
#include <thread>

#include "run_program.hpp"
#include "run_training.hpp"
#include "standard_output.hpp"

// prefopt_train with the records of every batch divided among the ranks: mpirun -n 4 prefopt_train_mpi --out run

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

int run(int argc, char** argv) {
  prefopt::mpi_sum const over_ranks;
  clock_type::time_point began{};
  double in_sums = 0;
  auto const sum = [&](std::span<double> values) {
    auto const begin = clock_type::now();
    over_ranks(values);
    if (began == clock_type::time_point{})
      began = clock_type::now();  // the data are read
    else
      in_sums += seconds_since(begin);
  };
  ranks const all{static_cast<std::size_t>(over_ranks.rank()), static_cast<std::size_t>(over_ranks.ranks()), sum};
  // One table and one help are enough.
  if (!all.is_first() && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;

  std::string const name = "prefopt_train_mpi: rank " + std::to_string(all.rank);
  int const status = run_program(name.c_str(), [&] {
    try {
      return run_training(argc, argv, all);
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

}  // namespace

int main(int argc, char** argv) {
  hold_places_of_closed_streams();  // before MPI opens its own
  MPI_Init(&argc, &argv);
  int const status = run(argc, argv);
  if (status != 0) {
    // The others wait for this rank's next sum. Those that fail together with it have the time to tell why.
    std::this_thread::sleep_for(std::chrono::seconds{1});
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  MPI_Finalize();
  return 0;
}
