#include "held_output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "input_error.hpp"
#include "standard_output.hpp"

namespace {

constexpr std::size_t most_in_memory = std::size_t{1} << 24;

std::string folder() {
  char const* const named = std::getenv("TMPDIR");
  return named == nullptr || *named == 0 ? "/tmp" : named;
}

}  // namespace

void held_output::fail(char const* what) {
  throw error_at(folder(), 0, {},
                 std::string{"the results are kept there until all rows are read, and "} + what + ": " +
                     std::strerror(errno) + " (TMPDIR names another folder)");
}

void held_output::append(std::string_view text) {
  text_ += text;
  if (text_.size() > most_in_memory) spill();
}

void held_output::spill() {
  if (!file_) {
    std::string name = folder() + "/prefopt-XXXXXX";
    int const descriptor = mkstemp(name.data());
    if (descriptor < 0) fail("no file can be made");
    unlink(name.c_str());
    file_.reset(fdopen(descriptor, "w+b"));
    if (!file_) fail("no file can be made");
  }
  if (std::fwrite(text_.data(), 1, text_.size(), file_.get()) != text_.size() || std::fflush(file_.get()) != 0) {
    fail("cannot be written");
  }
  text_.clear();
}

void held_output::release() {
  if (file_) {
    std::rewind(file_.get());
    std::vector<char> block(std::size_t{1} << 18);
    while (std::size_t const got = std::fread(block.data(), 1, block.size(), file_.get())) {
      write_standard_output({block.data(), got});
    }
    if (std::ferror(file_.get())) fail("cannot be read");
    file_.reset();
  }
  write_standard_output(text_);
  text_.clear();
}
