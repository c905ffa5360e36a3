"""Cases of the lab: one paper is made of each, checked as a person would, and held to its word."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

LAB = Path(__file__).parent / "lab" / "tricks"
CASES = LAB / "cases"
SEVERITIES = ("note", "minor", "major", "critical")
SHORT = "budget: {seeds_per_arm: 1, max_trainings: 2}"
LEVELS = ("declared", "static", "observed", "forensic", "rerun-scaled", "rerun", "human")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One form of one trick, as its file says."""

    path: Path
    says: str
    trick: str
    patch: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    prepare: list[str] = field(default_factory=list)
    alone: bool = False
    artifact: bool = True
    seeds: int = 1
    arguments: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    fast: bool = False
    expect: list[dict[str, Any]] = field(default_factory=list)
    also: dict[str, str] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)
    human: list[str] = field(default_factory=list)
    nothing_cleared: bool = False
    open: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    above: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def form(self) -> str:
        """blatant, subtle, twin or defeated; an honest paper of no one trick is a twin."""
        form = self.path.stem.split("_")[0]
        if self.path.parent.name == "defeated":
            return "defeated"
        return form if form in {"blatant", "subtle"} else "twin"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check of one case came to."""

    case: Case
    report: dict[str, Any]
    exit_code: int
    seconds: float

    @property
    def trainings(self) -> int:
        return len(self.report["runs"])

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Return what is flagged at minor or above."""
        flagged = [one for one in self.report["judgements"] if one["state"] == "flagged"]
        return [one for one in flagged if one["severity"] != "note"]


def cases() -> list[Path]:
    """Return the files of all cases, trick by trick."""

    def order(path: Path) -> tuple[int, int, str]:
        chapter, place, *_ = path.parent.name.split("_")
        return int(chapter), int(place), path.stem

    return sorted(CASES.glob("*/*.yaml"), key=order)


def honest() -> list[Path]:
    """Return the files of honest papers that are no twin of one trick."""
    return sorted((LAB / "honest").glob("*.yaml"))


def defeated() -> list[Path]:
    """Return the files of papers that hide a trick from its rule, which then may not clear it."""
    return sorted((LAB / "defeated").glob("*.yaml"))


def load_case(path: Path) -> Case:
    """Read one case; an unknown key is an error."""
    return Case(path=path, **yaml.safe_load(path.read_text(encoding="utf-8")))


def make(case: Case, folder: Path) -> Path:
    """Write the paper and the artifact of a case into a folder; return its claims file."""
    folder.mkdir(parents=True, exist_ok=True)
    if case.artifact:
        shutil.copytree(
            LAB / "artifact", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pyc*")
        )
    for name, there in case.copies.items():
        source, target = (case.path.parent / there).resolve(), folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    for name, text in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, changes in case.patch.items():
        text = (folder / name).read_text(encoding="utf-8")
        for change in changes:
            try:
                text = _replaced(text, change["old"], change["new"])
            except ValueError as problem:
                raise ValueError(f"{case.name}: {name}: {problem}") from None
        (folder / name).write_text(text, encoding="utf-8")
    for command in case.prepare:
        here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": here}
        subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True, env=env)
    paper = folder / "claims.yaml"
    paper.write_text(_paper(case), encoding="utf-8")
    return paper


def _replaced(text: str, old: str, new: str) -> str:
    """Replace whole lines, at whatever indentation they stand, or else a part of one line."""
    if not old.endswith("\n"):
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands {text.count(old)} times in it")
        return text.replace(old, new)
    lines, wanted = text.splitlines(), old.splitlines()
    places = []
    for i, line in enumerate(lines):
        indent = line[: len(line) - len(line.lstrip())]
        if lines[i : i + len(wanted)] == _indented(wanted, indent):
            places.append((i, indent))
    if len(places) != 1:
        raise ValueError(f"{old!r} stands {len(places)} times in it")
    (at, indent), *_ = places
    lines[at : at + len(wanted)] = _indented(new.splitlines(), indent)
    return "\n".join(lines) + "\n"


