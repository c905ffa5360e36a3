"""Is every trick seen where it is planted, and nobody accused where it is not: the whole lab.

    python tests/benchmarks/trick_recall.py --json [--quick]

Runs `repcheck check` with real trainings on every case of `tests/lab/tricks` and prints, trick by
trick, whether the blatant and the subtle form are found (or, where only a person can decide, the
material prepared and the question asked), what the honest twin is accused of, and the seconds and
trainings that it took; the table stands in the first figure's `tricks`. `--quick` leaves out the
cases with more than one seed an arm, and says how many ran. With REPCHECK_LAB_RESULTS=DIR in the
environment every outcome is kept there, and a case is not run again while neither the case, the
artifact nor the package has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import Figure, figure, present

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from repcheck.tricks import TRICKS  # noqa: E402
from tests.lab_support import LAB, Case, cases, check, defeated, honest, load_case, problems  # noqa: E402

FORMS = ("blatant", "subtle", "twin")


def outcome(case: Case) -> dict[str, Any]:
    """Run one case; say what was not as expected, what was accused, and what it cost."""
    with TemporaryDirectory(prefix="repcheck-recall-") as folder:
        try:
            checked = check(case, Path(folder))
        except (AssertionError, ValueError) as problem:
            return {"problems": [str(problem)], "accused": 0, "seconds": 0.0, "trainings": 0}
    twin = case.form == "twin"
    accused = [one for one in checked.findings if one["rule"] not in case.also] if twin else []
    return {
        "problems": problems(checked),
        "accused": len(accused),
        "seconds": round(checked.seconds, 1),
        "trainings": checked.trainings,
    }


def state(path: Path) -> str:
    """Return a hash of all that a case's outcome depends on."""
    made = hashlib.sha256(path.read_bytes())
    files = [*(LAB / "artifact").rglob("*.py"), LAB / "claims.yaml"]
    files += [*(ROOT / "repcheck").rglob("*.py"), ROOT / "tests" / "lab_support.py"]
    for file in sorted(files):
        made.update(file.read_bytes())
    return made.hexdigest()


def run(chosen: list[Path], kept: Path | None) -> dict[Path, dict[str, Any]]:
    """Run the cases, taking what a folder holds of them already."""
    found = {}
    for path in chosen:
        file = None if kept is None else kept / f"{path.parent.name}-{path.stem}.json"
        now = state(path)
        known = json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else {}
        if known.get("state") != now:
            known = outcome(load_case(path)) | {"state": now}
            wrong = "WRONG" if known["problems"] else "ok"
            said = f"{wrong:<6}{path.relative_to(LAB)}  {known['seconds']} s"
            print("\n      ".join([said, *known["problems"]]), file=sys.stderr, flush=True)
            if file is not None:
                file.write_text(json.dumps(known, indent=1), encoding="utf-8")
        found[path] = known
    return found


def row(number: str, found: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """Return one trick's line of the table."""
    of = [
        (case, one)
        for case, one in ((load_case(path), one) for path, one in found.items())
        if case.trick == number and case.path.parents[1].name == "cases"
    ]
    line: dict[str, Any] = {"trick": number}
    for form in FORMS:
        there = [(case, one) for case, one in of if case.form == form]
        good = sum(not one["problems"] for _, one in there)
        line[form] = f"{good}/{len(there)}"
        line[f"{form}_found"] = bool(there) and good == len(there)
        line["human"] = line.get("human", False) or any(case.human for case, _ in there)
    line["accused"] = sum(one["accused"] for _, one in of)
    line["seconds"] = round(sum(one["seconds"] for _, one in of), 1)
    line["trainings"] = sum(one["trainings"] for _, one in of)
    return line


def figures(quick: bool) -> list[Figure]:
    """Run the lab; return recall on both forms and the accusations of honest papers."""
    every = [*cases(), *honest(), *defeated()]
    chosen = [path for path in every if load_case(path).seeds == 1] if quick else every
    kept = os.environ.get("REPCHECK_LAB_RESULTS")
    found = run(chosen, Path(kept) if kept else None)
    rows = [row(trick.number, found) for trick in TRICKS]
    others, hidden = (
        [one for path, one in found.items() if path.parent.name == kind]
        for kind in ("honest", "defeated")
    )
    blatant, subtle = ([o for o in rows if o[form] != "0/0"] for form in ("blatant", "subtle"))
    share = 100 * sum(one["subtle_found"] for one in subtle) / max(1, len(subtle))
    accused = sum(one["accused"] for one in [*rows, *others])
    told = {
        "tricks": [{k: v for k, v in one.items() if not k.endswith("_found")} for one in rows],
        "honest": f"{sum(not one['problems'] for one in others)}/{len(others)}",
        "defeated": f"{sum(not one['problems'] for one in hidden)}/{len(hidden)}",
        "ran": f"{len(chosen)} of {len(every)} cases",
        "not_as_expected": {
            str(path.relative_to(LAB)): o["problems"] for path, o in found.items() if o["problems"]
        },
    }
    missed = len(blatant) - sum(one["blatant_found"] for one in blatant)
    return [
        figure("blatant forms not found", missed, "tricks", 0, of=len(blatant), **told),
        figure("subtle forms found", share, "%", 90)
        | {"better": "higher", "met": share >= 90, "of": len(subtle)},
        figure("findings on honest papers", accused, "findings", 0),
    ]


if __name__ == "__main__":
    present(__doc__, figures)
