"""Chosen seeds over whole papers: how often honest ones are found, and picked ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from observed_support import runs_of

from repcheck import rules
from repcheck.claims.load import load
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.facts.fresh import Again, Standing
from repcheck.facts.standings import Key, Side, Standings, assessed, family
from repcheck.judge import judge
from repcheck.rule import Judgement, Severity, State
from repcheck.stats.chosen import INNOCENT

Seeds = Callable[[np.random.Generator, int], np.ndarray]


def collapsing(random: np.random.Generator, n: int) -> np.ndarray:
    return np.where(random.random(n) < 0.1, 40.0, random.normal(90, 1, n))


SHAPES: Mapping[str, Seeds] = {
    "normal": lambda random, n: random.normal(90, 1, n),
    "skewed": lambda random, n: 95 - random.exponential(2, n),
    "heavy-tailed": lambda random, n: 90 + random.standard_t(3, n),
    "collapsing": collapsing,
    "gridded": lambda random, n: np.round(random.normal(90, 1, n) * 2) / 2,
}


def row(
    random: np.random.Generator, seeds: Seeds, n: int, *, side: str = "method", tried: int = 0
) -> Standing | None:
    """Return a reported row, its seeds being the best `n` of `tried` (0: just `n`), else None."""
    made = np.sort(seeds(random, tried or n)) if tried else seeds(random, n)
    declared = [float(v) for v in (made[-n:] if side == "method" else made[:n])]
    fresh = tuple(float(v) for v in seeds(random, 5))
    if len(set(fresh)) == 1:
        return None  # as `FreshSeeds` does
    shown = f"{fmean(declared):.2f}"
    return Standing(
        method="ours", reported=shown, value=float(shown), n=n, sign=1.0, fresh=fresh,
        declared=tuple(declared), again=Again.YES,
    )  # fmt: skip


def paper(
    random: np.random.Generator, seeds: Seeds, *, rows: int, n: int = 0, tried: int = 0
) -> tuple[bool, bool]:
    """Return whether a paper has a major finding, and whether it has a note."""
    found: dict[Key, Standing] = {}
    singles: list[Standing] = []
    notes = False
    for at in range(rows):
        count = n or int(random.choice([1, 3, 5]))
        side = "method" if tried or random.random() < 0.5 else "baseline"
        one = row(random, seeds, count, side=side, tried=tried)
        if one is None:
            continue
        one = replace(one, dataset=f"data {at}")
        notes |= (one.excess if side == "method" else -one.excess) > one.likely
        found[side, at] = one
        if count == 1 and side == "method":
            singles.append(one)
    favours, ranked = assessed(found, singles)
    major = any(one.found for one in favours.values()) or (ranked is not None and ranked.found)
    return major, notes


def share(
    papers: int, seeds: Seeds, *, rows: int = 0, n: int = 0, tried: int = 0, start: int = 0
) -> tuple[float, float]:
    """Return the shares of papers with a major finding and with a note."""
    random = np.random.default_rng(start)
    found = [
        paper(random, seeds, rows=rows or int(random.integers(1, 9)), n=n, tried=tried)
        for _ in range(papers)
    ]
    return fmean(major for major, _ in found), fmean(note for _, note in found)


def test_honest_papers_have_a_major_finding_in_five_percent_whatever_their_seeds_look_like():
    found = [share(50, seeds, start=at)[0] for at, seeds in enumerate(SHAPES.values())]
    assert fmean(found) <= 0.06  # 250 papers: one standard error is 0.014


def test_the_best_three_of_twenty_and_the_best_runs_of_ten_claims_are_found():
    normal = SHAPES["normal"]
    assert share(150, normal, rows=1, n=3, tried=20)[0] == pytest.approx(0.60, abs=0.09)
    assert share(20, normal, rows=10, n=1, tried=20)[0] == 1.0
    assert share(40, normal, rows=10, n=1, tried=5)[0] >= 0.8
    assert share(20, normal, rows=1, n=1, tried=20)[0] == 0.0  # 1/6 is the least one claim can have


def test_tests_that_cannot_reject_are_set_aside_and_cost_the_others_nothing():
    three, five = 1 / 56, 1 / 252
    assert family([three] * 2) == [False] * 2
    assert family([three] * 3) == [True] * 3
    assert family([five] * 12) == [False] * 12
    assert family([five] * 8 + [three] * 6 + [1 / 6]) == [False] * 8 + [True] * 7
    assert family([]) == []


# --- papers with their runs -------------------------------------------------------------------

FRESH = (88.1, 87.0, 89.2, 88.6, 87.6)


def paper_of(
    folder: Path, rows: Mapping[str, str], seeds: str, runs: Mapping[str, Sequence[float]]
) -> Evidence:
    """Return a paper of one proposed method with a row and reruns on each dataset."""
    metric = "{acc: {higher_is_better: true, unit: percent}}"
    results = "".join(f"\n  - {{method: ours, dataset: {d}, metric: acc, {row}}}"
                      for d, row in rows.items())  # fmt: skip
    claimed = "".join(f"\n  - {{id: C{d}, method: ours, baselines: [base], dataset: {d}, "
                      "metric: acc, type: improvement}" for d in rows)  # fmt: skip
    path = folder / "claims.yaml"
    path.write_text(
        f"repcheck: 1\ndatasets: {{{', '.join(f'{d}: {{}}' for d in rows)}}}\nmetrics: {metric}\n"
        f"results:{results}\nmethods:\n  ours: {{role: proposed, seeds: {seeds}}}\n"
        f"  base: {{role: baseline}}\nclaims:{claimed}\n"
    )
    made = [
        {"dataset": d, "seed": start + at, "seed_kind": kind, "metrics": {"acc": value}}
        for d in rows
        for kind, start, values in (("fresh", 1000, FRESH), ("declared", 0, runs.get(d, ())))
        for at, value in enumerate(values)
    ]
    return Evidence(claims=load(path), runs=runs_of({"ours": made}))


def standing_of(evidence: Evidence) -> Standing:
    standings = evidence.get(Standings)
    [row] = evidence.claims.results
    found = standings.of("method", row)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("row", "seeds", "rerun", "again"),
    [
        ("mean: 91.9, n: 3", "[0, 1, 2]", (91.7, 91.9, 92.1), Again.YES),
        ("mean: 91.9, n: 3", "[0, 1, 2]", (90.7, 90.9, 91.1), Again.NO),
        ("mean: 91.9, n: 3", "[0, 1, 2]", (91.7, 91.9), Again.UNKNOWN),  # one failed
        ("mean: 91.9, n: 3", "[0, 1]", (91.8, 92.0), Again.UNKNOWN),
        ("mean: 91.9, n: 3", "{chosen: preset}", (), Again.UNKNOWN),
        # Of ten seeds five are rerun.
        ("mean: 91.9, n: 10", "10", (91.5, 91.9, 92.6, 91.0, 92.1), Again.YES),
        ("mean: 91.9, n: 10", "10", (88.1, 88.9, 87.6, 88.0, 87.1), Again.NO),
        (
            "mean: 90, n: 6, per_seed: [92, 91, 90, 89, 88, 90]",
            "6",
            (92, 91, 90, 89, 88),
            Again.YES,
        ),
        ("mean: 90, n: 6, per_seed: [92, 91, 90, 89, 88, 90]", "6", (88, 89, 90, 91, 92), Again.NO),
        # A single run is one of the seeds.
        ("single: 91.9, n: 1", "[0, 1, 2]", (88.1, 91.9, 87.0), Again.YES),
        ("single: 91.9, n: 1", "[0, 1, 2]", (88.1, 88.0, 87.0), Again.NO),
        ("single: 91.9, n: 1", "7", (88.1, 88.0, 87.0, 87.5, 88.4), Again.UNKNOWN),
    ],
)
def test_whether_declared_seeds_give_a_number_again_is_known_or_not(
    tmp_path, row, seeds, rerun, again
):
    one = standing_of(paper_of(tmp_path, {"digits": row}, seeds, {"digits": rerun}))
    assert one.again is again
    assert bool(one.gap) is (again is Again.UNKNOWN)


@pytest.mark.parametrize(
    ("row", "seeds"),
    [
        ("best: 91.9, n: 3", "[0, 1, 2]"),
        ("median: 91.9, n: 3", "[0, 1, 2]"),
        ("mean: 91.9, n: 3", "{train: [0, 1, 2], chosen: {best_of: 20}}"),
    ],
    ids=["best", "median", "chosen by the authors' words"],
)
def test_what_is_no_mean_of_ordinary_runs_is_not_held_against_them(tmp_path, row, seeds):
    evidence = paper_of(tmp_path, {"digits": row}, seeds, {"digits": (91.7, 91.9, 92.1)})
    standings = evidence.get(Standings)
    assert (standings.of_rows, standings.favours, standings.ranked) == ({}, {}, None)


def test_runs_that_read_fractions_are_not_held_against_percent(tmp_path):
    row = {"digits": "single: 91.9, n: 1"}
    percent = paper_of(tmp_path, row, "{chosen: preset}", {})
    assert standing_of(percent).excess == pytest.approx(3.8)
    runs = tuple(replace(run, metrics={"acc": run.metrics["acc"] / 100}) for run in percent.runs)
    fractions = Evidence(claims=percent.claims, runs=runs).get(Standings)
    assert (fractions.of_rows, fractions.ranked) == ({}, None)


def test_a_number_above_its_reruns_is_a_note_unless_its_seeds_are_tested(tmp_path):
    evidence = paper_of(tmp_path, {"digits": "mean: 95.0, std: 0.1, n: 3"}, "{chosen: preset}", {})
    note, gap, unseen = judged(evidence, "RC205")
    assert unseen.would_decide == "5 fresh seeds of a mean or a single run of `base`"
    assert (note.state, note.severity) == (State.FLAGGED, Severity.NOTE)
    assert "better than 95 % of such means would be" in note.message
    assert "not reachable from the released configuration as run" in note.message
    assert "more like the best of 3 seeds than like their mean (Bayes factor" in note.message
    for reason in INNOCENT[:4]:
        assert reason in note.message
    assert (gap.reason, gap.would_decide) == (
        Reason.UNDECLARED_KEY,
        "declare `methods.ours.seeds.train`",
    )


def test_a_number_that_its_seeds_do_not_give_again_is_never_flagged(tmp_path):
    rows = {name: "single: 95.0, n: 1" for name in "abcde"}
    evidence = paper_of(tmp_path, rows, "[0]", dict.fromkeys(rows, (88.0,)))
    found = [*judged(evidence, "RC205"), *judged(evidence, "RC205b")]
    assert all((one.is_note and "single seed" in one.message) or one.state is State.UNDETERMINED
               for one in found)  # fmt: skip
    assert {one.reason for one in found if one.state is State.UNDETERMINED} == {
        Reason.CONFLICTING_EVIDENCE,
        Reason.NOT_OBSERVED,
    }


def test_rows_too_weak_to_be_tested_apart_are_tested_together(tmp_path):
    rows = {name: "mean: 91.9, n: 3" for name in "abc"}
    again = dict.fromkeys(rows, (91.7, 91.9, 92.1))
    evidence = paper_of(tmp_path, rows, "[0, 1, 2]", again)
    [found] = judged(evidence, "RC205b")
    assert (found.state, found.severity) == (State.FLAGGED, Severity.MAJOR)
    assert "over 3 reported numbers published seeds stand as high" in found.message
    assert found.quantities[-1].value == pytest.approx(56.0**-3)
    apart = judged(evidence, "RC205")
    assert {one.state for one in apart if not one.is_note} == {State.UNDETERMINED}
    decided = "RC205b, which judges all such numbers together"
    assert [one.would_decide for one in apart if "too few seeds" in one.message] == [decided] * 3


def test_weak_baselines_leave_the_error_rate_to_the_method_and_say_what_they_need():
    random = np.random.default_rng(0)
    sides: tuple[Side, ...] = ("method", "baseline", "baseline")
    rows = {(side, at): row(random, SHAPES["normal"], 3) for at, side in enumerate(sides)}
    favours, ranked = assessed({key: one for key, one in rows.items() if one is not None}, [])
    assert ranked is not None
    assert (len(ranked.standings), ranked.family, ranked.p) == (1, 1, ranked.alone)
    assert ranked.power == pytest.approx(0.60, abs=0.06)
    weak = favours["baseline", 1]
    assert (weak.apart, weak.found, weak.family, weak.power) == (False, False, 3, 0.0)
    assert weak.needed == "6 fresh seeds"


def test_a_single_run_alone_needs_nineteen_fresh_seeds_or_two_more_datasets():
    one = row(np.random.default_rng(0), SHAPES["normal"], 1)
    assert one is not None
    _, ranked = assessed({}, [one])
    assert ranked is not None
    assert (ranked.p, ranked.power, ranked.found) == (1.0, 0.0, False)
    assert ranked.needed == (
        "19 fresh seeds of each number, or such numbers on 3 datasets with 5 fresh seeds each"
    )


def test_one_seed_that_does_well_on_all_datasets_at_once_is_no_finding():
    random = np.random.default_rng(0)
    found = []
    for _ in range(150):
        made = random.normal(90, 0.7, (10, 6)) + random.normal(0, 0.7, (1, 6))
        singles = [
            Standing(
                method="ours", dataset=f"data {at}", metric="acc", reported=f"{one[0]:.2f}",
                value=round(float(one[0]), 2), n=1, sign=1.0, fresh=tuple(one[1:].tolist()),
                declared=(float(one[0]),), again=Again.YES,
            )
            for at, one in enumerate(made)
        ]  # fmt: skip
        _, ranked = assessed({}, singles)
        assert ranked is not None
        found.append((ranked.above, ranked.found))
    above, both = np.mean(found, axis=0)
    assert above > 0.2  # what datasets taken as independent would find
    assert both <= 0.08  # one standard error at 5 % is 0.018


def test_single_runs_are_ranked_together_one_a_dataset(tmp_path):
    rows = {name: "single: 91.9, n: 1" for name in "abc"}
    evidence = paper_of(tmp_path, rows, "[0]", dict.fromkeys(rows, (91.9,)))
    path = tmp_path / "claims.yaml"
    second = "results:\n  - {method: also, dataset: a, metric: acc, single: 91.9, n: 1}"
    path.write_text(
        path.read_text()
        .replace("results:", second)
        .replace("claims:", "  also: {role: proposed, seeds: [0]}\nclaims:\n"
                 "  - {id: D, method: also, dataset: a, metric: acc, value: 91.9}")
    )  # fmt: skip
    more = [replace(run, method="also", arm="also") for run in evidence.runs if run.dataset == "a"]
    ranked = Evidence(claims=load(path), runs=(*evidence.runs, *more)).get(Standings).ranked
    assert ranked is not None
    assert [(one.method, one.dataset) for one in ranked.standings] == [
        ("also", "a"), ("ours", "b"), ("ours", "c"),
    ]  # fmt: skip
    assert (ranked.alone, ranked.found_again) == (pytest.approx(6.0**-3), True)


def judged(evidence: Evidence, code: str) -> list[Judgement]:
    return judge(evidence, [rules.load()[code]])
