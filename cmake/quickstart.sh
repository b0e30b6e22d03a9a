#!/usr/bin/env bash
# From a fresh checkout to a trained policy: installs what is missing, builds the programs, trains on the bundled
# preferences. Arguments go to prefopt_train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh

install_missing_packages "${program_packages[@]}"
# Another compiler may warn of what ours do not.
cmake -S . -B build -DPREFOPT_BUILD_TESTS=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_WARNINGS_AS_ERRORS=OFF
cmake --build build --parallel "$(nproc)" --target prefopt_train prefopt_score prefopt_rank
exec build/examples/train/prefopt_train "$@"
