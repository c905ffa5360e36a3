"""Join checks of one claims file that were made at different places: `repcheck merge A B ...`.

Nothing is executed: the stored runs of each folder are read, put to the same claims, and summarised
with the place as a factor. What comes out is `merge.json`, and `merge.html` made from it alone::

    repcheck      {version, schema}                  created, command      as in report.json
    paper         {title, authors, venue, version, url}
    headline      {sentence, verdict, counts}        of the file's first claim, and of all
    sites         [{name, folder, claims_sha256, artifacts, machines, pythons, salt, seeds,
                    runs: {planned, ok, failed, unfinished}, broken, command}]
    code          {same, words}                      whether all sites ran the same artifact
    notes         what a reader must know of the sites: identical values, seeds, other code
    claims        [{id, text, type, method, baselines, dataset, metric, unit, higher_is_better,
                    where, paper_where, verdict, parts}]
    claims[].parts[]   one number of the claim
        kind      gain, value, at_least, at_most, better;  axis: gain or value;  baseline
        claimed, claimed_text                        as in report.json
        sites     [{site, estimate, se, interval, level, n, crashed, kept_out, same_as,
                    verdict, detail, rule}]          the last three as the site's own check has them
        over_sites    null, or {k, estimate, se, df, interval, level, test, tau, tau_interval,
                    tau_level, i2, q, q_df, q_p, prediction, prediction_level,
                    claimed_within_prediction, seeds, shares}
        verdict   reproduced, not-reproduced, inconclusive, not-run;  detail, rule, caveats

Numbers stand on the claim's own axis: gains oriented (positive is better), values as the metric
has them. `tau` (the standard deviation between sites), `i2` and `prediction` are null below three
sites. `seeds` says whether the sites ran the same seeds (`all`, `some`, `none`); `shares` splits
the variance of the estimate into what sites, shared seeds and the paper's own number add.
`schema` grows by one where a key changes its meaning; new keys do not.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from repcheck import __version__
from repcheck.claims.model import Claims
from repcheck.errors import UsageError
from repcheck.exits import FLAGGED, OK, RUN_FAILED, UNDETERMINED
from repcheck.machine import stored
from repcheck.merge_page import page, terminal
from repcheck.merge_sites import (
    HASH_SHOWN,
    Site,
    read_sites,
    refuse_unlike,
    twins_of,
    values_of,
)
from repcheck.merged import WORST_FIRST, Json, merged_claim
from repcheck.publish import write_text
from repcheck.reporter import wants_colour
from repcheck.reproduction import ONE_LOOK
from repcheck.runs import SeedKind, Status
from repcheck.surroundings import command_line

SCHEMA = 1
FILE, PAGE = "merge.json", "merge.html"
DEFAULT_OUT = Path("repcheck-out") / "merge"
_SPOKEN = {
    "reproduced": "is reproduced",
    "not-reproduced": "is not reproduced",
    "inconclusive": "could not be decided",
    "not-run": "was not judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """What a person asked for: the folders, and names for them by the folder as typed."""

    folders: tuple[Path, ...]
    out: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    allow_other_code: bool = False
    strict: bool = False
    quiet: bool = False


def merge(request: MergeRequest) -> int:
    """Read the sites, summarise every claim over them, write the files; return the exit code.

    Raises:
        UsageError: if the folders cannot be merged, or nothing can be written.
        ClaimsError: if a kept claims file is invalid.
    """
    out = request.out or DEFAULT_OUT
    sites = read_sites(request.folders, request.names)
    _must_be_usable(out, sites)
    refuse_unlike(sites, allow_other_code=request.allow_other_code)
    made = build(sites)
    write_text(out / FILE, json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False))
    # What a person sees is made from the file, so that a program can read all of it.
    kept = json.loads((out / FILE).read_text(encoding="utf-8"))
    write_text(out / PAGE, page(kept))
    if not request.quiet:
        coloured = wants_colour(sys.stdout)
        click.echo(terminal(kept, coloured=coloured), nl=False, color=coloured)
        click.echo(f"report: {out / PAGE}", err=True)
    return code_of(kept, strict=request.strict)


def names_of(given: Sequence[str]) -> dict[str, str]:
    """Return what `--name FOLDER=NAME` says.

    Raises:
        UsageError: for a text without both.
    """
    found: dict[str, str] = {}
    for text in given:
        folder, mark, name = text.rpartition("=")
        if not (mark and folder and name.strip()):
            raise UsageError(f"--name {text}: write FOLDER=NAME, as in --name lab-a='Lab A'")
        found[folder.rstrip("/") or folder] = name.strip()
    return found


def code_of(made: Mapping[str, Any], *, strict: bool) -> int:
    """Return the exit code that a merge deserves, by the same order as a check's."""
    verdicts = {claim["verdict"] for claim in made["claims"]}
    if "not-reproduced" in verdicts:
        return FLAGGED
    if any(site["runs"]["failed"] or site["broken"] for site in made["sites"]):
        return RUN_FAILED
    return UNDETERMINED if strict and verdicts & {"inconclusive", "not-run"} else OK


