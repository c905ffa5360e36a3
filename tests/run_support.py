"""Small artifacts made of real scripts, and plans that run them."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

from repcheck.executor import Options, silent
from repcheck.executors.local import execute
from repcheck.machine.artifact import scan
from repcheck.plan import Plan, run_key
from repcheck.runs import Run, RunSpec, SeedKind
from repcheck.store import Store

FINE = """
    import json, sys
    json.dump({"acc": int(sys.argv[1]) / 100}, open(sys.argv[2] + "/m.json", "w"))
"""


def artifact(folder: Path, script: str = FINE, **more: str) -> Path:
    """Make an artifact whose `t.py` is the script."""
    root = folder / "artifact"
    root.mkdir(parents=True, exist_ok=True)
    (root / "t.py").write_text(textwrap.dedent(script))
    for name, text in more.items():
        (root / name).write_text(text)
    return root


def spec(
    seed: int = 1,
    *,
    command: tuple[str, ...] = ("python", "t.py", "{seed}", "{out}"),
    limit: float = 30,
    reader: str = "{out}/m.json:acc",
    **more: object,
) -> RunSpec:
    argv = tuple(word.replace("{seed}", str(seed)) for word in command)
    made = RunSpec(
        key="",
        arm="ours",
        method="ours",
        dataset="digits",
        seed=seed,
        seed_kind=SeedKind.FRESH,
        commands=(argv,),
        cwds=(".",),
        readers={"acc": reader} if reader else {},
        time_limit_s=limit,
    )
    return replace(made, **more)


def plan(root: Path, *specs: RunSpec, **more: object) -> Plan:
    tree = scan(root)
    runs = [replace(item, artifact=tree.digest) for item in specs]
    runs = [replace(item, key=run_key(item, {})) for item in runs]
    return replace(Plan(runs=tuple(runs), tree=tree), **more)


def run_all(folder: Path, made: Plan, progress=silent, **options: object) -> tuple[Run, ...]:
    return execute(made, Store.open(folder / "store"), Options(**options), progress)


def run_one(folder: Path, script: str, **more: object) -> Run:
    """Run one script once in a fresh store and return how it ended."""
    options = {name: more.pop(name) for name in ("limits", "python", "probe") if name in more}
    root = artifact(folder, script)
    (run,) = run_all(folder, plan(root, spec(**more)), **options)
    return run


def directory(folder: Path, run: Run) -> Path:
    return folder / "store" / run.directory
