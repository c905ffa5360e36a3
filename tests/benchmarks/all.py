"""Run every benchmark of this folder and print the table of all their figures.

    python tests/benchmarks/all.py [--quick] [--json]

They run one after the other, so that none slows another down. Exit code 1: a goal is not met, or a
benchmark broke.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from _bench import ROOT, table


def benchmarks() -> list[Path]:
    """Return every benchmark: a file of this folder that is not shared by them and not this one."""
    here = Path(__file__).resolve()
    return [path for path in sorted(here.parent.glob("[!_]*.py")) if path != here]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each within a minute")
    parser.add_argument("--json", action="store_true", help="print a list of their JSON objects")
    given = parser.parse_args()
    reports, broken = [], []
    for path in benchmarks():
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        command = [sys.executable, str(path), "--json", *(["--quick"] if given.quick else [])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            broken.append(f"{path.stem}: ended with {done.returncode}\n{done.stderr}")
        else:
            reports.append(json.loads(done.stdout))
    print(json.dumps(reports) if given.json else table(reports))
    print("\n".join(broken), end="\n" if broken else "", file=sys.stderr)
    missed = [one for report in reports for one in report["figures"] if not one.get("met", True)]
    return 1 if missed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
