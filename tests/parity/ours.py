"""prefopt's numbers: what prefopt_score and prefopt_rank print."""

import csv
import io
import os
import re
import subprocess

import numpy


def run(program, arguments, text):
    """Standard output and standard error of a program of ours, an error if it refuses."""
    done = subprocess.run([os.environ[program], *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr}")
    return done.stdout, done.stderr


def table(columns):
    names = list(columns)
    rows = zip(*(numpy.asarray(columns[name]).tolist() for name in names))
    return "\n".join([",".join(names), *(",".join(repr(cell) for cell in row) for row in rows)]) + "\n"


def score(arguments, columns):
    """Columns of the result by name, as arrays; `total` of tokens."""
    output, summary = run("PREFOPT_SCORE", ["--non-finite", "propagate", *arguments], table(columns))
    rows = list(csv.DictReader(io.StringIO(output)))
    result = {name: numpy.array([float(row[name]) for row in rows]) for name in rows[0]}
    total = re.search(r"^total +(\S+)$", summary, re.MULTILINE)
    if total:
        result["total"] = float(total[1])
    return result


def advantages(arguments, columns):
    output, _ = run("PREFOPT_SCORE", ["--advantages", *arguments], table(columns))
    return numpy.array([float(line) for line in output.split()[1:]])


def worths(arguments, text):
    """Of each item, by its name."""
    output, _ = run("PREFOPT_RANK", arguments, text)
    rows = csv.DictReader(line for line in output.splitlines() if not line.startswith("#"))
    return {row["item"]: float(row["worth"]) for row in rows}
