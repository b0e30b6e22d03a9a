#include "unknown_fields.hpp"

#include <algorithm>

#include "name_text.hpp"

namespace {

bool is_one_of(std::string_view field, std::span<std::string_view const> names) {
  return std::ranges::find(names, field) != names.end();
}

bool is_column_of_pairs(std::string_view field) {
  for (std::size_t c = first_further; c < prefopt::pair_family::input_count; ++c) {
    if (field == prefopt::pair_family::inputs<double>[c].name) return true;
  }
  return false;
}

}  // namespace

void unknown_fields::note(record_fields const& record, preference_shape const& shape, preference const& read,
                          preference_reading& reading) {
  for (auto const& [field, value] : record.all().items()) {
    if (field == "weight" || field == "annotator" || is_one_of(field, shape.fields)) continue;
    if (read.is_pair && (is_column_of_pairs(field) || (reading.has_scores && is_score(field)))) continue;
    if (is_one_of(field, shape.spare)) {
      if (!value.is_null() && !value.empty()) reading.out.add(field);
      continue;
    }
    bool const is_of_another = is_column_of_pairs(field) || is_one_of(field, pair_shape.fields) ||
                               is_one_of(field, ranked_shape.fields) || is_one_of(field, completion_shape.fields);
    if ((is_of_another || is_score(field)) && value.is_null())
      continue;  // as a table has it for records of another kind
    std::string const name = name_text(field);
    add(!is_of_another       ? name
        : read.is_pair       ? name + " of a pair"
        : read.is_completion ? name + " of a completion"
                             : name + " of ranked responses");
  }
}

void unknown_fields::add(std::string const& name) {
  constexpr std::size_t most = 50;
  if (seen_.size() > most || !seen_.insert(name).second) return;
  text_.append(text_.empty() ? "" : ", ").append(seen_.size() > most ? "and others" : name);
}