def _must_be_usable(out: Path, sites: Sequence[Site]) -> None:
    """Refuse a folder that is one of the sites, or whose files no merge has left."""
    hint = "choose another folder with --out"
    here = out.resolve()
    for site in sites:
        root = site.folder.root.resolve()
        if here == root or here.is_relative_to(root / "store"):
            raise UsageError(f"{out}: is the folder of {site.name}; {hint}")
    taken = [name for name in (FILE, PAGE) if (out / name).exists() or (out / name).is_symlink()]
    before = stored.typed(out / FILE, dict, cap=stored.PLAN_CAP) or {}
    if taken and not before.keys() >= {"repcheck", "sites", "claims"}:
        raise UsageError(f"{out / taken[0]}: is not of an earlier merge; {hint}")


def build(sites: Sequence[Site]) -> Json:
    """Return everything that a merge found, as plain data."""
    twins = twins_of(sites)
    claims = [merged_claim(sites, index, twins) for index in range(len(sites[0].claims.claims))]
    counts = Counter(claim["verdict"] for claim in claims)
    artifacts = {site.artifacts for site in sites}
    return {
        "repcheck": {"version": __version__, "schema": SCHEMA},
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command_line(),
        "paper": _paper(sites[0].claims),
        "headline": {
            "sentence": _sentence(claims, sites),
            "verdict": claims[0]["verdict"],
            "counts": {word: counts.get(word, 0) for word in reversed(WORST_FIRST)},
        },
        "sites": [_site(site) for site in sites],
        "code": {"same": len(artifacts) == 1, "words": _code(sites, same=len(artifacts) == 1)},
        "notes": list(_notes(sites, twins)),
        "claims": claims,
    }


def _paper(claims: Claims) -> Json:
    paper = claims.paper
    said = {"title": paper.title, "venue": paper.venue, "version": paper.version, "url": paper.url}
    return {key: leaf.get("") for key, leaf in said.items()} | {
        "authors": list(paper.authors.get(()))
    }


def _site(site: Site) -> Json:
    planned = site.plan.runs
    ok = sum(run.status is Status.OK for run in site.runs)
    lost = sum(run.status.infrastructure for run in site.runs)
    fresh = sorted({run.seed for run in planned if run.seed_kind is SeedKind.FRESH})
    return {
        "name": site.name,
        "folder": str(site.folder.root),
        "claims_sha256": site.claims.sha256,
        "artifacts": list(site.artifacts),
        "machines": list(site.told("machine")),
        "pythons": list(site.told("python")),
        "salt": site.plan.salt,
        "seeds": fresh,
        "runs": {
            "planned": len(planned),
            "ok": ok,
            "failed": len(site.runs) - ok - lost,
            "unfinished": len(planned) - len(site.runs) - len(site.broken) + lost,
        },
        "broken": list(site.broken),
        "command": site.folder.command(),
    }


def _sentence(claims: Sequence[Json], sites: Sequence[Site]) -> str:
    first = claims[0]
    name = first["text"].rstrip(".") or f"claim {first['id']}"
    rows = first["parts"][0]["sites"]
    over = first["parts"][0]["over_sites"]
    counted = over["k"] if over else sum(not row["kept_out"] for row in rows)
    whole = counted in {0, len(sites)}
    of = f"{len(sites)} sites" if whole else f"{counted} of {len(sites)} sites"
    said = f"“{name}” {_SPOKEN[first['verdict']]} over {of}"
    own = Counter(row["verdict"].replace("-", " ") for row in rows)
    if len(own) == 1:
        return f"{said}; each of them by itself: {next(iter(own))}."
    return f"{said}; by themselves: {', '.join(f'{n} {word}' for word, n in own.most_common())}."


def _code(sites: Sequence[Site], *, same: bool) -> str:
    if same:
        shown = ", ".join(one[:HASH_SHOWN] for one in sites[0].artifacts)
        return f"all sites ran the same artifact ({shown})"
    told = "; ".join(
        f"{site.name}: {', '.join(one[:HASH_SHOWN] for one in site.artifacts)}" for site in sites
    )
    return (
        f"the sites ran other code ({told}): merged by --allow-other-code; differences between"
        " sites may be differences of the code, and this is no replication of one artifact"
    )


def _notes(sites: Sequence[Site], twins: Mapping[str, str]) -> Iterator[str]:
    for name, first in twins.items():
        n = len(values_of(next(site for site in sites if site.name == name)))
        yield (
            f"all {n} values of {name} equal those of {first} for the same seeds to the last digit:"
            " either the runs are bitwise reproducible or they were copied; they add no spread and"
            " no seeds, and beside other sites the two count as one"
        )
    for site in sites:
        shown = "; ".join(site.broken[:3])
        more = f"; and {len(site.broken) - 3} more" if len(site.broken) > 3 else ""
        if site.broken:
            yield f"{site.name}: {len(site.broken)} results are left out: {shown}{more}"
    if any(site.plan.most_seeds > ONE_LOOK for site in sites):
        yield (
            "a site may have stopped drawing seeds when its own were enough; its own verdict pays"
            " for that, the summary over sites does not"
        )
