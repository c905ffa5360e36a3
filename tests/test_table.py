"""The paper's tables: rows found by what they are about, numbers as they were printed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from repcheck.claims.load import load
from repcheck.claims.model import Claims, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, printed_list, written
from repcheck.over_rows import over_rows
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Undetermined
from repcheck.stats.printed import Printed, Rounding

HEAD = """repcheck: 1
datasets: {a: {public: true}, b: {public: true}}
methods:
  ours: {role: proposed, dataset: a}
metrics:
  accuracy: {higher_is_better: true, unit: percent}
claims:
  - {id: C1, type: existence, method: ours, metric: accuracy}
results:
"""


def table(tmp_path: Path, *rows: str) -> tuple[Claims, Table]:
    path = tmp_path / "claims.yaml"
    path.write_text(
        HEAD + "".join(f"  - {{method: ours, metric: accuracy, {row}}}\n" for row in rows)
    )
    claims = load(path)
    return claims, Evidence(claims=claims).get(Table)


def test_a_row_without_a_dataset_is_read_as_its_methods(tmp_path: Path) -> None:
    claims, found = table(tmp_path, "mean: 93.1", "dataset: b, mean: 71.0")
    assert found.row("ours", "a", "accuracy") is claims.results[0]
    assert found.row("ours", "b", "accuracy") is claims.results[1]
    assert set(found.metrics_of("ours", "a")) == {"accuracy"}
    assert found.beside(claims.results[1]) == (claims.results[1],)


def test_a_row_that_is_not_there_says_what_to_add(tmp_path: Path) -> None:
    _, found = table(tmp_path, "mean: 93.1")
    with pytest.raises(Missing, match="add a row of ours for accuracy on b") as caught:
        found.row("ours", "b", "accuracy")
    assert caught.value.reason is Reason.UNDECLARED_KEY


def test_two_rows_about_the_same_thing_contradict_each_other(tmp_path: Path) -> None:
    _, found = table(tmp_path, "mean: 93.1", "mean: 93.2")
    with pytest.raises(Missing) as caught:
        found.row("ours", "a", "accuracy")
    assert caught.value.reason is Reason.CONFLICTING_EVIDENCE


def test_an_operating_point_tells_rows_apart(tmp_path: Path) -> None:
    claims, found = table(tmp_path, "mean: 93.1", "mean: 80.0, at: {train_size: 160}")
    assert found.row("ours", "a", "accuracy") is claims.results[0]
    assert found.row("ours", "a", "accuracy", {"train_size": 160}) is claims.results[1]


def test_a_number_keeps_the_digits_that_were_printed(tmp_path: Path) -> None:
    claims, _ = table(tmp_path, "mean: 93.10", 'single: "94.3 %"')
    assert printed(centre_of(claims.results[0])).unit == Fraction(1, 100)
    assert printed(centre_of(claims.results[1])).unit == Fraction(1, 10)
    assert printed(centre_of(claims.results[0])).within(Rounding.ANY).low == Fraction("93.09")


def test_a_list_of_seeds_is_as_fine_as_its_finest_number(tmp_path: Path) -> None:
    claims, _ = table(tmp_path, "mean: 93.1, per_seed: [93.30, 92.2, 93]")
    seeds = printed_list(claims.results[0].per_seed)
    assert [float(seed.value) for seed in seeds] == [93.3, 92.2, 93.0]
    assert min(seed.unit for seed in seeds) in {Fraction(1, 10), Fraction(1, 100)}


def test_a_key_that_nobody_wrote_is_not_written(tmp_path: Path) -> None:
    claims, _ = table(tmp_path, "mean: 93.1")
    assert written(claims.results[0], "mean")
    assert not written(claims.results[0], "std")


def test_rows_are_answered_once_and_findings_one_by_one(tmp_path: Path) -> None:
    rows = ("mean: 1.0, n: 1", "mean: 2.0, n: 2", "mean: 3.0, n: 2", "mean: 4.0", "mean: 5.0")
    claims, _ = table(tmp_path, *rows)
    seen = Quantity(name="n", value=1, level=Level.FORENSIC)

    def ask(row: Result) -> Answer:
        if row.n.value == 1:
            return Flagged(message="alone", kind=Kind.MISMATCH, seen=seen)
        return Cleared(message="two", seen=seen, limit="one")

    flagged, cleared, undetermined = over_rows(claims.results, ask, needs="n")
    assert isinstance(flagged, Flagged)
    assert flagged.message == "ours, accuracy: alone"
    assert isinstance(cleared, Cleared)
    assert cleared.message == "2 rows; the first: two"
    assert isinstance(undetermined, Undetermined)
    assert undetermined.would_decide == "declare `results[3].n`, and so for 1 more"


def test_no_rows_are_not_applicable() -> None:
    def ask(row: Result) -> Answer:
        raise AssertionError(row)

    (answer,) = over_rows((), ask, needs="n")
    assert isinstance(answer, NotApplicable)


def test_any_rounding_is_wider_than_the_nearest() -> None:
    shown = Printed(value=Fraction(1), unit=Fraction(1, 10), text="1.0")
    assert shown.within().low > shown.within(Rounding.ANY).low
