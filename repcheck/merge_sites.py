"""The sites of a merge: what each folder holds, and whether they may be put together.

A folder comes from somebody else: its files are capped and checked against a type, and no link in
it is followed. Nothing in it is executed, and nothing is written there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

from repcheck import confined
from repcheck.claims.load import parse
from repcheck.claims.model import Claim, Claims
from repcheck.claims.source import MAX_BYTES, decode
from repcheck.claims.stated import Section, State, Stated, key_of
from repcheck.errors import UsageError
from repcheck.fact import Evidence
from repcheck.folder import Folder
from repcheck.machine import stored
from repcheck.plan import Plan
from repcheck.record import Record, run_of
from repcheck.runs import Runs, RunSpec, SeedKind, Status
from repcheck.store import Store
from repcheck.supervise import reread

MOST_RUNS = 100_000
MOST_DIFFERENCES = 5
HASH_SHOWN = 12
_KEY = re.compile(r"[0-9a-f]{64}\Z")
# Of the machine or of the report: no run and no verdict depends on them.
_OF_THE_PLACE = frozenset({
    "paper", "declared_by", "trust", "hardware", "budget", "artifact", "limitations",
    "negative_results", "qualitative", "human_evaluation", "deployment", "regression_set",
    "sha256",
})  # fmt: skip
_OF_A_SECTION = frozenset({"state", "place", "disclosure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One place where the claims were checked: its claims, its plan and its finished runs.

    `broken` names the files of runs that could not be read; such runs are missing from `runs`.
    """

    name: str
    folder: Folder
    claims: Claims
    plan: Plan
    runs: Runs
    records: Mapping[str, Record]
    broken: tuple[str, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """Return what this site's runs show."""
        return Evidence(claims=self.claims, runs=self.runs, most_seeds=self.plan.most_seeds)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Return the hashes of the code that was run."""
        return tuple(sorted({run.artifact for run in self.plan.runs}))

    def told(self, what: str) -> tuple[str, ...]:
        """Return every machine or interpreter that the runs name, each once."""
        return tuple(sorted({str(getattr(run, what)) for run in self.runs} - {""}))


def read_sites(folders: Sequence[Path], names: Mapping[str, str]) -> tuple[Site, ...]:
    """Read every folder; `names` are those that a person gave, by the folder as it was typed.

    Raises:
        UsageError: for fewer than two, the same one twice, or one that holds no check.
        ClaimsError: if a kept claims file is invalid.
    """
    if len(folders) < 2:
        raise UsageError("merge needs the folders of at least two checks: repcheck merge A B ...")
    for one, other in combinations(folders, 2):
        if one.resolve() == other.resolve():
            raise UsageError(f"{one} and {other} are one folder: its runs would count twice")
    return tuple(
        _site(folder, name) for folder, name in zip(folders, _names(folders, names), strict=True)
    )


def _names(folders: Sequence[Path], given: Mapping[str, str]) -> list[str]:
    """Return a name a site; folders of one name are told apart by what stands before it."""
    typed = {str(folder): folder for folder in folders}
    for key in given:
        if not any(key in {path, folder.resolve().name} for path, folder in typed.items()):
            raise UsageError(f"--name {key}=...: no folder `{key}` is merged")
    whole = [folder.resolve().parts for folder in folders]
    names = [
        given.get(str(folder)) or given.get(parts[-1]) or _short_of(parts, whole)
        for folder, parts in zip(folders, whole, strict=True)
    ]
    for one, other in combinations(range(len(names)), 2):
        if names[one] == names[other]:
            raise UsageError(
                f"{folders[one]} and {folders[other]} would both be called `{names[one]}`; name"
                f" them with --name {folders[one]}=... and --name {folders[other]}=..."
            )
    return names


def _short_of(parts: tuple[str, ...], whole: Sequence[tuple[str, ...]]) -> str:
    """Return the last parts of a path by which no other one ends."""
    for length in range(1, len(parts) + 1):
        if sum(other[-length:] == parts[-length:] for other in whole) == 1:
            return "/".join(parts[-length:])
    return "/".join(parts)


def _site(root: Path, name: str) -> Site:
    folder = Folder(root)
    _need_plain(folder)
    text = _claims_text(root)
    kept = str(root / "claims.yaml")
    claims = parse(decode(text, kept), kept, hashlib.sha256(text).hexdigest())
    plan = folder.plan()
    if len(plan.runs) > MOST_RUNS:
        raise UsageError(f"{root}: its plan has {len(plan.runs):,} runs, more than {MOST_RUNS:,}")
    records, runs, broken = dict[str, Record](), [], []
    for spec in plan.runs:
        record = _record(folder, spec)
        if isinstance(record, Record):
            records[spec.key] = record
            at = folder.store / "runs" / spec.key[:2] / spec.key / f"a{record.attempt}"
            runs.append(
                run_of(
                    spec,
                    reread(spec, record, at),
                    attempts=record.attempt,
                    directory=Store.place(record),
                    observation=None,
                )
            )
        elif record:
            broken.append(record)
    if not runs and broken:
        raise UsageError(f"{root}: none of its {len(broken)} results can be read; {broken[0]}")
    if not runs:
        raise UsageError(f"{root}: holds no finished run; make them with `repcheck check`")
    return Site(
        name=name, folder=folder, claims=claims, plan=plan, runs=tuple(runs), records=records,
        broken=tuple(broken),
    )  # fmt: skip


def _claims_text(root: Path) -> bytes:
    """Return the kept claims file of a folder that holds a check."""
    text = stored.content(root / "claims.yaml", cap=MAX_BYTES)
    about = stored.mapping(root / "check.json")
    if text is not None and about is not None:
        return text
    for path, gone in ((root / "claims.yaml", text is None), (root / "check.json", about is None)):
        if gone and (path.exists() or path.is_symlink()):
            raise UsageError(
                f"{path}: was changed, is a link or no plain file; make it again with `repcheck"
                f" check --out {root}`: runs that are stored are not made again"
            )
    raise UsageError(
        f"{root}: holds no check; name folders that `repcheck check` or `repcheck run` left"
        " (default: repcheck-out/<folder of the claims file>)"
    )


def _need_plain(folder: Folder) -> None:
    if not folder.root.is_dir():
        what = "is a file, not a folder" if folder.root.exists() else "no such folder"
        raise UsageError(f"{folder.root}: {what}")
    for path in (folder.store, folder.store / "plan", folder.store / "runs"):
        if path.is_symlink():
            raise UsageError(f"{path}: is a link; links in a folder to merge are not followed")


def _record(folder: Folder, spec: RunSpec) -> Record | str:
    """Return a run's result, why it cannot be read, or nothing where there is none."""
    if not _KEY.match(spec.key):
        raise UsageError(f"{folder.root}: its plan names a run {spec.key[:80]!r}, which is no key")
    parts = ("runs", spec.key[:2], spec.key, "result.json")
    path = folder.store.joinpath(*parts)
    try:
        os.close(confined.open_below(folder.store, parts))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    found = stored.record(path)
    if found is None or found.key != spec.key:
        return f"{path}: is torn, or no record of this run"
    made = path.with_name(f"a{found.attempt}")
    return f"{made}: is a link, which is not followed" if made.is_symlink() else found


# --- what may be merged -------------------------------------------------------------------------


def refuse_unlike(sites: Sequence[Site], *, allow_other_code: bool) -> None:
    """Refuse sites that did not check the same thing, or that are one site twice.

    Raises:
        UsageError: naming the key, the artifact or the runs.
    """
    first, *rest = sites
    for site in rest:
        if found := _differences(first, site):
            raise UsageError(_unlike(first, site, found))
    if len({site.artifacts for site in sites}) > 1 and not allow_other_code:
        told = "; ".join(f"{site.name}: {_hashes(site)}" for site in sites)
        raise UsageError(
            f"the artifacts differ ({told}): other code is no replication of the same artifact;"
            " --allow-other-code merges them all the same and says so in the report"
        )
    for one, other in combinations(sites, 2):
        if same := _same_records(one, other):
            raise UsageError(
                f"{one.folder.root} and {other.folder.root}: {same} of {len(other.records)} runs"
                " are the same runs, made at the same time in the same number of seconds: one of"
                " the stores is a copy, and each of these runs would count twice"
            )


def _hashes(site: Site) -> str:
    return ", ".join(one[:HASH_SHOWN] for one in site.artifacts)


def _unlike(first: Site, site: Site, found: Sequence[tuple[str, str, str]]) -> str:
    lines = [f"{first.name} and {site.name} did not check the same claims:"]
    lines += [f"  {key}: {one} against {other}" for key, one, other in found[:MOST_DIFFERENCES]]
    more = len(found) - MOST_DIFFERENCES
    lines += [f"  and {more} more"] if more > 0 else []
    return "\n".join([*lines, "  check the same claims file at every site"])


def _differences(one: Site, other: Site) -> list[tuple[str, str, str]]:
    """Return each key that is stated differently, with both texts and their lines."""
    ours, theirs = dict(_stated(one.claims)), dict(_stated(other.claims))
    found = []
    for key in dict.fromkeys([*ours, *theirs]):
        here, there = ours.get(key), theirs.get(key)
        if here is None or there is None or _said(here) != _said(there):
            found.append((key, _shown(here), _shown(there)))
    return found


def _said(leaf: Stated[Any]) -> tuple[object, ...]:
    return leaf.state, leaf.content, leaf.text


def _shown(leaf: Stated[Any] | None) -> str:
    if leaf is None:
        return "not stated"
    said = " ".join(str(leaf).split())
    said = said if len(said) <= 80 else f"{said[:79]}…"
    return f"`{said}` ({leaf.place.file}:{leaf.place.line})"


def _stated(claims: Claims) -> Iterator[tuple[str, Stated[Any]]]:
    """Yield every leaf that a run or a verdict depends on and that stands in the file, by its key.

    Claims go by their id, so that one more does not make all others differ. Where data lies on a
    machine is left out; what it is (its hash) is not.
    """
    yield "artifact.env.vars", claims.artifact.env.vars
    for item in fields(claims):
        if item.name in _OF_THE_PLACE | _OF_A_SECTION:
            continue
        for path, leaf in _leaves(getattr(claims, item.name), key_of(item.name)):
            if leaf.state is not State.UNDECLARED and not _is_data_path(path):
                yield path, leaf


def _leaves(content: Any, path: str) -> Iterator[tuple[str, Stated[Any]]]:  # noqa: ANN401
    if isinstance(content, Stated):
        yield path, content
    elif isinstance(content, Section) and content.absent:
        yield path, Stated(state=content.state, place=content.place)
    else:
        for key, value in _below(content, path):
            yield from _leaves(value, key)


def _below(content: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(content, Section):
        for item in fields(content):
            if item.name not in _OF_A_SECTION:
                yield f"{path}.{key_of(item.name)}", getattr(content, item.name)
    elif isinstance(content, Mapping):
        yield from ((f"{path}.{name}", value) for name, value in content.items())
    elif isinstance(content, tuple):
        for index, value in enumerate(content):
            own = value.id.get("") if isinstance(value, Claim) else ""
            yield f"{path}.{own}" if own else f"{path}[{index}]", value


def _is_data_path(path: str) -> bool:
    return path.startswith("datasets.") and path.endswith(".path")


def _same_records(one: Site, other: Site) -> int:
    """Return how many runs of two sites are one run: begun at once, to the same fraction."""
    return sum(
        _identity(record) == _identity(other.records[key])
        for key, record in one.records.items()
        if key in other.records
    )


def _identity(record: Record) -> tuple[object, ...]:
    return record.attempt, record.started, record.finished, record.wall_s, record.cpu_s


# --- sites that say the same --------------------------------------------------------------------


def twins_of(sites: Sequence[Site]) -> dict[str, str]:
    """Return each site whose every value equals an earlier one's for the same seeds, with it."""
    seen: list[tuple[str, Mapping[tuple[object, ...], float]]] = []
    twins = {}
    for site in sites:
        values = values_of(site)
        twin = next((name for name, other in seen if len(values) > 1 and other == values), "")
        if twin:
            twins[site.name] = twin
        else:
            seen.append((site.name, values))
    return twins


def values_of(site: Site) -> dict[tuple[object, ...], float]:
    """Return every value that a site's fresh seeds gave, by arm, dataset, seed and metric."""
    return {
        (run.arm, run.dataset, run.seed, metric): value
        for run in site.runs
        if run.status is Status.OK and run.seed_kind is SeedKind.FRESH and not run.replicate
        for metric, value in run.metrics.items()
    }
