#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <span>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

/// Adds up over the ranks of an MPI communicator, in place: `{.all_reduce = sum}` among the options, or
/// `annotator_reliability::update(sum)`. Collective: every rank calls as often. Throws std::invalid_argument with MPI's
/// own message where the communicator returns errors (MPI_ERRORS_RETURN); by default MPI ends the program itself.
class mpi_sum {
 public:
  explicit mpi_sum(MPI_Comm communicator = MPI_COMM_WORLD) noexcept : communicator_{communicator} {}

  void operator()(std::span<double> values) const {
    constexpr std::size_t most = std::numeric_limits<int>::max();
    for (std::size_t begin = 0; begin < values.size(); begin += most) {
      auto const part = values.subspan(begin, std::min(most, values.size() - begin));
      check(
          MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_DOUBLE, MPI_SUM, communicator_));
    }
  }

  [[nodiscard]] int rank() const {
    int rank = 0;
    check(MPI_Comm_rank(communicator_, &rank));
    return rank;
  }

  [[nodiscard]] int ranks() const {
    int ranks = 1;
    check(MPI_Comm_size(communicator_, &ranks));
    return ranks;
  }

 private:
  static void check(int status) {
    if (status == MPI_SUCCESS) return;
    char message[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(status, message, &length);
    detail::fail("mpi_sum", std::string{message, static_cast<std::size_t>(length)});
  }

  MPI_Comm communicator_;
};

}  // namespace prefopt::inline PREFOPT_ABI
