import sys
import warnings

import agreement

warnings.filterwarnings("ignore")


def main():
    wanted = sys.argv[1:]
    import importlib
    for name in wanted:
        importlib.import_module(name).compare_all()
    bad = 0
    for line in agreement.LINES:
        print(("   " if line.as_stated() else "!! ") + line.package + " " + line.text())
        bad += not line.as_stated()
    print(len(agreement.LINES), "lines,", bad, "not as stated")
    return bad > 0


sys.exit(main())
