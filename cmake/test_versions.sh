#!/usr/bin/env bash
# The library's headers with other compilers and other versions of what it depends on.
set -euo pipefail

usage() {
  cat <<'END'
cmake/test_versions.sh [OPTION]...
With every compiler and every version of xsimd: all headers, a user's file under each set of flags and
warnings, and a program that is run. With --tests also the library's own tests of functions and Eigen.

  --compiler NAME    a compiler; may be repeated (default: every g++, g++-N, clang++ and clang++-N on the path, each once)
  --xsimd FOLDER     an include folder that holds xsimd/; may be repeated (default: what the compiler finds)
  --eigen FOLDER     an include folder that holds Eigen/; may be repeated (default: /usr/include/eigen3)
  --tests            build and run test_simd with each xsimd, test_train with each Eigen (needs CMake and Catch2)
  --build FOLDER     where to build the tests (default: build-versions in the checkout)
  --help             this text

Prints a line for each combination; ends with status 1 if one fails.
END
}

die() {
  echo "test_versions.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=cmake/header_package.sh
source "$checkout/cmake/header_package.sh"
compilers=() xsimds=() eigens=() tests= build=$checkout/build-versions
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --tests) tests=1 ;;
    --compiler | --xsimd | --eigen | --build)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --compiler) compilers+=("$2") ;;
        --xsimd) [ -f "$2/xsimd/xsimd.hpp" ] || die "there is no $2/xsimd/xsimd.hpp"; xsimds+=("$2") ;;
        --eigen) [ -f "$2/Eigen/Core" ] || die "there is no $2/Eigen/Core"; eigens+=("$2") ;;
        --build) build=$2 ;;
      esac
      shift ;;
    *) die "unknown option $1, see --help" ;;
  esac
  shift
done
if [ "${#compilers[@]}" -eq 0 ]; then
  # Each once: g++ is a name for one of the others, too.
  readarray -t compilers < <(compgen -c | grep -Ex '(g|clang)\+\+(-[0-9]+)?' | sort -uV | while read -r name; do
    echo "$(readlink -f "$(command -v "$name")") $name"
  done | sort -u -k 1,1 | cut -d ' ' -f 2 | sort -V)
fi
[ "${#compilers[@]}" -gt 0 ] || die "no g++ or clang++ on the path, see --compiler"
[ "${#eigens[@]}" -gt 0 ] || { [ ! -f /usr/include/eigen3/Eigen/Core ] || eigens=(/usr/include/eigen3); }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
check() { # check NAME COMMAND…: prints a line, and the beginning of what the command said if it fails
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    { grep -m 5 -E 'error|FAILED' "$work/log" || head -n 5 "$work/log"; } | cut -c 1-300 | sed 's/^/        /'
    failures=$((failures + 1))
  fi
}

# What needs a host is tested where the host is.
cd "$checkout/include"
headers=$(find prefopt -name '*.hpp' ! -path '*/adapter/torch.hpp' ! -path '*/adapter/dlib.hpp' ! -path '*/adapter/mpi.hpp' \
  ! -name 'cblas_product.hpp' ! -name 'onednn_product.hpp' ! -path '*/adapter/eigen*.hpp' | sort)
sed 's/.*/#include <&>/' <<<"$headers" >"$work/all.cpp"
printf '#include <prefopt/adapter/eigen.hpp>\n#include <prefopt/adapter/eigen_product.hpp>\n' >"$work/eigen.cpp"
printf '#include <tuple>\nstruct one {};\nauto make() { return std::tuple<one>{one{}}; }\n' >"$work/tuple.cpp"
warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
user=$checkout/tests/build/flags/user.cpp
numbers=$checkout/tests/build/consumer/single_header

version_of() { # version_of INCLUDE-OPTION…: xsimd's
  echo '#include <xsimd/config/xsimd_config.hpp>
version XSIMD_VERSION_MAJOR.XSIMD_VERSION_MINOR' | "${compilers[0]}" "$@" -std=c++20 -xc++ -E -P - | tr -d ' \n' | sed 's/.*version//'
}

