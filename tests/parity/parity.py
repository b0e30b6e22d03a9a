"""Holds the losses of installed packages against ours. A table on standard output, status 1 if a line of it is not as
stated: parity.py MODULE..., each with a compare_all()."""

import importlib
import itertools
import logging
import os
import sys
import warnings
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import agreement  # noqa: E402

DISTRIBUTIONS = {"TRL": "trl", "Liger": "liger-kernel", "OpenRLHF": "openrlhf"}


def main():
    for name in sys.argv[1:]:
        importlib.import_module(name).compare_all()
    torch = version("torch")
    for package, lines in itertools.groupby(sorted(agreement.LINES, key=lambda line: line.package), lambda line: line.package):
        with_torch = "" if package in ("choix", "arena-rank") else f", torch {torch}"
        print(f"### {package} {version(DISTRIBUTIONS.get(package, package))}{with_torch}\n")
        print("| theirs | prefopt_score, prefopt_rank | difference of value, gradient | another number at | because |")
        print("|---|---|---|---|---|")
        for line in lines:
            print(line.text())
        print()
    unexpected = [line for line in agreement.LINES if not line.as_stated()]
    for line in unexpected:
        print(f"not as stated: {line}", file=sys.stderr)
    print(f"{len(agreement.LINES)} lines, {len(unexpected)} not as stated", file=sys.stderr)
    return bool(unexpected)


sys.exit(main())
