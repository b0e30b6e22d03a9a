#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "command_line.hpp"
#include "preference_file.hpp"
#include "reading_command.hpp"
#include "run_program.hpp"

// For the tests of reading: prints what a file is read as, a JSON object a record.

namespace {

int print(int argc, char** argv) {
  std::string path;
  reading_options reading;
  CLI::App app{"Prints what prefopt_train reads out of a file.", "print_preferences"};
  app.add_option("FILE", path)->required();
  add_reading_options(app, reading);
  if (!parse_command_line(app, argc, argv)) return 0;
  auto const set = read_preferences(path, reading);
  for (auto const& record : set.records) {
    nlohmann::ordered_json const fields{{"prompt", record.prompt},
                                        {"responses", record.responses},
                                        {"rewards", record.rewards},
                                        {"target", record.target},
                                        {"weight", record.weight},
                                        {"margin", record.margin},
                                        {"label", record.label},
                                        {"further", record.further},
                                        {"annotator", set.annotators[record.annotator]},
                                        {"is_pair", record.is_pair},
                                        {"is_completion", record.is_completion}};
    std::printf("%s\n", fields.dump().c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("print_preferences", [&] { return print(argc, argv); });
}
