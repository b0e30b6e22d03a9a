#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "byte_source.hpp"

/// A file as it is, or standard input, which need not be a file that one can go back in.
class file_source : public byte_source {
 public:
  /// "-" is standard input.
  explicit file_source(std::string const& path);

  /// What the file begins with, before anything has been read.
  std::string_view begin();
  std::size_t read(std::span<char> buffer) override;

 private:
  struct closer {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };

  std::size_t read_file(std::span<char> buffer);

  std::unique_ptr<std::FILE, closer> file_;
  std::vector<char> begin_;
  std::size_t taken_ = 0;  ///< of begin_
};
