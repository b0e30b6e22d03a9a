#include "gnuplot_picture.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "replace_file.hpp"

namespace {

std::string script_of(gnuplot_picture const& picture) {
  std::string const size = std::to_string(picture.width) + ", " + std::to_string(picture.height);
  auto const choose = [&](std::string const& indent, std::string const& terminal, std::string const& ending) {
    return indent + "set terminal " + terminal + " size " + size + "\n" + indent + "set output \"" + picture.name +
           "." + ending + "\"\n";
  };
  return "# " + picture.about + ": gnuplot " + picture.name + ".gnuplot\n" +
         "if (strstrt(GPVAL_TERMINALS, \"pngcairo\")) {\n" + choose("  ", "pngcairo", "png") + "} else {\n" +
         "  if (strstrt(GPVAL_TERMINALS, \"png\")) {\n" + choose("    ", "png", "png") + "  } else {\n" +
         choose("    ", "svg", "svg") + "  }\n}\n" + std::string{picture.commands};
}

constexpr int not_installed = 127;

/// The exit status of gnuplot, run quietly in that directory.
int run_gnuplot(std::string const& directory, std::string const& script) {
  pid_t const child = fork();
  if (child == 0) {
    int const null = open("/dev/null", O_RDWR);
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
    if (chdir(directory.c_str()) == 0) execlp("gnuplot", "gnuplot", script.c_str(), static_cast<char*>(nullptr));
    _exit(not_installed);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

}  // namespace

std::string draw(gnuplot_picture const& picture, std::string const& directory) {
  std::filesystem::path const folder{directory};
  std::string const script = picture.name + ".gnuplot", failed = "no picture of the " + picture.name + ": ";
  replace_file((folder / script).string(), script_of(picture));
  int const status = run_gnuplot(directory, script);
  if (status == not_installed) return failed + "gnuplot is not installed (" + picture.data + " has the numbers)";
  for (auto const* ending : {".png", ".svg"}) {
    auto const drawn = folder / (picture.name + ending);
    if (status == 0 && std::filesystem::exists(drawn)) return picture.name + ": " + drawn.string();
    std::error_code error;
    if (status != 0) std::filesystem::remove(drawn, error);  // may be begun
  }
  if (status != 0) return failed + "gnuplot failed on " + (folder / script).string();
  return failed + "gnuplot wrote none";
}