def _indented(lines: list[str], indent: str) -> list[str]:
    return [indent + line if line.strip() else line for line in lines]


def _paper(case: Case) -> str:
    """Merge what a case says into the honest paper, every scalar as it was written."""
    root = yaml.compose(case.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    own = next((v for k, v in root.value if k.value == "claims"), None)
    honest = yaml.compose((LAB / "claims.yaml").read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    if case.seeds == 1:  # what one short run of each method shows
        short = yaml.compose(SHORT, Loader=yaml.SafeLoader)
        honest = _merged(honest, short)
    merged = own if case.alone else honest if own is None else _merged(honest, own)
    return yaml.serialize(merged, Dumper=yaml.SafeDumper, allow_unicode=True, width=10_000)


def _merged(under: yaml.Node, over: yaml.Node) -> yaml.Node:
    if not (isinstance(under, yaml.MappingNode) and isinstance(over, yaml.MappingNode)):
        return over
    there = {key.value: (key, value) for key, value in under.value}
    for key, value in over.value:
        if value.tag == "tag:yaml.org,2002:null":
            there.pop(key.value, None)
        elif key.value in there:
            there[key.value] = (key, _merged(there[key.value][1], value))
        else:
            there[key.value] = (key, value)
    return yaml.MappingNode(under.tag, list(there.values()), flow_style=under.flow_style)


def check(case: Case, folder: Path) -> Checked:
    """Make a case's paper and check it with a real `repcheck check`."""
    paper = make(case, folder / "paper")
    out = folder / "out"
    command = ["check", "--yes", "--no-progress", "--fail-on", "never", "-q", "-o", str(out)]
    command += ["--seeds", str(case.seeds), *case.arguments]
    if case.answers:
        (folder / "answers.yaml").write_text(yaml.safe_dump(case.answers), encoding="utf-8")
        command += ["--answers", str(folder / "answers.yaml")]
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "repcheck", *command, paper.name],
        cwd=paper.parent, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    seconds = time.monotonic() - begin
    if not (out / "report.json").exists():
        raise AssertionError(f"{case.name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return Checked(case=case, report=report, exit_code=done.returncode, seconds=seconds)


def problems(checked: Checked) -> list[str]:
    """Return in words what is not as the case expects; nothing means that it is."""
    found = [*_missing(checked), *_too_many(checked), *_states(checked)]
    return [*found, *_defeated(checked)]


def _defeated(checked: Checked) -> Iterator[str]:
    """Yield what was cleared although it could not be known, or without its limit."""
    case = checked.case
    for one in checked.report["judgements"]:
        if one["state"] != "cleared":
            continue
        whole = case.nothing_cleared and one["part"] != "forensic"  # arithmetic needs no words
        if whole or any(_clears(one, kept) for kept in case.open):
            yield f"cleared: {_short(one)}"
        if one["rule"] in case.limits and not one["limit"]:
            yield f"cleared without a limit: {_short(one)}"
        least = case.above.get(one["rule"])
        if least and LEVELS.index(one["level"]) > LEVELS.index(least):
            yield f"cleared above {least}: {_short(one)}"


def _missing(checked: Checked) -> Iterator[str]:
    flagged = [one for one in checked.report["judgements"] if one["state"] == "flagged"]
    for wanted in checked.case.expect:
        of_rule = [one for one in flagged if one["rule"] == wanted["rule"]]
        if not any(_meets(one, wanted) for one in of_rule):
            seen = [_short(one) for one in of_rule] or _others(checked, wanted["rule"])
            yield f"expected {wanted}, and there is {seen}"


def _others(checked: Checked, rule: str) -> list[str]:
    return [
        f"{one['state']} ({one['reason']}): {one['message']}"
        for one in checked.report["judgements"]
        if one["rule"] == rule
    ]


def _meets(one: dict[str, Any], wanted: dict[str, Any]) -> bool:
    same = all(one[key] == wanted[key] for key in ("kind", "severity", "part") if key in wanted)
    if "subject" in wanted:
        same = same and one["subject"]["id"] == wanted["subject"]
    if "level" in wanted:
        same = same and LEVELS.index(one["level"]) >= LEVELS.index(wanted["level"])
    if "quantity" in wanted:
        same = same and any(_is_near(q, **wanted["quantity"]) for q in one["quantities"])
    return same and wanted.get("says", "") in one["message"]


def _is_near(quantity: dict[str, Any], *, name: str, value: Any, within: float = 0.0) -> bool:
    if name not in quantity["name"]:
        return False
    try:
        return abs(float(quantity["value"]) - float(value)) <= within
    except (TypeError, ValueError):
        return bool(quantity["value"] == value)


def _too_many(checked: Checked) -> Iterator[str]:
    known = {one["rule"] for one in checked.case.expect} | set(checked.case.also)
    most = {"twin": "note", "defeated": "critical"}.get(checked.case.form, "minor")
    for one in checked.report["judgements"]:
        if one["state"] == "error":
            yield f"a rule broke: {_short(one)}"
        if one["state"] != "flagged" or one["rule"] in known:
            continue
        if SEVERITIES.index(one["severity"]) > SEVERITIES.index(most):
            yield f"beside what is expected: {_short(one)}"


def _clears(one: dict[str, Any], kept: str) -> bool:
    """Return whether a judgement clears `RULE`, or of it what `RULE WORD` names."""
    rule, _, word = kept.partition(" ")
    return one["rule"] == rule and f"`{word}" in one["message"] if word else one["rule"] == rule


def _states(checked: Checked) -> Iterator[str]:
    for rule, state in [(rule, "cleared") for rule in checked.case.cleared] + [
        (rule, "undetermined") for rule in checked.case.human
    ]:
        of_rule = [one for one in checked.report["judgements"] if one["rule"] == rule]
        there = [one for one in of_rule if one["state"] == state]
        if state == "undetermined":
            there = [one for one in there if one["reason"] == "needs-human"]
        applicable = [one for one in of_rule if one["state"] not in {"not-applicable", state}]
        applicable = [one for one in applicable if not _is_note(one)]
        if checked.case.seeds == 1:  # an arm of one seed can show no effect, and need not
            applicable = [one for one in applicable if one["part"] != "effect"]
        if not there or (state == "cleared" and applicable):
            seen = [f"{one['state']}: {one['message']}" for one in of_rule]
            yield f"{rule} is not {state} throughout: {seen}"


def _is_note(one: dict[str, Any]) -> bool:
    return bool(one["state"] == "flagged" and one["severity"] == "note")


def _short(one: dict[str, Any]) -> str:
    of = f"{one['rule']} {one['part']} {one['kind']} {one['severity']} {one['level']}"
    return f"{of} ({one['subject']['id']}): {one['message']} {one['quantities']}"


def main() -> int:
    """Run the cases named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--keep", type=Path, help="leave the papers and their reports here")
    options = parser.parse_args()
    wrong = 0
    for path in options.files or [*cases(), *honest(), *defeated()]:
        case = load_case(path.resolve())
        with TemporaryDirectory(prefix="repcheck-lab-") as folder:
            place = options.keep / case.name.replace("/", "-") if options.keep else Path(folder)
            if options.keep and place.exists():
                shutil.rmtree(place)
            try:
                checked = check(case, place)
                found = problems(checked)
                cost = f"{checked.seconds:.1f} s, {checked.trainings} trainings"
            except (AssertionError, ValueError) as problem:
                found, cost = [str(problem)], "did not end"
        wrong += bool(found)
        print(f"{'WRONG' if found else 'ok':<6}{case.name}  ({cost})")
        for words in found:
            print(f"      {words}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
