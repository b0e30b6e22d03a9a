#pragma once

#include <ggml.h>

#include <string>

/// While it lives, ggml and llama.cpp write nothing to standard error; their last complaint is kept.
class quiet_ggml {
 public:
  /// `set` is llama_log_set where llama.cpp's library is called, too: it is ggml's, besides.
  explicit quiet_ggml(void (*set)(ggml_log_callback, void*) = ggml_log_set) : set_{set} {
    ggml_log_get(&before_, &before_data_);
    set_(
        [](ggml_log_level level, char const* text, void* self) {
          auto& quiet = *static_cast<quiet_ggml*>(self);
          if (level == GGML_LOG_LEVEL_ERROR) {
            quiet.error_ = text;
          } else if (level == GGML_LOG_LEVEL_CONT && quiet.level_ == GGML_LOG_LEVEL_ERROR) {
            quiet.error_ += text;
          }
          if (level != GGML_LOG_LEVEL_CONT) quiet.level_ = level;
        },
        this);
  }
  quiet_ggml(quiet_ggml const&) = delete;
  quiet_ggml& operator=(quiet_ggml const&) = delete;
  ~quiet_ggml() { set_(before_, before_data_); }

  /// Without the function's name in front and the end of the line; empty if nothing went wrong.
  [[nodiscard]] std::string last_error() const {
    auto const begin = error_.find(": ");
    auto const end = error_.find_last_not_of(" \n");
    if (end == std::string::npos) return "";
    auto const first = begin == std::string::npos || begin > end ? 0 : begin + 2;
    return error_.substr(first, end + 1 - first);
  }

 private:
  void (*set_)(ggml_log_callback, void*);
  ggml_log_callback before_ = nullptr;
  void* before_data_ = nullptr;
  ggml_log_level level_ = GGML_LOG_LEVEL_NONE;
  std::string error_;
};
