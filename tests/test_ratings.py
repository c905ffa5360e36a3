"""Ratings of people: what is read, what is recomputed, and what is asked of a person."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from repcheck import rules
from repcheck.claims.load import parse
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.ratings import read
from repcheck.rule import Judgement, Severity, State
from repcheck.stats.raters import alpha, gained, half_p, missing_where_worse, without_one
from repcheck.tabular import Unreadable

RULES = rules.load()
CLAIMS = """
repcheck: 1
datasets: {{a: {{public: true}}}}
methods: {{ours: {{role: proposed}}, base: {{role: baseline}}}}
metrics: {{mos: {{higher_is_better: true}}}}
claims: [{{id: C1, method: ours, baselines: [base], metric: mos, improvement: 0.5}}]
human_evaluation: {{{study}}}
"""
BLIND = "blinded: true, randomised: true, order_counterbalanced: true, raw_ratings: r.csv"


def judged(folder: Path, rows: list[tuple[object, ...]], head: str, study: str) -> list[Judgement]:
    (folder / "r.csv").write_text(
        "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"
    )
    claims = parse(CLAIMS.format(study=study), "c.yaml")
    return judge(Evidence(claims=claims, artifact=folder), [RULES["RC511"]])


def flags(found: list[Judgement]) -> dict[str, Severity | None]:
    return {one.message: one.severity for one in found if one.state is State.FLAGGED}


# --- the numbers ----------------------------------------------------------------------------------


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    coders = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    said = [(u, float(v)) for line in coders for u, v in enumerate(line.split()) if v != "."]
    units, values = (np.array(column) for column in zip(*said, strict=True))
    assert alpha(units, values, "interval") == pytest.approx(0.849, abs=5e-4)
    assert alpha(units, values, "ordinal") == pytest.approx(0.815, abs=5e-4)


def test_alpha_is_the_ratio_of_disagreements_pair_by_pair() -> None:
    random = np.random.default_rng(0)
    units = np.repeat(np.arange(8), 4)
    values = random.integers(1, 6, 32).astype(float)
    within = [
        (values[a] - values[b]) ** 2 / 3
        for unit in range(8)
        for a, b in combinations(np.flatnonzero(units == unit), 2)
    ]
    between = [(values[a] - values[b]) ** 2 for a, b in combinations(range(32), 2)]
    by_hand = 1 - (sum(within) / 32) / (sum(between) / (32 * 31))
    assert alpha(units, values, "interval") == pytest.approx(by_hand)
    assert alpha(np.arange(5), np.arange(5.0), "interval") is None
    assert alpha(np.zeros(5, int), np.ones(5), "interval") is None


def test_the_interval_over_raters_and_items_covers_what_plain_ones_do_not() -> None:
    random = np.random.default_rng(0)
    covered = plain = 0
    for _ in range(30):
        gains = (
            random.standard_normal(6)[:, None]
            + random.standard_normal(20)
            + random.standard_normal((6, 20))
        ).ravel()
        who, what = (one.ravel() for one in np.indices((6, 20)))
        found = gained(gains, who, what, random)
        covered += found.low <= 0 <= found.high
        plain += abs(gains.mean()) <= 1.96 * gains.std() / math.sqrt(120)
    assert covered >= 25
    assert plain < covered


def test_leaving_out_one_rater_and_the_share_of_first_places_are_exact() -> None:
    rest = without_one(np.array([1.0, 1, -4, 2]), np.array([0, 0, 1, 2]))
    assert rest.tolist() == [-1.0, 4 / 3, -2 / 3]
    assert half_p(10, 10) == pytest.approx(2 / 1024)
    assert half_p(5, 10) == 1.0
    assert half_p(0, 5) == pytest.approx(2 / 32)


def test_ratings_that_are_missing_at_random_are_not_found_missing_where_it_hurts() -> None:
    random = np.random.default_rng(0)
    gains = random.standard_normal(30)
    chance = [
        missing_where_worse(gains.tolist(), random.poisson(1, 30).tolist(), random, 999)
        for _ in range(40)
    ]
    assert sum(p < 0.05 for p in chance) <= 6
    worst = (gains < -0.5).astype(int).tolist()
    assert missing_where_worse(gains.tolist(), worst, random, 999) == 0.001


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rater,item,method,score\nr,i,ours,five\n", "no number"),
        ("rater,item,method,score\nr,i,ours,nan\n", "no number"),
        ("rater,item,method,score\nr,i,ours,1\nr,i,ours,2\n", "is rated twice"),
        ("rater,item,method,score\n,i,ours,1\n", "no rater"),
        ("rater,item,method,score,position\nr,i,ours,1,above\n", "neither a number nor left"),
        ("rater,item,method\nr,i,ours\n", "no column 'score'"),
        ("rater,item,preferred\nr,i,ours\nr,i,base\n", "is rated twice"),
        ("item,preferred\ni,ours\n", "no column 'rater'"),
    ],
)
def test_ratings_that_cannot_be_used_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(Unreadable, match=words):
        read(tmp_path, "r.csv")


def test_methods_that_nobody_knows_are_asked_for(tmp_path: Path) -> None:
    rows = [("r1", "i1", "A"), ("r2", "i1", "B")]
    [found] = judged(tmp_path, rows, "rater,item,preferred", BLIND)
    assert (found.state, found.reason) == (State.UNDETERMINED, Reason.CONFLICTING_EVIDENCE)
    assert "names A, B" in found.would_decide


# --- studies --------------------------------------------------------------------------------------


def scores(raters: int, items: int, gain: float, seed: int = 0) -> list[tuple[object, ...]]:
    """Return a counterbalanced study of scores from 1 to 9, one row a score."""
    random = np.random.default_rng(seed)
    level, better = random.normal(5, 1.5, items), gain + random.normal(0, 0.6, items)
    rows: list[tuple[object, ...]] = []
    for a in range(raters):
        for i in range(items):
            for name, by in (("ours", better[i]), ("base", 0.0)):
                score = int(np.clip(round(level[i] + by + random.normal(0, 0.5)), 1, 9))
                first = (a + i) % 2 == (name == "base")
                rows.append((f"r{a}", f"i{i}", name, score, 1 if first else 2))
    return rows


HEAD = "rater,item,method,score,position"


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_study_is_left_to_a_person_with_its_material(tmp_path: Path, seed: int) -> None:
    rows = scores(8, 20, 0.8, seed)
    [found] = judged(tmp_path, rows, HEAD, f"raters: 8, items: 20, {BLIND}")
    assert (found.state, found.reason) == (State.UNDETERMINED, Reason.NEEDS_HUMAN)
    for material in ("mean gain of ours over base +", "alpha (ordinal)", "ours first in 80 of 160"):
        assert material in found.message
    assert "who were the raters" in found.would_decide


def test_raters_who_each_judge_a_part_of_the_items_leave_no_holes(tmp_path: Path) -> None:
    rows = [row for row in scores(12, 24, 1.0) if int(row[0][1:]) % 3 == int(row[1][1:]) % 3]
    assert flags(judged(tmp_path, rows, HEAD, f"raters: 12, items: 24, {BLIND}")) == {}


def test_a_few_ratings_that_got_lost_are_minor_wherever_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows = scores(8, 20, 1.0)
    lost = {(f"r{n % 8}", f"i{n // 8}") for n in random.choice(160, 8, replace=False)}
    found = flags(judged(tmp_path, [r for r in rows if r[:2] not in lost], HEAD, BLIND))
    assert list(found.values()) == [Severity.MINOR]
    assert "8 of 160 pairs of rater and item are missing" in next(iter(found))


def test_ratings_of_one_method_alone_that_are_missing_are_major(tmp_path: Path) -> None:
    rows = scores(8, 20, 1.0)
    kept = [r for n, r in enumerate(rows) if not (r[2] == "ours" and n % 9 == 0)]
    found = flags(judged(tmp_path, kept, HEAD, BLIND))
    [(words, severity)] = [(m, s) for m, s in found.items() if "are missing" in m]
    assert severity is Severity.MAJOR
    assert "of ours alone" in words


def test_a_gain_that_chance_explains_is_not_shown_by_the_ratings(tmp_path: Path) -> None:
    found = flags(judged(tmp_path, scores(4, 6, 0.02, 4), HEAD, BLIND))
    assert any("do not show that ours is better" in words for words in found)
    study = "raters: 4, items: 6, " + BLIND
    claims = CLAIMS.replace("improvement: 0.5", "type: equivalence, margin: 1.0")
    evidence = Evidence(claims=parse(claims.format(study=study), "c.yaml"), artifact=tmp_path)
    assert not [j for j in judge(evidence, [RULES["RC511"]]) if "do not show" in j.message]


def test_ratings_that_were_invented_whole_are_never_cleared(tmp_path: Path) -> None:
    rows = [(f"r{a}", f"i{i}", n, s) for a in range(5) for i in range(9)
            for n, s in (("ours", 5 + i % 3), ("base", 3 + i % 3))]  # fmt: skip
    found = judged(tmp_path, rows, "rater,item,method,score", BLIND)
    assert {one.state for one in found} == {State.UNDETERMINED}
