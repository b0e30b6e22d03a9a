#pragma once

#include <functional>
#include <prefopt/train/reference_file.hpp>
#include <span>
#include <string>
#include <vector>

#include "candidate_list.hpp"
#include "ranks.hpp"

/// The reference's log-prob of each candidate: from the file, or computed, which fills those of a share and leaves the rest,
/// and written to it. Every rank calls. Throws input_error, on every rank, for a file that is of another model or other data,
/// or damaged, and if it cannot be written.
std::vector<double> reference_log_probs(std::string const& path, candidate_list const& candidates,
                                        prefopt::data_checksum const& data, ranks const& all,
                                        std::function<void(std::span<double>)> const& compute);
