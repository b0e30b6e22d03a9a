#include "data_fields.hpp"

#include <string_view>

#include "input_error.hpp"

namespace {

void append(std::string& list, std::string_view name) { list.append(list.empty() ? "" : ", ").append(name); }

}  // namespace

void check_fields(preference_set const& data, std::string const& path, prefopt::any_pair_loss const& loss) {
  if (loss.needs(prefopt::columns::label) && !data.has_label) {
    throw at(path, 0, "label", "is in no record, and " + loss.name() + " needs it");
  }
}

std::vector<std::string> unread_fields(preference_set const& data, prefopt::any_pair_loss const& loss) {
  std::vector<std::string> notes;
  std::string unread, unknown;
  if (data.has_margin && !loss.reads(prefopt::columns::margin)) append(unread, "margin");
  if (data.has_label && !loss.reads(prefopt::columns::label)) append(unread, "label");
  if (data.has_annotator && !loss.reads(prefopt::columns::reliability)) append(unread, "annotator");
  for (auto const& field : data.unknown_fields) append(unknown, field);
  if (!unread.empty()) notes.push_back("note: " + loss.name() + " does not read these fields: " + unread);
  if (!unknown.empty()) notes.push_back("note: prefopt_train does not know these fields: " + unknown);
  return notes;
}
