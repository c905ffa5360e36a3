"""Odd numbers in claims files and in bare tables: each is read or refused with its place."""

from __future__ import annotations

import random
import warnings
from fractions import Fraction
from pathlib import Path

import pytest

from repcheck import rules
from repcheck.bare_table import InvalidTable, read_table
from repcheck.claims.load import load
from repcheck.claims.problems import ClaimsError
from repcheck.fact import Evidence
from repcheck.facts.table import printed
from repcheck.forensics_page import answers_of, examined
from repcheck.judge import judge
from repcheck.rule import State

# Text; what a claims file makes of it, quoted, as it stands in flow style; what a bare table does.
# A number: it is read so. `=text`: refused, and the message has this text. `~93`: an estimate.
# `empty`: no number, and counted as such.
LONG = "9" * 400
ODD = [
    ("93.4(2)", "=write the spread beside it", "93.4"),
    ("93,4", "=write a decimal point", "93.4"),
    ("93.4±.2", "=write the spread beside it", "93.4"),
    ("93.4 ± 0.2 (n=5)", "=write the spread beside it", "93.4"),
    ("~93", "=a bound is no number", "~93"),
    (">99", "=a bound is no number", ">99"),
    ("93.4%", "93.4", "93.4"),
    ("93.4*", "93.4", "93.4"),
    ("**93.4**", "=write the digits alone", "93.4"),
    ("1e-3", "0.001", "0.001"),
    ("−0.3", "-0.3", "-0.3"),
    ("-0.30", "-0.30", "-0.30"),
    ("1_000", "=not one number", "=more than one number"),
    ("1,234", "1234", "=can be 1.234 or 1234"),
    ("93.4/92.1", "=not one number", "=more than one number"),
    ("", "=write the number, or `undeclared`", "empty"),
    ("-", "=write the number, or `undeclared`", "empty"),
    ("n/a", "=reports no number", "empty"),
    ("NaN", "=not a finite number", "empty"),
    ("inf", "=not a finite number", "=is no number: write one"),
    ("1e999", "=not a finite number", "=is no number"),
    (LONG, "=far too long", "=far too long"),
    (f"0.{LONG}", "=far too long", "=far too long"),
    ("abc", "=is not a number", "=is no number: write one"),
]
IDS = [text[:20] or "nothing" for text, _, _ in ODD]

CLAIMS = """\
repcheck: 1
methods: {{a: {{role: proposed}}, b: {{role: baseline}}}}
metrics: {{bleu: {{higher_is_better: true, unit: percent}}}}
results:
  - {{method: b, metric: bleu, mean: 1.5}}
  - {{method: a, metric: bleu, mean: "{}"}}
claims: [{{id: C1, method: a, baselines: [b], metric: bleu, improvement: 1}}]
"""


@pytest.mark.parametrize(("text", "expected", "_"), ODD, ids=IDS)
def test_a_claims_file_reads_an_odd_number_or_refuses_it_with_place_and_remedy(
    tmp_path: Path, text: str, expected: str, _: str
) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text(CLAIMS.format(text), encoding="utf-8")
    if not expected.startswith("="):
        shown = printed(load(file).results[1].mean)
        decimals = len(expected.partition(".")[2])
        assert shown.value == Fraction(expected)
        assert shown.unit == Fraction(1, 10**decimals)
        return
    with pytest.raises(ClaimsError) as caught:
        load(file)
    [problem] = caught.value.problems
    assert str(problem.place).startswith(f"{file}:6:")
    assert expected[1:] in str(caught.value)


@pytest.mark.parametrize(("text", "_", "expected"), ODD, ids=IDS)
def test_a_bare_table_reads_an_odd_number_or_refuses_it_with_place_and_remedy(
    tmp_path: Path, text: str, _: str, expected: str
) -> None:
    file = tmp_path / "table.csv"
    file.write_text(f'method,bleu,ter\na,31.2,3\nb,"{text}",4\n', encoding="utf-8")
    if expected.startswith("="):
        with pytest.raises(InvalidTable) as caught:
            read_table(file)
        assert str(caught.value).startswith(f"{file}:3:3: ")
        assert expected[1:] in str(caught.value)
        return
    cell = read_table(file).entries[2].cell
    said, _code = examined(file, n_test=None, form="table")
    if expected == "empty":
        assert cell.value is None
        assert f"cells without a number: 1 ({f'`{text}`' if text else 'blank'})" in said
        return
    assert cell.value is not None
    assert (cell.value.value, cell.inexact) == (Fraction(expected.strip("~>")), expected[:1].strip(
        "-0123456789"))  # fmt: skip
    assert ("bounds and estimates, not reckoned with: 1" in said) is bool(cell.inexact)


