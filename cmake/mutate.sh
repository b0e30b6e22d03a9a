#!/usr/bin/env bash
# Single-token mutants of the library's headers: each is compiled with the fastest tests that should see it, and at least
# 97 % of those that change the code, and have no reason to survive in tests/mutation/survivors.txt, have to be seen. Hours.
#   cmake/mutate.sh [OPTION]... [HEADER]...    cmake/mutate.sh --help says the rest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case " $* " in
  *" --help "* | *" -h "* | *" --list "* | *" --sum "*) ;;
  *)
    install_missing_packages "${program_packages[@]}" catch2 python3
    # The oracles, and kernels that they are linked with and the mutants are not.
    cmake -S . -B build-mutate -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" -DPREFOPT_BUILD_EXAMPLES=OFF \
      -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_TEST_STANDALONE=OFF -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF \
      >build-mutate.log 2>&1 || { cat build-mutate.log; exit 1; }
    cmake --build build-mutate --parallel "$(nproc)" --target test_oracle >>build-mutate.log 2>&1 || { tail -n 20 build-mutate.log; exit 1; }
    ;;
esac
exec python3 tests/mutation/mutate.py "$@"
