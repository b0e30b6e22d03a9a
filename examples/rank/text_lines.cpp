#include "text_lines.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace {

std::string read_whole(std::string const& path, std::string const& shown_as) {
  struct closer {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  std::unique_ptr<std::FILE, closer> const file{path == "-" ? stdin : std::fopen(path.c_str(), "rb")};
  if (!file) throw at(shown_as, 0, {}, std::string{"cannot open: "} + std::strerror(errno));
  std::string content;
  char block[1 << 16];
  while (std::size_t const got = std::fread(block, 1, sizeof block, file.get())) content.append(block, got);
  if (std::ferror(file.get())) throw at(shown_as, 0, {}, std::string{"cannot read: "} + std::strerror(errno));
  return content;
}

}  // namespace

text_lines::text_lines(std::string const& path)
    : file_{path == "-" ? "<stdin>" : path}, content_{read_whole(path, file_)} {
  std::string_view rest{content_};
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view const text = rest.substr(0, rest.find_first_of("\r\n"));
    rest.remove_prefix(text.size());
    rest.remove_prefix(rest.starts_with("\r\n") ? 2 : rest.empty() ? 0 : 1);
    if (auto const line = without_blanks_around(text); !line.empty()) lines_.push_back({file_, number, line});
  }
}