def test_a_cell_may_name_its_seeds(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("m,acc\na,93.4 ± 0.2 (n=5)\nb,92.1 ± 0.3 (3 seeds)\n", encoding="utf-8")
    assert [entry.n for entry in read_table(file).entries] == [5, 3]


EXTREMES = (
    "0", "0.0", "1e-300", "1e300", "-1e300", "123456789012345678901234567890", "0.00000000001",
    "100", "99.999999999", "-0.0", "3", "93.40", "1e15", "7e-9",
)  # fmt: skip


def _row(draw: random.Random, method: str, dataset: str, metric: str) -> dict[str, str]:
    one = {"method": method, "dataset": dataset, "metric": metric}
    one[draw.choice(("mean", "single", "best", "median"))] = draw.choice(EXTREMES)
    if draw.random() < 0.7:
        one["std"] = draw.choice([x for x in EXTREMES if not x.startswith("-")])
    if draw.random() < 0.7:
        one["n"] = draw.choice(("1", "2", "3", "5", "1000000"))
    if draw.random() < 0.4:
        listed = [draw.choice(EXTREMES) for _ in range(draw.randint(1, 5))]
        one["per_seed"] = f"[{', '.join(listed)}]"
    return one


@pytest.mark.parametrize("seed", range(6))
def test_numbers_of_any_size_break_no_rule_and_warn_of_nothing(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    metrics = ["accuracy", "f1", "precision", "recall", "ppl", "loss", "psnr", "mse", "rmse", "bpc"]
    kinds = ("percent", "fraction", "none", "nats")
    rows = [_row(draw, m, d, k) for m in ("a", "b", "c") for d in ("x", "y") for k in metrics]
    lines = [
        "repcheck: 1",
        "datasets:",
        "  x: {test: {size: 1000}, labels: {counts: [400, 600]}}",
        "  y: {test: {size: 100000000}, labels: {counts: [1, 99999999]}}",
        "methods: {a: {role: proposed}, b: {role: baseline}, c: {role: baseline}}",
        "metrics:",
        *(
            f"  {k}: {{higher_is_better: true, aggregation: per-sample, "
            f"unit: {draw.choice(kinds)}}}"
            for k in metrics
        ),
        "results:",
        *(f"  - {{{', '.join(f'{k}: {v}' for k, v in row.items())}}}" for row in rows),
        "claims:",
        *(
            f"  - {{id: C{i}, method: a, baselines: [b], dataset: x, metric: {k}, text: best, "
            f"improvement: {draw.choice(EXTREMES)}, significance: {{test: welch, p: '< .05'}}}}"
            for i, k in enumerate(metrics)
        ),
    ]
    file = tmp_path / "claims.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = [r for r in rules.load().values() if r.code.startswith("RC9") or r.code in {"RC603"}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judge(Evidence(claims=load(file)), asked)
    assert not [f"{j.rule}: {j.would_decide}" for j in found if j.state is State.ERROR]
    assert [j for j in found if j.state is State.FLAGGED]


@pytest.mark.parametrize("seed", range(6))
def test_a_bare_table_of_numbers_of_any_size_is_judged(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    head = "method,a acc,b acc,c acc,avg,rank,top-1,top-5,F1,precision,recall,ppl,loss,psnr,mse"
    head += ",n,n_test"
    width = head.count(",") - 2
    rows = [head]
    for i in range(6):
        cells = [draw.choice(EXTREMES) for _ in range(width)]
        spreads = [f" ± {abs(float(draw.choice(EXTREMES))):g}" for _ in range(width)]
        cells = [c + s if draw.random() < 0.5 else c for c, s in zip(cells, spreads, strict=True)]
        cells = [f"**{c}**" if draw.random() < 0.2 else c for c in cells]
        counts = [draw.choice(("2", "5", "99")), draw.choice(("9", "500"))]
        rows.append(",".join([f"m{i}", *cells, *counts]))
    file = tmp_path / "table.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert answers_of(read_table(file))
