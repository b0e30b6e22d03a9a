#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// Something a file says of one thing: its fields by name, and the line where it begins.
struct data_record {
  nlohmann::json fields;
  std::vector<std::string> names;  ///< of the fields, in the file's order
  std::size_t line = 0;
};

/// The records of a file, one after the other. Throws input_error for what is none.
class record_reader {
 public:
  record_reader() = default;
  record_reader(record_reader const&) = delete;
  record_reader& operator=(record_reader const&) = delete;
  virtual ~record_reader() = default;

  virtual bool next(data_record& record) = 0;
};
