#!/usr/bin/env bash
# The whole test suite from a fresh checkout: installs what is missing, builds and tests everything with g++; then the
# library's own tests again with clang under the address and undefined-behaviour sanitizers. The files of a program are
# compiled together, which takes less time.
#   cmake/test.sh          all of it
#   cmake/test.sh NAME     one part, with g++: a folder of tests (engine, chain, build, readme, …) or of examples
#                          (train, score, …), bench, or a host (torch, dlib, ggml, mpi)
# What is left out for want of a host is said at the end; cmake/test_ggml.sh and cmake/test_checkouts.sh test what calls ggml,
# llm.c, RLtools and ensmallen against real ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/packages.sh
source cmake/packages.sh
case "${1:-}" in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ]; then
  echo "cmake/test.sh: got $# arguments, expected none or the name of one part" >&2
  exit 2
fi
if [ $# -eq 1 ] && ! compgen -G "tests/$1/" >/dev/null && ! compgen -G "tests/host_$1/" >/dev/null &&
  ! compgen -G "examples/$1/" >/dev/null && [ "$1" != bench ]; then
  echo "cmake/test.sh: there is no part \"$1\", expected one of" \
    "$(cd tests && ls -d -- */ | tr -d / | sed 's/^host_//' | tr '\n' ' ')$(cd examples && ls -d -- */ | tr -d / | tr '\n' ' ')bench" >&2
  exit 2
fi

install_missing_packages "${program_packages[@]}" "${test_packages[@]}" "${host_packages[@]}"
jobs=$(nproc)

configure() { # configure NAME CMAKE-ARGUMENT...
  local name=$1
  shift
  echo "== $name"
  cmake -S . -B "build-$name" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 "$@" \
    >"build-$name.log" 2>&1 || { cat "build-$name.log"; return 1; }
}

leg() { # leg NAME CMAKE-ARGUMENT...
  configure "$@"
  cmake --build "build-$1" --parallel "$jobs"
  ctest --test-dir "build-$1" --parallel "$jobs" --output-on-failure
}

# What is not there on this machine, of the hosts for the most part, and so was not tested.
tell_what_is_left_out() { # tell_what_is_left_out LOG...
  local left_out
  left_out=$(sed -nE 's/^-- prefopt: (.*(left out|not (tested|compiled)).*)/  \1/p' "$@" | sort -u)
  [ -z "$left_out" ] || printf 'Not tested:\n%s\n' "$left_out"
}

# What the numbers come from, the kernels and the functions of vectors, is optimized more all the same.
gcc_leg=(gcc -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG")

if [ $# -eq 1 ]; then
  configure "${gcc_leg[@]}"
  for folder in "tests/$1" "tests/host_$1" "examples/$1" "$1"; do
    if [ -f "$folder/CMakeLists.txt" ]; then
      make -C "build-gcc/$folder" -j "$jobs"
      ctest --test-dir "build-gcc/$folder" --parallel "$jobs" --output-on-failure --no-tests=error
    elif [ -d "$folder" ] && [ "$folder" = "tests/$1" ]; then
      targets=$(make -C build-gcc help | grep -oE "test_$1(_native|_sse2|_avx2)?$" || true)
      if [ -z "$targets" ]; then
        echo "cmake/test.sh: the files of $folder are part of another program: cmake/test.sh kernels" >&2
        exit 2
      fi
      # shellcheck disable=SC2086  # one word a target
      cmake --build build-gcc --parallel "$jobs" --target $targets
      ctest --test-dir build-gcc --parallel "$jobs" --output-on-failure --no-tests=error -R "^test_$1(_native|_sse2|_avx2)?(: |\$)"
    fi
  done
  tell_what_is_left_out build-gcc.log
  exit
fi

rm -f build-*.log
leg "${gcc_leg[@]}"
leg clang-sanitized -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DPREFOPT_BUILD_EXAMPLES=OFF \
  -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF -DPREFOPT_TEST_STANDALONE=OFF \
  "-DCMAKE_CXX_FLAGS=-O0 -fsanitize=address,undefined -fno-sanitize-recover=all"
tell_what_is_left_out build-gcc.log build-clang-sanitized.log
echo "All tests passed."
