#!/usr/bin/env bash
# OpenBLAS 0.3.34 (scipy-openblas32 0.3.34.481.3): cblas_dsdot of 32 floats adds them up in float.
#
# dsdot and sdsdot are there for one thing: the products of floats in double, where they are exact, and their sum in double.
# One expects an error of about 1e-16 of the products, and 2^-24 of (1 + 2^-12)^2 - (1 + 2^-11). On Nehalem, Haswell,
# Zen, Skylake-X and their like 32 at a time go through sdot's kernel: each product is rounded to float, and so is their sum;
# only the sums of 32 are added in double. What is left over, up to 31, is added in double, and so is everything if the
# stride isn't 1: the same two products among 31 numbers or with a stride of 2 are 2^-24, among 32 with a stride of 1 they
# are 0. The kernel for older processors has a loop in double. A norm, a sum of log-ratios or a check of a gradient by dsdot
# is right to float's digits, then. ddot of the numbers as doubles is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy-openblas32==0.3.34.481.3 numpy==2.3.3
cat >"$folder/dot.py" <<'PYTHON'
import ctypes
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy
import scipy_openblas32

library = ctypes.CDLL(Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True))
library.scipy_openblas_get_corename.restype = ctypes.c_char_p
pointer = ctypes.POINTER(ctypes.c_float)
library.scipy_cblas_dsdot.argtypes = [ctypes.c_int, pointer, ctypes.c_int, pointer, ctypes.c_int]
library.scipy_cblas_dsdot.restype = ctypes.c_double
library.scipy_cblas_sdsdot.argtypes = [ctypes.c_int, ctypes.c_float, pointer, ctypes.c_int, pointer, ctypes.c_int]
library.scipy_cblas_sdsdot.restype = ctypes.c_float


def dsdot(x, y, stride=1):
    spread = [numpy.repeat(v, stride).ctypes.data_as(pointer) for v in (x, y)]
    return library.scipy_cblas_dsdot(len(x), spread[0], stride, spread[1], stride)


def sdsdot(x, y):
    return library.scipy_cblas_sdsdot(len(x), 0, x.ctypes.data_as(pointer), 1, y.ctypes.data_as(pointer), 1)


def exact(x, y):
    return float(sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, y)))


def two_products(count):
    x, y = numpy.zeros((2, count), numpy.float32)
    x[:2], y[:2] = (1 + 2**-12, 1 + 2**-11), (1 + 2**-12, -1)
    return x, y


core = library.scipy_openblas_get_corename().decode()
print(f"scipy-openblas32 {version('scipy-openblas32')}, {core}:", end=" ")
in_float = core not in ("Katmai", "Prescott", "Core2")
few, many = two_products(31), two_products(32)
assert exact(*many) == exact(*few) == 2**-24
print(f"of 31 numbers dsdot {dsdot(*few)}, of 32 {dsdot(*many)}, with a stride of 2 {dsdot(*many, 2)}; sdsdot {sdsdot(*many)};", end=" ")
assert dsdot(*few) == dsdot(*many, 2) == 2**-24
assert dsdot(*many) == sdsdot(*many) == (0 if in_float else 2**-24)

generator = numpy.random.default_rng(0)
errors = {1: [], 2: []}
for _ in range(50):
    x, y = generator.random((2, 4096), numpy.float32)
    for stride in errors:
        errors[stride].append(abs(dsdot(x, y, stride) / exact(x, y) - 1))
worst, strided = max(errors[1]), max(errors[2])
print(f"of 4096 it is off by {'more than 1e-9' if worst > 1e-9 else 'less than 1e-14'}, with a stride of 2 by less than 1e-14")
assert strided < 1e-14 and (1e-9 < worst < 1e-7 if in_float else worst < 1e-14)
PYTHON
# The kernels of other processors than this one, as far as it has their instructions.
for core in Prescott Nehalem Haswell:avx2 SkylakeX:avx512dq; do
  [[ $core != *:* ]] || grep -qw "${core#*:}" /proc/cpuinfo || continue
  if ! OPENBLAS_CORETYPE=${core%:*} "$folder/venv/bin/python" "$folder/dot.py"; then
    echo "OpenBLAS 0.3.34 does something else than is said here" >&2
    exit 1
  fi
done
# Seen:
#   scipy-openblas32 0.3.34.481.3, Katmai: of 31 numbers dsdot 5.960464477539063e-08, of 32 5.960464477539063e-08, with a stride of 2 5.960464477539063e-08; sdsdot 5.960464477539063e-08; of 4096 it is off by less than 1e-14, with a stride of 2 by less than 1e-14
#   scipy-openblas32 0.3.34.481.3, Nehalem: of 31 numbers dsdot 5.960464477539063e-08, of 32 0.0, with a stride of 2 5.960464477539063e-08; sdsdot 0.0; of 4096 it is off by more than 1e-9, with a stride of 2 by less than 1e-14
#   scipy-openblas32 0.3.34.481.3, Haswell: of 31 numbers dsdot 5.960464477539063e-08, of 32 0.0, with a stride of 2 5.960464477539063e-08; sdsdot 0.0; of 4096 it is off by more than 1e-9, with a stride of 2 by less than 1e-14
#   scipy-openblas32 0.3.34.481.3, SkylakeX: of 31 numbers dsdot 5.960464477539063e-08, of 32 0.0, with a stride of 2 5.960464477539063e-08; sdsdot 0.0; of 4096 it is off by more than 1e-9, with a stride of 2 by less than 1e-14
