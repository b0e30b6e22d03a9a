#!/usr/bin/env bash
# ranx 0.3.21, condorcet: a list that names neither of two documents votes for one of them, and which one is chance.
#
# Two lists rank "first" above "second", three others name neither. One expects 2 votes to 0, and "first" above "second". The
# comparison counts the lists with x above y and gives all the rest to y, those that say nothing of the two as well: 2 to 3
# for whichever is compared as y. Which that is comes from the order of a set of strings, and so from Python's hash seed: of
# 40 questions with the same lists and names of their own about half have "second" above "first", and in another process
# they are other ones. weighted_condorcet does the same with weights. Lists of the best few are what is fused as a rule, and
# most of them lack most of the pairs. Where each list names every document both are right; rrf and bordafuse are in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.3 scipy==1.17.1 pandas==2.3.3 numba==0.68.1 cbor2==6.3.0 fastparquet==2026.9.0 ir-datasets==0.6.3 \
  lz4==4.4.5 orjson==3.13.0 rich==15.0.0 seaborn==0.13.2 tabulate==0.10.0 tqdm==4.70.1
"${pip[@]}" --no-deps ranx==0.3.21
cat >"$folder/fuse.py" <<'PYTHON'
from importlib.metadata import version

from ranx import Run
from ranx.fusion import bordafuse, condorcet, rrf, weighted_condorcet

print("ranx", version("ranx"))
questions = [f"question {i}" for i in range(40)]


def runs(lists):
    """A run a list: the same list for each question, with names of its own."""
    return [Run({q: {f"{name} of {q}": float(-i) for i, name in enumerate(names)} for q in questions}) for names in lists]


def wrong(fused):
    """The questions whose "second" is scored above "first"."""
    return [q for q, scores in fused.to_dict().items() if scores[f"first of {q}"] <= scores[f"second of {q}"]]


def votes(lists, x, y):
    """How many lists have x above y; a document that a list does not name is below those that it names."""
    return sum(x in names and (y not in names or names.index(x) < names.index(y)) for names in lists)


some = [["first", "second"], ["first", "second"], ["other"], ["other"], ["other"]]
whole = [["first", "second", "other"], ["first", "second", "other"], *[["other", "first", "second"]] * 3]
for lists in (some, whole):
    print("votes", votes(lists, "first", "second"), "to", votes(lists, "second", "first"), "in", lists)
    assert votes(lists, "first", "second") > 0 == votes(lists, "second", "first")
seen = {
    "condorcet": wrong(condorcet(runs(some))),
    "weighted_condorcet": wrong(weighted_condorcet(runs(some), [1.0] * 5)),
    "bordafuse": wrong(bordafuse(runs(some))),
    "rrf": wrong(rrf(runs(some), k=60)),
    "condorcet of whole lists": wrong(condorcet(runs(whole))),
}
for name, which in seen.items():
    print(f"{name}: of {len(questions)} questions {len(which)} have 'second' above 'first'")
assert 5 < len(seen["condorcet"]) < 35 and seen["weighted_condorcet"] == seen["condorcet"]
assert not seen["bordafuse"] and not seen["rrf"] and not seen["condorcet of whole lists"]
print("these:", *(q.split()[1] for q in seen["condorcet"]))
PYTHON
said=()
for seed in 0 1; do
  if ! said[seed]=$(PYTHONHASHSEED=$seed "$folder/venv/bin/python" -W ignore "$folder/fuse.py"); then
    echo "ranx 0.3.21 does something else than is said here" >&2
    exit 1
  fi
  echo "PYTHONHASHSEED=$seed"
  echo "${said[seed]}"
done
if [ "${said[0]##*these:}" = "${said[1]##*these:}" ]; then
  echo "ranx 0.3.21 says the same with another hash seed" >&2
  exit 1
fi
# Seen:
#   PYTHONHASHSEED=0
#   ranx 0.3.21
#   votes 2 to 0 in [['first', 'second'], ['first', 'second'], ['other'], ['other'], ['other']]
#   votes 5 to 0 in [['first', 'second', 'other'], ['first', 'second', 'other'], ['other', 'first', 'second'], ['other', 'first', 'second'], ['other', 'first', 'second']]
#   condorcet: of 40 questions 19 have 'second' above 'first'
#   weighted_condorcet: of 40 questions 19 have 'second' above 'first'
#   bordafuse: of 40 questions 0 have 'second' above 'first'
#   rrf: of 40 questions 0 have 'second' above 'first'
#   condorcet of whole lists: of 40 questions 0 have 'second' above 'first'
#   these: 13 14 15 17 18 19 20 22 25 28 29 3 30 33 35 36 37 7 9
#   PYTHONHASHSEED=1
#   ranx 0.3.21
#   votes 2 to 0 in [['first', 'second'], ['first', 'second'], ['other'], ['other'], ['other']]
#   votes 5 to 0 in [['first', 'second', 'other'], ['first', 'second', 'other'], ['other', 'first', 'second'], ['other', 'first', 'second'], ['other', 'first', 'second']]
#   condorcet: of 40 questions 25 have 'second' above 'first'
#   weighted_condorcet: of 40 questions 25 have 'second' above 'first'
#   bordafuse: of 40 questions 0 have 'second' above 'first'
#   rrf: of 40 questions 0 have 'second' above 'first'
#   condorcet of whole lists: of 40 questions 0 have 'second' above 'first'
#   these: 0 12 13 15 16 17 18 2 20 21 23 25 27 29 3 33 34 35 36 37 38 4 5 7 8
