// prefopt_rank over files of every kind that it reads: rankings, PrefLib's, comparisons and battles, as CSV or JSON. The
// program itself, called in this process.
#include <string>
#include <vector>

#include "in_memory_file.hpp"
#include "program_target.hpp"

#define main prefopt_rank_main
#include "rank/prefopt_rank.cpp"
#undef main

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  if (size == 0) return 0;
  static std::vector<std::vector<std::string>> const options{{},
                                                             {"--ties", "davidson"},
                                                             {"--ties", "half", "--prior", "ghost"},
                                                             {"--rankings", "--prior", "normal:2"},
                                                             {"--rankings", "--unnamed", "last", "--prior", "ghost"},
                                                             {"--scale", "elo", "--prior", "ghost"},
                                                             {"--by", "category", "--ties", "rao-kupper"}};
  std::vector<std::string> arguments{"prefopt_rank"};
  auto const& chosen = options[data[0] % options.size()];
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  arguments.push_back(file.with({reinterpret_cast<char const*>(data) + 1, size - 1}));
  run_program_with(prefopt_rank_main, arguments);
  return 0;
}