runs() { # runs ISA: whether this machine has the instruction set, by its name in /proc/cpuinfo
  [ -z "$1" ] || grep -qw "$1" /proc/cpuinfo 2>/dev/null
}

for compiler in "${compilers[@]}"; do
  command -v "$compiler" >/dev/null || die "there is no $compiler"
  name="$compiler $("$compiler" -dumpfullversion 2>/dev/null || "$compiler" -dumpversion)"
  for xsimd in "${xsimds[@]:-}"; do
    options=(-I "$checkout/include" ${xsimd:+-isystem "$xsimd"})
    with="$name, xsimd $(version_of ${xsimd:+-isystem "$xsimd"})"
    check "$with: all headers" "$compiler" -std=c++20 "${warnings[@]}" "${options[@]}" -fsyntax-only "$work/all.cpp"
    for flags in -std=c++20 -std=c++2b "-std=c++20 -fno-exceptions" "-std=c++20 -fno-rtti" "-std=c++20 -march=x86-64-v3" "-std=c++20 -march=x86-64-v4"; do
      [[ $flags != *x86-64* || $(uname -m) == x86_64 ]] || continue
      # Clang 17 with libstdc++ 14: nothing to do with the library.
      # shellcheck disable=SC2086
      if ! "$compiler" $flags -fsyntax-only "$work/tuple.cpp" 2>/dev/null; then
        echo "skipped $with: a user's file with $flags: this compiler cannot make a std::tuple of one class"
        continue
      fi
      # shellcheck disable=SC2086
      check "$with: a user's file with $flags" "$compiler" $flags "${warnings[@]}" "${options[@]}" -fsyntax-only "$user"
    done
    for march in x86-64 x86-64-v3 x86-64-v4; do
      case $march in *v3) needed=avx2 ;; *v4) needed=avx512vl ;; *) needed= ;; esac
      [ "$(uname -m)" = x86_64 ] && runs "$needed" || continue
      check "$with: a program with -march=$march" sh -ec '"$@" && "$0" | grep -q "^dpo 0x1.498f0"' "$work/program" "$compiler" \
        -std=c++20 -O2 "-march=$march" "${options[@]}" -include prefopt/prefopt.hpp "$numbers/main.cpp" "$numbers/numbers.cpp" -o "$work/program"
    done
    for eigen in "${eigens[@]}"; do
      check "$with: the adapter to Eigen in $eigen" "$compiler" -std=c++20 "${warnings[@]}" "${options[@]}" -isystem "$eigen" \
        -fsyntax-only "$work/eigen.cpp"
    done
  done
done

suite() { # suite NAME TARGET CMAKE-ARGUMENT…: builds and runs one test program
  local folder="$build/$1" target=$2
  shift 2
  cmake -S "$checkout" -B "$folder" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O1 -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF \
    -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF "$@" && cmake --build "$folder" --parallel "$(nproc)" --target "$target" && "$folder/tests/$target"
}
if [ -n "$tests" ]; then
  for compiler in "${compilers[@]}"; do
    for xsimd in "${xsimds[@]:-}"; do
      version=$(version_of ${xsimd:+-isystem "$xsimd"})
      [ -z "$xsimd" ] || header_package "$build/packages-$version" xsimd xsimd "$xsimd/xsimd"
      check "$compiler, xsimd $version: test_simd" suite "$compiler-xsimd-$version" test_simd "-DCMAKE_CXX_COMPILER=$compiler" \
        ${xsimd:+"-Dxsimd_DIR=$build/packages-$version"}
    done
    number=0
    for eigen in "${eigens[@]}"; do
      number=$((number + 1))
      header_package "$build/packages-eigen-$number" Eigen3 Eigen3::Eigen "$eigen/Eigen" "$eigen/unsupported"
      check "$compiler, Eigen in $eigen: test_train" suite "$compiler-eigen-$number" test_train "-DCMAKE_CXX_COMPILER=$compiler" \
        "-DEigen3_DIR=$build/packages-eigen-$number"
    done
  done
fi

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
echo "All combinations passed."
