"""Claim cards: one claim with its numbers, its verdicts, its flags and the runs behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.forest import Numbers, failed_first, numbers, wording

Json = Mapping[str, Any]
# Ids of the page itself; a claim must not take one.
SECTIONS = (
    *("main", "verdict", "claims", "checks", "flagged", "undetermined", "no-rule-yet", "cards"),
    *(
        "arms",
        "currency",
        "budgets",
        "training",
        "unseen",
        "seeds",
        "undeclared",
        "runs",
        "provenance",
        "reproduce",
        "words",
    ),
)
_OURS = re.compile(r"RC\d|trick-\d")
FULL_CARDS = 120
EVIDENCE_ROWS = 600
EVIDENCE_ROWS_OF_A_CLAIM = 40
FLAGS_OF_A_CLAIM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One number of a claim."""

    about: str
    verdict: words.Word
    detail: str
    numbers: Numbers
    rule: str
    n: str
    test: str
    level: str
    robust: str
    datasets: tuple[OfDataset, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDataset:
    """One dataset of a claim over several, which has no verdict of its own."""

    dataset: str
    observed: str
    interval: str
    n: str
    p: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A finding that bears on the claim."""

    judgement: Json
    anchor: str
    rule_anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One claim; a short card (of a paper with very many) leaves the evidence to report.json."""

    claim: Json
    said: str
    anchor: str
    full: bool
    headline: bool
    verdict: words.Word
    fairness: words.Word
    tone: str
    detail: str
    main: Part
    parts: tuple[Part, ...]
    flags: tuple[Flag, ...]
    more_flags: int
    arithmetic: tuple[Json, ...]
    open_rules: tuple[tuple[str, str], ...]
    runs: tuple[Json, ...]
    more_runs: int
    tally: str
    not_run: bool
    described: tuple[str, ...]


def anchors(claims: Iterable[Json]) -> dict[str, str]:
    """Return an id for each claim that can stand in a link and occurs once on the page."""
    found: dict[str, str] = {}
    taken: set[str] = set(SECTIONS)
    for claim in claims:
        base = text.anchor(claim["id"])
        wanted = base = f"claim-{base}" if base in taken or _OURS.match(base) else base
        again = 2
        while wanted in taken:
            wanted, again = f"{base}-{again}", again + 1
        taken.add(wanted)
        found[claim["id"]] = wanted
    return found


def cards(report: Json, named: Mapping[str, str]) -> list[Card]:
    """Return the cards in the order of the forest table."""
    flagged, arithmetic, decides = _judgements(report["judgements"])
    runs = _runs(report["runs"])
    room = EVIDENCE_ROWS
    made = []
    for index, claim in enumerate(failed_first(report["claims"])):
        full = index < FULL_CARDS
        evidence = _evidence(claim, runs)
        most = min(EVIDENCE_ROWS_OF_A_CLAIM, room) if full else 0
        kept = evidence[:most]
        room -= len(kept)
        made.append(
            _card(
                claim,
                named[claim["id"]],
                (full, index == 0),
                (kept, len(evidence) - len(kept)),
                (flagged.get(claim["id"], []), arithmetic.get(claim["id"], []), decides),
            )
        )
    return made


Sorted = tuple[dict[str, list[Json]], dict[str, list[Json]], dict[str, str]]


def _judgements(judgements: Iterable[Json]) -> Sorted:
    """Return flags and arithmetic by claim, and what would decide each open rule."""
    flagged: dict[str, list[Json]] = {}
    arithmetic: dict[str, list[Json]] = {}
    decides: dict[str, str] = {}
    for one in judgements:
        if one["state"] == "undetermined":
            decides.setdefault(one["rule"], one["would_decide"])
        for claim in one["claims"]:
            if one["state"] == "flagged":
                flagged.setdefault(claim, []).append(one)
            if one["part"] == "forensic" and one["state"] in {"flagged", "cleared"}:
                arithmetic.setdefault(claim, []).append(one)
    return flagged, arithmetic, decides


def _runs(runs: Iterable[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for run in runs:
        found.setdefault(run["method"], []).append(run)
    return found


def _evidence(claim: Json, runs: Mapping[str, list[Json]]) -> list[Json]:
    """Return the runs of the claim's method and baselines, the failed ones first."""
    methods = dict.fromkeys([claim["method"], *claim["baselines"]])
    dataset = claim["dataset"]
    found = [
        run
        for method in methods
        for run in runs.get(method, ())
        if not dataset or run["dataset"] in {dataset, ""}
    ]
    return sorted(found, key=lambda run: run["status"] == "ok")


def _card(
    claim: Json,
    anchor: str,
    kind: tuple[bool, bool],
    runs: tuple[list[Json], int],
    judged: tuple[Sequence[Json], Sequence[Json], Mapping[str, str]],
) -> Card:
    found, fairness = claim["reproduction"], claim["fairness"]
    flagged, arithmetic, decides = judged
    unit = str(claim.get("unit") or "")
    (full, headline), (kept, more) = kind, runs
    parts = claim.get("parts") or [found]
    not_run = found["verdict"] == "not-run"
    verdict, fair = words.verdict(found["verdict"]), words.fairness(fairness)
    return Card(
        claim=claim,
        said=wording(claim),
        anchor=anchor,
        full=full,
        headline=headline,
        verdict=verdict,
        fairness=fair,
        tone=words.tone(verdict.css, fair.css),
        detail=words.plain(found.get("detail")),
        main=_part(found, unit),
        parts=tuple(_part(part, unit) for part in parts) if len(parts) > 1 else (),
        flags=_flags(flagged, anchor),
        more_flags=max(0, len(flagged) - FLAGS_OF_A_CLAIM),
        arithmetic=tuple(arithmetic[:FLAGS_OF_A_CLAIM]) if not_run else (),
        open_rules=tuple(
            (f"{one['rule']} {one['name']}".rstrip(), decides.get(one["rule"], ""))
            for one in fairness.get("required_undetermined") or ()
        ),
        runs=tuple(kept),
        more_runs=more,
        tally=_tally(claim["rules"]),
        not_run=not_run,
        described=tuple(one["words"] for one in claim.get("descriptive") or ()),
    )


def _flags(flagged: Sequence[Json], anchor: str) -> tuple[Flag, ...]:
    found: list[Flag] = []
    seen: set[str] = set()
    ordered = sorted(flagged, key=lambda one: words.severity_rank(one["severity"]))
    for one in ordered[:FLAGS_OF_A_CLAIM]:
        code = text.anchor(one["rule"])
        own = "" if code in seen else f"{anchor}-{code}"
        seen.add(code)
        found.append(Flag(judgement=one, anchor=own, rule_anchor=code))
    return tuple(found)


def _part(found: Json, unit: str) -> Part:
    counted = found.get("n") or {}
    baseline = found.get("baseline")
    n = f"{counted.get('method') or 0}"
    if counted.get("baseline") is not None:
        n += f" + {counted['baseline']}"
    gain = found.get("axis") == "gain"
    places = text.decimals(found.get("claimed_text") or "")
    return Part(
        about=f"gain over {baseline}" if baseline else "value",
        verdict=words.verdict(found["verdict"]),
        detail=words.plain(found.get("detail")),
        numbers=numbers(found, unit),
        rule=found.get("rule") or "",
        n=n,
        test=found.get("test") or "",
        level=text.percent(found.get("level")),
        robust=(found.get("permutation") or {}).get("in_words") or "",
        datasets=tuple(_dataset(one, places, gain=gain) for one in found.get("datasets") or ()),
    )


def _dataset(one: Json, places: int, *, gain: bool) -> OfDataset:
    n, observed = one["n"], one["observed"]
    p = one["p"]
    return OfDataset(
        dataset=one["dataset"],
        observed="" if observed is None else text.fixed(observed, places, sign=gain),
        interval=text.interval(one["interval"], places, sign=gain),
        n=f"{n['method']}" + ("" if n["baseline"] is None else f" + {n['baseline']}"),
        p="" if p is None else f"{p:.2g}",
        shown={True: "shown", False: "not shown", None: "not judged by itself"}[one["shown"]],
    )


def _tally(states: Mapping[str, int]) -> str:
    """Return `1 flagged, 0 cleared, 20 undetermined, 3 not applicable`."""
    always = ("flagged", "cleared", "undetermined", "not-applicable")
    said = [f"{states.get(state, 0)} {words.state(state).word}" for state in always]
    said += [f"{states['note']} {words.state('note').word}"] if states.get("note") else []
    said += [f"{states['error']} broke"] if states.get("error") else []
    return ", ".join(said)
