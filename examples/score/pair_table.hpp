#pragma once

#include <cstddef>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <vector>

#include "csv_table.hpp"
#include "score_command.hpp"

/// The columns of a pair_batch, owned.
template <class T>
struct pair_table {
  std::vector<T> chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, weight, margin, label,
      reliability;
  std::vector<std::string> annotator;  ///< empty without that column

  std::size_t size() const { return chosen.size(); }
  prefopt::pair_batch<T> batch() const {
    return {.chosen = chosen,
            .rejected = rejected,
            .ref_chosen = ref_chosen,
            .ref_rejected = ref_rejected,
            .chosen_length = chosen_length,
            .rejected_length = rejected_length,
            .weight = weight,
            .margin = margin,
            .label = label,
            .reliability = reliability};
  }
};

/// Reads all rows of the file, T being float or double. Every column has to be one that the loss reads (or one that the
/// command ignores), and every value one that it can take; what is not throws an input_error.
template <class T>
pair_table<T> read_pairs(csv_table& file, prefopt::any_pair_loss const& loss, score_command const& command);
