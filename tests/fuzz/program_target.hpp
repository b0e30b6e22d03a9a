#pragma once

#include <fcntl.h>
#include <unistd.h>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_input.hpp"

/// What programs print goes nowhere, and there is nothing to read on standard input. Standard error stays: what a target
/// has to say goes there. Called at the first input.
inline void close_streams() {
  static bool const is_done = [] {
    int const nowhere = open("/dev/null", O_RDWR);
    promise(nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0,
            "there is a /dev/null");
    close(nowhere);
    return true;
  }();
  static_cast<void>(is_done);
}

/// Standard error goes nowhere while this lives: programs tell their users there what is wrong.
class silence {
 public:
  silence() : kept_{dup(STDERR_FILENO)} {
    static int const nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
  }
  silence(silence const&) = delete;
  silence& operator=(silence const&) = delete;
  ~silence() {
    dup2(kept_, STDERR_FILENO);
    close(kept_);
  }

 private:
  int kept_;
};

/// A program's main, called in this process. Of what a user gives it may do what it does, 0, or refuse it, 2.
template <class Main>
void run_program_with(Main const& program, std::vector<std::string> arguments) {
  close_streams();
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int status = 0;
  {
    silence const quiet;
    status = program(static_cast<int>(arguments.size()), pointers.data());
  }
  if (status == 0 || status == 2) return;
  std::string text;
  for (auto const& argument : arguments) text += ' ' + argument;
  promise(false, "ends with status " + std::to_string(status) + ":" + text);
}
