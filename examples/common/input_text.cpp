#include "input_text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "input_error.hpp"

input_text read_input(std::string const& path) {
  struct closer {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  input_text text{path == "-" ? "<stdin>" : path, {}};
  std::unique_ptr<std::FILE, closer> const file{path == "-" ? stdin : std::fopen(path.c_str(), "rb")};
  if (!file) throw error_at(text.file, 0, {}, std::string{"cannot open: "} + std::strerror(errno));
  char block[1 << 16];
  while (std::size_t const got = std::fread(block, 1, sizeof block, file.get())) text.content.append(block, got);
  if (std::ferror(file.get())) throw error_at(text.file, 0, {}, std::string{"cannot read: "} + std::strerror(errno));
  return text;
}
