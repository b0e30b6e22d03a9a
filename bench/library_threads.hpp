#pragma once

// Libraries that compute with threads of their own. Each is there if what it belongs to is linked.
extern "C" {
[[gnu::weak]] void openblas_set_num_threads(int count);
[[gnu::weak]] void omp_set_num_threads(int count);
}

/// Each of those libraries computes on the thread that calls it.
inline void give_libraries_one_thread() {
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
}
