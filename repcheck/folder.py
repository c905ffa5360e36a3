"""The folder of one check: reports, the claims file as it was, and the store of runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from repcheck.arms import Arm, NoArm
from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.claims.source import MAX_BYTES, decode, read_bytes
from repcheck.errors import Reason, RepcheckError, UsageError
from repcheck.executors.local import finished
from repcheck.machine.stored import PLAN_CAP, content, planned, typed
from repcheck.needs import NotRun
from repcheck.plan import History, LeftOut, Plan, artifact_root
from repcheck.runs import Runs, RunSpec
from repcheck.sameness import Kept, Sameness
from repcheck.store import SNAPSHOTS, Store, mended

_OURS = ("claims.yaml", "report.json", "report.html")
_KEPT = {
    "file",
    "command",
    "plan",
    "salt",
    "fresh_seeds",
    "most_seeds",
    "left_out",
    "not_run",
    "notes",
}


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

    def inside(self, claims: Claims) -> tuple[Path, ...]:
        """Return this folder by its path below the artifact's root, if it is in there."""
        root = artifact_root(claims)
        here, above = self.root.resolve(), root.resolve()
        return (root / here.relative_to(above),) if here.is_relative_to(above) else ()

    def must_be_usable(self, claims: Claims) -> None:
        """Refuse a folder whose use would overwrite somebody's files or end up inside the runs.

        Raises:
            UsageError: for the artifact's own folder, and for files that no check has left.
        """
        hint = "choose another folder with --out"
        taken = {Path(claims.place.file).resolve().parent, artifact_root(claims).resolve()}
        if self.root.resolve() in taken:
            raise UsageError(f"{self.root}: holds the claims file or the artifact itself; {hint}")
        if (self.root / "check.json").exists() or (self.store / "store.json").exists():
            return
        if foreign := [name for name in _OURS if (self.root / name).exists()]:
            raise UsageError(f"{self.root / foreign[0]}: is not of an earlier check; {hint}")

    def keep(self, claims: Claims, plan: Plan, command: str) -> None:
        """Keep the claims file as it was judged, the plan made of it, and the command that did.

        Raises:
            RepcheckError: if the file is no longer what was loaded, or nothing can be written.
        """
        file = claims.place.file
        text = read_bytes(Path(file), file)
        if hashlib.sha256(text).hexdigest() != claims.sha256:
            raise RepcheckError(f"{file}: changed after it was read; nothing was run: start again")
        about = {
            "file": file,
            "command": command,
            "plan": Store.open(self.store).keep_plan(plan).name,
            "salt": plan.salt,
            "fresh_seeds": plan.fresh_seeds,
            "most_seeds": plan.most_seeds,
            "left_out": [asdict(left) for left in plan.left_out],
            "not_run": [asdict(gap) for gap in plan.not_run],
            "notes": plan.notes,
        }
        write(self.root / "claims.yaml", text)
        write(self.root / "check.json", json.dumps(about, indent=1).encode())

    def claims(self) -> Claims:
        """Return the claims as they were when the runs were made."""
        about, text = self._about(), content(self.root / "claims.yaml", cap=MAX_BYTES)
        if about is None and text is not None and (self.root / "check.json").is_file():
            raise UsageError(self._other_version())
        if about is None or text is None:
            raise UsageError(
                f"{self.root}: not a folder that `repcheck check` or `repcheck run` left; name the"
                " one given to --out (default: repcheck-out/<folder of the claims file>)"
            )
        kept = str(self.root / "claims.yaml")
        return parse(decode(text, kept), str(about["file"]), hashlib.sha256(text).hexdigest())

    def plan(self) -> Plan:
        """Return the plan whose runs are stored, with what it left out.

        Raises:
            UsageError: if the plan is gone or torn.
        """
        about = self._about() or {}
        path = self.store / "plan" / Path(str(about.get("plan"))).name
        runs, arms, no_arms = (
            planned(path, "run", RunSpec),
            planned(path, "arm", Arm),
            planned(path, "no_arm", NoArm),
        )
        if runs is None or arms is None or no_arms is None:
            raise UsageError(f"{self.root}: its plan is gone; make it again with `repcheck check`")
        try:
            return Plan(
                runs=runs,
                arms=arms,
                no_arms=no_arms,
                left_out=tuple(LeftOut(**_reasoned(left)) for left in about["left_out"]),
                not_run=tuple(NotRun(**_reasoned(gap)) for gap in about["not_run"]),
                notes=tuple(about["notes"]),
                fresh_seeds=tuple(about["fresh_seeds"]),
                most_seeds=int(about["most_seeds"]),
                salt=str(about["salt"]),
            )
        except (KeyError, TypeError, ValueError):
            raise UsageError(self._other_version()) from None

    def _other_version(self) -> str:
        return (
            f"{self.root / 'check.json'}: was changed or is another version's; make it again with"
            f" `repcheck check --out {self.root}`: runs that are stored are not made again"
        )

    def kept_arms(self, plan: Plan) -> tuple[Arm, ...]:
        """Return the arms of an earlier check, if it was of the same artifact as the plan."""
        try:
            kept = self.plan()
        except UsageError:
            return ()
        artifacts = {run.artifact for run in (*kept.runs, *plan.runs)}
        return kept.arms if len(artifacts) == 1 else ()

    def _about(self) -> dict[str, Any] | None:
        text = content(self.root / "check.json", cap=PLAN_CAP)
        try:
            about = json.loads(text or b"")
        except (ValueError, RecursionError):
            return None
        return about if isinstance(about, dict) and about.keys() >= _KEPT else None

    def command(self) -> str:
        """Return the command that made the runs."""
        return str((self._about() or {}).get("command", ""))

    def artifact(self, plan: Plan) -> Path | None:
        """Return the artifact as a plan's runs had it, where the store keeps it."""
        kept = (self.store / SNAPSHOTS / run.artifact for run in plan.runs[:1] if run.artifact)
        return next((folder for folder in kept if folder.is_dir()), None)

    def likened(self, plan: Plan) -> tuple[Sameness, ...]:
        """Return the models that were held against each other, of the artifact of this plan."""
        kept = typed(self.root / "likened.json", Kept)
        same = kept is not None and kept.artifact in {run.artifact for run in plan.runs}
        return kept.found if kept is not None and same else ()

    def keep_likened(self, plan: Plan, found: tuple[Sameness, ...]) -> None:
        """Keep what came of holding models against each other, if anything did."""
        artifact = next((run.artifact for run in plan.runs), "")
        if found and artifact:
            kept = Kept(artifact=artifact, found=found)
            write(self.root / "likened.json", json.dumps(asdict(kept), indent=1).encode())

    def stored(self, plan: Plan) -> Runs:
        """Return the stored results of a plan, without making a store."""
        return self.runs(plan) if (self.store / "store.json").exists() else ()

    def runs(self, plan: Plan) -> Runs:
        """Return the stored result of every run of a plan that has one."""
        store = Store.open(self.store)
        results = ((spec, store.result(spec.key)) for spec in plan.runs)
        return tuple(finished(store, spec, found) for spec, found in results if found is not None)


def _reasoned(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {**kept, "reason": Reason(kept["reason"])}


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; several processes may do so at once.

    Raises:
        RepcheckError: if it cannot be written; what was there before stays.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    with mended(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
