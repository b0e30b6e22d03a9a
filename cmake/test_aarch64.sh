#!/usr/bin/env bash
# The core suite for 64-bit ARM: cross-compiled, then run under qemu's user mode.
set -euo pipefail

usage() {
  cat <<'END'
cmake/test_aarch64.sh [OPTION]... [FOLDER OF tests/]...
Cross-compiles the tests for 64-bit ARM (NEON) and runs them under qemu. Without folders: the whole core suite.

  --build FOLDER     where to build (default: build-aarch64 in the checkout)
  --jobs N           compilations at once (default: as many as there are processors)
  --flags FLAGS      compile options (default: -O1, which halves the time)
  --xsimd FOLDER     an include folder that holds xsimd/         (default: /usr/include)
  --eigen FOLDER     an include folder that holds Eigen/         (default: /usr/include/eigen3)
  --catch2 FOLDER    an include folder that holds catch2/catch.hpp, Catch2 2.13's single header (default: /usr/include)
  --help             this text

Debian 12: apt-get install g++-aarch64-linux-gnu qemu-user cmake make libxsimd-dev libeigen3-dev catch2
END
}

fail() {
  echo "test_aarch64.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=cmake/header_package.sh
source "$checkout/cmake/header_package.sh"
build=$checkout/build-aarch64 jobs=$(nproc) flags=-O1
xsimd=/usr/include eigen=/usr/include/eigen3 catch2=/usr/include
folders=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --build | --jobs | --flags | --xsimd | --eigen | --catch2)
      [ $# -ge 2 ] || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift ;;
    -*) fail "unknown option $1, see --help" ;;
    *) folders+=("$1") ;;
  esac
  shift
done
[ "${#folders[@]}" -gt 0 ] ||
  folders=(simd view engine list_engine logprob logits chain train ranks adapter golden kernels)

for program in aarch64-linux-gnu-g++ qemu-aarch64 cmake; do
  command -v "$program" >/dev/null || fail "no $program (Debian: g++-aarch64-linux-gnu, qemu-user, cmake)"
done
for header in "$xsimd/xsimd/xsimd.hpp" "$eigen/Eigen/Core" "$eigen/unsupported/Eigen/AutoDiff" "$catch2/catch2/catch.hpp"; do
  [ -f "$header" ] || fail "no $header, see --xsimd, --eigen and --catch2 in --help"
done

# The header-only dependencies by themselves: /usr/include as a whole belongs to the machine that builds. Catch2's main
# is compiled for ARM.
packages=$build/packages
header_package "$packages" xsimd xsimd "$xsimd/xsimd"
header_package "$packages" Eigen3 Eigen3::Eigen "$eigen/Eigen" "$eigen/unsupported"
header_package "$packages" Catch2 Catch2::Catch2WithMain "$catch2/catch2"
scripts=$(find /usr/lib/cmake /usr/share/cmake* -path '*Catch2/Catch.cmake' 2>/dev/null | head -n 1)
[ -n "$scripts" ] || fail "no Catch.cmake (Debian: catch2)"
main=$packages/catch2_main
if [ ! -f "$main.o" ]; then
  printf '#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n' >"$main.cpp"
  aarch64-linux-gnu-g++ -std=c++20 -O1 -isystem "$packages/Catch2" -c "$main.cpp" -o "$main.o.part"
  mv "$main.o.part" "$main.o"
fi
cat >>"$packages/Catch2Config.cmake" <<END
target_link_libraries(Catch2::Catch2WithMain INTERFACE "$main.o")
add_library(Catch2::Catch2 INTERFACE IMPORTED)
target_include_directories(Catch2::Catch2 INTERFACE "$packages/Catch2")
list(APPEND CMAKE_MODULE_PATH "$(dirname "$scripts")")
END

cmake -S "$checkout" -B "$build" --toolchain "$checkout/cmake/aarch64-linux-gnu.cmake" -DCMAKE_BUILD_TYPE=None \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
  "-DCMAKE_CXX_FLAGS=$flags" -DPREFOPT_MARCH= -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF \
  "-Dxsimd_DIR=$packages" "-DEigen3_DIR=$packages" "-DCatch2_DIR=$packages"
SECONDS=0
targets=("${folders[@]/#/test_}")
for folder in "${folders[@]}"; do
  ! compgen -G "$checkout/tests/$folder/native_*.cpp" >/dev/null || targets+=("test_${folder}_native")
done
[[ " ${folders[*]} " != *" kernels "* ]] || targets+=(test_kernels_print test_kernels_refused test_kernels_two_libraries)
cmake --build "$build" --parallel "$jobs" --target "${targets[@]}"
echo "built in $SECONDS s"
SECONDS=0
names=$(IFS='|' && echo "${folders[*]}")
ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --no-tests=error -R "^test_($names)(_native)?(: |\$)|^($names): "
echo "run in $SECONDS s: all passed on $(qemu-aarch64 --version | head -n 1)"
