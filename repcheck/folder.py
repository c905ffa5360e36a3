"""The folder of one check: reports, the claims file as it was, and the store of runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.errors import UsageError
from repcheck.executors.local import finished
from repcheck.plan import History, Plan
from repcheck.runs import Runs, SeedKind
from repcheck.store import Store, mended
from repcheck.stored import content, mapping, planned_runs


@dataclass(frozen=True, slots=True)
class Folder:
    """`report.json`, `report.html`, `claims.yaml` and `check.json` beside the folder `store`."""

    root: Path

    @staticmethod
    def default_for(file: Path) -> Path:
        """Return where the check of a claims file is kept when nothing else is asked for.

        The folder's name, and the file's too where it is not called `claims.yaml`, so that two
        claims files of one folder keep two reports.
        """
        folder = file.absolute().parent.name or "claims"
        name = folder if file.stem == "claims" else f"{folder}-{file.stem}"
        return Path("repcheck-out") / name

    @property
    def store(self) -> Path:
        """Return the folder of the runs."""
        return self.root / "store"

    @property
    def report(self) -> Path:
        """Return the report as data."""
        return self.root / "report.json"

    def history(self) -> History:
        """Return what earlier runs cost, without making a store."""
        if not (self.store / "store.json").exists():
            return History()
        return Store.open(self.store).history()

    def keep(self, file: Path, plan: Plan) -> None:
        """Keep the claims file as it is now, and which plan was made of it."""
        plan_file = Store.open(self.store).keep_plan(plan)
        about = {"file": str(file), "plan": plan_file.name, "salt": plan.salt}
        with mended(self.root):
            (self.root / "claims.yaml").write_bytes(file.read_bytes())
            (self.root / "check.json").write_text(json.dumps(about, indent=1), encoding="utf-8")

    def claims(self) -> Claims:
        """Return the claims as they were when the runs were made."""
        about, text = mapping(self.root / "check.json"), content(self.root / "claims.yaml")
        if about is None or text is None:
            raise UsageError(
                f"{self.root}: not a folder that `repcheck check` or `repcheck run` left; name the"
                " one given to --out (default: repcheck-out/<folder of the claims file>)"
            )
        return parse(text.decode("utf-8"), str(about["file"]))

    def plan(self) -> Plan:
        """Return the plan whose runs are stored; what it left out is judged as never run.

        Raises:
            UsageError: if the plan is gone or torn.
        """
        about = mapping(self.root / "check.json") or {}
        runs = planned_runs(self.store / "plan" / Path(str(about.get("plan"))).name)
        if runs is None:
            raise UsageError(f"{self.root}: its plan is gone; make it again with `repcheck check`")
        fresh = {run.seed: None for run in runs if run.seed_kind is SeedKind.FRESH}
        return Plan(runs=runs, fresh_seeds=tuple(fresh), salt=str(about.get("salt", "")))

    def runs(self, plan: Plan) -> Runs:
        """Return the stored result of every run of a plan that has one."""
        store = Store.open(self.store)
        results = ((spec, store.result(spec.key)) for spec in plan.runs)
        return tuple(finished(store, spec, found) for spec, found in results if found is not None)
