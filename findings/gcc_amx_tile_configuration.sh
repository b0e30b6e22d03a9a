#!/usr/bin/env bash
# g++ 12.2.0 (g++-12 12.2.0-14+deb12u1 of Debian 12): of a local tile configuration, what is stored is 16 bytes of 64.
#
# One expects _tile_loadconfig(&tiles) to read what LDTILECFG reads, 64 bytes: the palette, then the bytes of a row and the
# number of rows of each tile. In this version's header it is a line of assembler whose operand has the size of a pointer.
# The optimizer therefore takes stores to all but the first bytes for dead, from -O2 on: the function below no longer
# writes a single row, while the same text with a barrier for memory before the intrinsic writes them all. What the
# instruction reads is then what lay on the stack. ggml 0.25.3 configures its tiles from a local variable: built by this
# compiler for a processor with AMX, its quantized products end in a signal. clang 14 writes all 64 bytes, and in
# Debian's g++ 13.3 the header has a builtin instead. Nothing is run here but compilers, so no AMX is needed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "this is about x86-64" >&2; exit 77; }
version=12.2.0-14+deb12u1
apt-get download -qq -o APT::Sandbox::User=root "g++-12=$version" "libgcc-12-dev=$version"
for package in ./*.deb; do dpkg -x "$package" gcc; done
cat >tiles.cpp <<'CPP'
#include <immintrin.h>

struct alignas(64) tile_configuration {
  unsigned char palette, start_row, reserved[14];
  unsigned short bytes_a_row[16];
  unsigned char rows[16];
};

void configure() {
  tile_configuration tiles = {};
  tiles.palette = 1;
  for (int i = 0; i < 8; ++i) {
    tiles.bytes_a_row[i] = 64;
    tiles.rows[i] = 13;
  }
#ifdef BARRIER
  asm volatile("" : : "r"(&tiles) : "memory");
#endif
  _tile_loadconfig(&tiles);
}
CPP
of_gcc=$folder/gcc/usr/lib/gcc/x86_64-linux-gnu/12
compile() { # compile OPTION...: the function's instructions
  "$of_gcc/cc1plus" -quiet -imultiarch x86_64-linux-gnu -O2 -mamx-tile -isystem "$of_gcc/include" "$@" tiles.cpp -o - | grep -P '^\t[a-z]'
}
# Eight times the byte 13, which is what all eight rows are together.
rows=940422246894996749
said="$(printf 'as it is: %d, with a barrier: %d' "$(compile | grep -c -- "$rows" || true)" "$(compile -DBARRIER | grep -c -- "$rows" || true)")
$(compile | grep -P '\tmov.*\(%rsp\)$')"
echo "$said"
# shellcheck disable=SC2016
if [ "$said" != 'as it is: 0, with a barrier: 1
	movaps	%xmm0, -64(%rsp)
	movb	$1, -64(%rsp)' ]; then
  echo "g++ 12.2.0 does something else than is said here" >&2
  exit 1
fi
# Seen: how often the rows are in the code, then all stores to the configuration as it is.
#   as it is: 0, with a barrier: 1
#   	movaps	%xmm0, -64(%rsp)
#   	movb	$1, -64(%rsp)
