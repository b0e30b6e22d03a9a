#include "reference_log_probs.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "input_error.hpp"
#include "run_program.hpp"

std::vector<double> reference_log_probs(std::string const& path, candidate_list const& candidates,
                                        prefopt::data_checksum const& data, ranks const& all,
                                        std::function<void(std::span<double>)> const& compute) {
  std::vector<double> logp(candidates.all().size());
  double is_there = 0;
  all.together([&] {
    if (!all.is_first() || !std::filesystem::exists(path)) return;
    is_there = 1;
    try {
      prefopt::list_reference_file<double> const file{path, data};
      bool const fits = std::ranges::equal(file.offsets(), candidates.offsets());
      if (!fits) throw error_at(path, 0, "", "has log-probs of other groups, expected those of this run");
      std::ranges::copy(file.logp(), logp.begin());
    } catch (std::invalid_argument const& error) {
      throw input_error{
          std::string{without_library_name(error.what())} +
          "; remove it to have the reference of this model and data computed, or name another --reference"};
    }
  });
  all.sum({&is_there, 1});
  if (is_there == 0) compute(logp);
  all.sum(logp);
  if (is_there == 0) {
    all.together([&] {
      if (all.is_first()) prefopt::write_list_reference_file<double>(path, logp, candidates.offsets(), data);
    });
  }
  return logp;
}
