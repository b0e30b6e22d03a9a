#!/usr/bin/env bash
# preflibtools 2.0.33: of an order that stands on two lines of a file the last line's voters count, twice.
#
# One expects the counts of lines with the same order to add up, as those of a file made of two polls, one after the
# other. The reader keeps every line in `orders`, but their counts in a dictionary by order, where the second
# overwrites the first. num_voters is the header's and right; the profile, what is computed from it and what is written
# again are not: 70 voters for tea and 30 for coffee are read here as 20 and 30, and coffee wins. PrefLib's own files have
# each order once. infer_type() and the header's "NUMBER UNIQUE ORDERS" do not show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check preflibtools==2.0.33
cat >"$folder/drinks.soc" <<'END'
# FILE NAME: drinks.soc
# TITLE: Drinks
# DESCRIPTION:
# DATA TYPE: soc
# MODIFICATION TYPE: original
# RELATES TO:
# RELATED FILES:
# PUBLICATION DATE: 2026-11-29
# MODIFICATION DATE: 2026-11-29
# NUMBER ALTERNATIVES: 2
# NUMBER VOTERS: 100
# NUMBER UNIQUE ORDERS: 2
# ALTERNATIVE NAME 1: tea
# ALTERNATIVE NAME 2: coffee
60: 1,2
30: 2,1
10: 1,2
END
cat >"$folder/read.py" <<'PYTHON'
import sys
from importlib.metadata import version

from preflibtools.instances import OrdinalInstance

print("preflibtools", version("preflibtools"))
instance = OrdinalInstance(f"{sys.argv[1]}/drinks.soc")
first = [order[0][0] for order in instance.full_profile()]
print("voters", instance.num_voters, "in the profile", len(first), "tea first", first.count(1), "coffee first", first.count(2))
instance.write(f"{sys.argv[1]}/written.soc")
with open(f"{sys.argv[1]}/written.soc") as written:
    lines = [line.strip() for line in written if not line.startswith("#")]
print("written", lines)
assert instance.num_voters == 100
assert (first.count(1), first.count(2)) == (20, 30)
assert lines == ["30: 2, 1", "10: 1, 2", "10: 1, 2"]
PYTHON
if ! "$folder/venv/bin/python" "$folder/read.py" "$folder"; then
  echo "preflibtools 2.0.33 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   preflibtools 2.0.33
#   voters 100 in the profile 50 tea first 20 coffee first 30
#   written ['30: 2, 1', '10: 1, 2', '10: 1, 2']
