"""`repcheck forensics`: a bare table is read or refused, and what it says is checked."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cli_support import repcheck
from hypothesis import given
from hypothesis import strategies as st

from repcheck.bare_cell import NoCell, read_cell
from repcheck.bare_checks import Said
from repcheck.bare_table import InvalidTable, read_table
from repcheck.forensics_page import answers_of, examined

WIDE = """\
Method,top-1 acc ↑,Top-5 acc ↑,Avg,Params,n
base,93.4 ± 0.2,98.2,95.8,25.6M,3
**ours**,**94.1 ± 0.3**,98.6,96.4,~30M,3
"""
LONG = """\
method,dataset,metric,mean,std,n,per_seed,n_test,notes
ours,d,accuracy,92.90,0.50,5,"[93.30, 92.20, 93.00, 92.60, 93.40]",1000,x
"""


def table(folder: Path, text: str) -> Path:
    file = folder / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


def findings(folder: Path, text: str, n_test: int = 0) -> list[Said]:
    return [a for a in answers_of(read_table(table(folder, text)), n_test) if a.severity]


def only(folder: Path, text: str, n_test: int = 0) -> Said:
    [found] = findings(folder, text, n_test)
    return found


# --- cells ------------------------------------------------------------------------------------

CELLS = [
    ("93.4 ± 0.2", "93.4", "0.2"), ("93.4(2)", "93.4", "0.2"), ("93.42(12)", "93.42", "0.12"),
    ("93,4", "93.4", None), ("93.4±.2", "93.4", "0.2"), ("93.4 (0.2)", "93.4", "0.2"),
    ("93.4 +/- 0.2", "93.4", "0.2"), ("$93.4_{\\pm 0.2}$", "93.4", "0.2"),
    ("93.4 ± 0,2 %", "93.4", "0.2"), ("\\textbf{93.4}", "93.4", None), ("**93.40**", "93.40", None),
    ("1,234.5", "1234.5", None), ("1.234,5", "1234.5", None), ("−3.2", "-3.2", None),
    ("93.4†", "93.4", None), ("93.4 [12]", "93.4", None), ("25.6M", "25.6", None),
    ("93.4%", "93.4", None), ("0,934", "0.934", None), ("1e-3", "0.001", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "spread"), CELLS)
def test_a_cell_is_read_as_papers_print_it(text: str, value: str, spread: str | None) -> None:
    cell = read_cell(text)
    assert cell.value is not None
    assert cell.value.value == Fraction(value)
    decimals = len(value.partition(".")[2])
    assert cell.value.unit == Fraction(1, 10**decimals)
    assert (cell.spread and cell.spread.value) == (spread and Fraction(spread))
    assert cell.bold is ("bf" in text or "**" in text)
    assert cell.inexact == ""


@pytest.mark.parametrize(("text", "mark"), [("~93", "~"), (">99", ">"), ("≈ 93.4", "≈")])
def test_a_bound_is_read_and_marked(text: str, mark: str) -> None:
    assert read_cell(text).inexact == mark


@pytest.mark.parametrize(("text", "gain"), [("93.4 (+1.2)", "1.2"), ("93.4 (-0.3)", "-0.3")])
def test_a_gain_behind_a_number_is_no_spread(text: str, gain: str) -> None:
    cell = read_cell(text)
    assert cell.spread is None
    assert cell.gain is not None
    assert cell.gain.value == Fraction(gain)


@pytest.mark.parametrize("text", ["", "-", "–", "n/a", "OOM"])
def test_an_empty_cell_has_no_value(text: str) -> None:
    assert read_cell(text).value is None


@pytest.mark.parametrize(
    "text", ["abc", "1,234", "93.4 (2)", "93.4 / 92.1", "1.2.3", "93..4", "93.4 ± x", "1e999"]
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(text: str) -> None:
    with pytest.raises(NoCell):
        read_cell(text)


@given(st.text(alphabet="0123456789.,±()+-~>% e$\\{}*[]M", max_size=12))
def test_any_cell_is_read_or_refused(text: str) -> None:
    try:
        cell = read_cell(text)
    except NoCell:
        return
    assert cell.value is None or cell.value.unit > 0


# --- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("m,a\nx,93.4\ny,abc\n", "3:3", "`abc` is no number"),
        ("m,a\nx,93,4\n", "2:1", "3 cells below a header of 2"),
        ('m;a\nx;"9\n3"\ny;abc\n', "4:3", "`abc` is no number"),
        ("m,a\n", "1:1", "at least one row"),
        ("method,mean,mean,std\nx,1,2,3\n", "1:1", "two columns are read as `mean`"),
        ("method,mean,n\nx,1,2.5\n", "2:5", "`2.5` is no count"),
        ("method,mean,per_seed\nx,1,1 q 2\n", "2:5", "`q` is no number"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(
    tmp_path: Path, text: str, place: str, what: str
) -> None:
    file = table(tmp_path, text)
    with pytest.raises(InvalidTable) as caught:
        read_table(file)
    assert f"{file}:{place}: " in str(caught.value)
    assert what in str(caught.value)


def test_a_table_is_long_or_wide_by_its_header(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, WIDE)).wide
    long = read_table(table(tmp_path, LONG))
    assert (long.wide, long.unread) == (False, ("notes",))
    assert [float(s.value) for s in long.entries[0].per_seed] == [93.3, 92.2, 93.0, 92.6, 93.4]
    assert read_table(table(tmp_path, "Model;mnist;Average\na;93,4;93,4\n")).wide


# --- findings ---------------------------------------------------------------------------------

ROW = "method,dataset,metric,mean,std,n,n_test,min,max,p\n"
AMISS = [
    ("bounds", "m,acc\na,101.2\nb,93.1\n", "above a perfect score"),
    ("bounds", "m,acc\na,0.931\nb,93.1\nc,92.0\n", "a fraction?"),
    ("bounds", ROW + "a,d,acc,99.0,30.0,5,,,,\n", "differ by"),
    ("ranges", ROW + "a,d,bleu,31.0,,5,,32.0,33.0,\n", "cannot be"),
    ("ranges", ROW + "a,d,bleu,31.0,9.0,5,,30.0,32.0,\n", "beside 5 values"),
    ("counts", ROW + "a,d,acc,94.37,,1,1000,,,\n", "cannot be"),
    ("counts", ROW + "a,d,acc,80.00,2.40,3,50,,,\n", "cannot be"),
    ("seeds", "method,mean,n,per_seed\na,93.4,3,93.4 92.0 91.0\n", "cannot be"),
    ("relations", "m,top-1 acc,top-5 acc\na,93.4,92.0\n", "which it cannot be"),
    ("averages", "m,a,b,avg\nx,1.0,3.0,2.0\ny,5.0,7.0,6.0\nv,6.0,4.0,5.0\nz,1.0,4.0,9.0\n", "not"),
    ("bold", "m,acc,f1\na,**93.1**,3\nb,94.5,**4**\n", "b has 94.5"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "text", "words"), AMISS)
def test_what_is_amiss_is_found_by_its_check_alone(
    tmp_path: Path, check: str, text: str, words: str
) -> None:
    found = [one for one in findings(tmp_path, text) if one.severity != "note"]
    assert found
    assert {one.check for one in found} == {check}
    assert words in found[0].message
    assert found[0].reading == "any"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("method,metric,mean,n,n_test\na,acc,72.21,1,277\n", "only if it was rounded up"),
        (ROW + "a,d,acc,80.00,40.20,3,100,,,\n", "deviation of 100 single answers"),
        ("m,a,b,c,avg\nx,1.0,2.0,3.0,1.5\ny,5.0,6.0,7.0,5.5\n", "without c"),
        ("m,mnli-m,mnli-mm,rte,avg\nx,84.0,86.0,61.0,73.0\n", "one task"),
        (ROW + "a,d,b,76.3,0.9,3,,,,0.01\nb,d,b,75.8,0.5,5,,,,\n", "conclusion at 5 % turns"),
        ("m,acc\na,**93.1**\nb,94.5\n", "b has 94.5"),
        ("m,top-1,top-5\na,23.9,7.1\n", "which it cannot be"),
        ("m,acc\na,93.4 (+9.9)\nb,92.0\n", "over no row"),
        ("m,acc,rank\na,93.1,1\nb,94.5,1\n", "the columns give 2 to 2"),
    ],
)
def test_what_has_an_innocent_explanation_is_a_note(tmp_path: Path, text: str, words: str) -> None:
    found = findings(tmp_path, text)
    assert found
    assert {one.severity for one in found} == {"note"}
    assert words in found[0].message


def test_an_average_of_other_columns_is_not_testable(tmp_path: Path) -> None:
    rows = [
        "m,a,b,c,avg",
        "x,91.2,83.1,60.4,70.1",
        "y,92.4,80.0,61.3,69.0",
        "z,88.8,79.3,66.2,72.5",
    ]
    said = answers_of(read_table(table(tmp_path, "\n".join(rows))))
    assert [one.not_testable for one in said if one.check == "averages"] == [True]
    assert findings(tmp_path, "m,a,b,c,avg\nx,91.2,83.1,60.4,70.1\n") == []


def test_a_number_of_unknown_seeds_is_at_most_a_note(tmp_path: Path) -> None:
    found = only(tmp_path, "m,acc\na,94.37\n", 1000)
    assert (found.severity, "a mean of 3 could" in found.message) == ("note", True)


def test_what_the_digits_cannot_show_is_not_testable(tmp_path: Path) -> None:
    file = table(tmp_path, "method,metric,mean,n\na,acc,94.3,3\n")
    said = [one for one in answers_of(read_table(file), 10_000) if one.check == "counts"]
    assert [one.not_testable for one in said] == [True]
    assert "every such number is possible" in said[0].message


@pytest.mark.parametrize("header", ["Δ accuracy", "accuracy drop", "top-1 error"])
def test_what_is_no_score_has_no_range(tmp_path: Path, header: str) -> None:
    assert findings(tmp_path, f"m,{header}\na,-1.3\nb,120.5\n", 1000) == []


def test_a_gain_is_named_by_its_formula(tmp_path: Path) -> None:
    file = table(tmp_path, "m,acc\na,93.1 (+43.0)\nb,87.9\nc,92.0 (+4.1)\n")
    said = [one.message for one in answers_of(read_table(file)) if one.check == "gains"]
    assert said == [
        "43.0 is the reduction of the error in percent to b",
        "4.1 is the difference to b",
    ]


# --- the command ------------------------------------------------------------------------------


def test_the_command_says_what_it_found_and_what_it_could_not_test(tmp_path: Path) -> None:
    table(tmp_path, WIDE)
    done = repcheck("forensics", "table.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "read as a wide table" in done.stdout
    assert "not testable" in done.stdout
    assert "~30" in done.stdout
    table(tmp_path, WIDE.replace("98.6", "93.6"))
    wrong = repcheck("forensics", "table.csv", "--format", "json", cwd=tmp_path)
    assert wrong.returncode == 1
    found: dict[str, Any] = json.loads(wrong.stdout)
    [order] = [one for one in found["findings"] if one["check"] == "relations"]
    assert (order["line"], order["severity"], order["reading"]) == (3, "minor", "any")
    assert found["not_exact"] == 1


def test_the_command_refuses_what_is_no_table(tmp_path: Path) -> None:
    table(tmp_path, "m,a\nx,abc\n")
    done = repcheck("forensics", "table.csv", cwd=tmp_path)
    assert done.returncode == 4
    assert "table.csv:2:3: `abc` is no number" in done.stderr
    assert repcheck("forensics", "none.csv", cwd=tmp_path).returncode == 4
    assert repcheck("forensics", "table.csv", "--n-test", "0", cwd=tmp_path).returncode == 2


def test_n_test_holds_every_share_against_the_grid(tmp_path: Path) -> None:
    file = table(tmp_path, "method,dataset,metric,mean,n\nours,d,accuracy,94.37,1\n")
    assert examined(file, n_test=None, form="table")[1] == 0
    said, code = examined(file, n_test=1000, form="table")
    assert code == 1
    assert "94.37 cannot be reached with 1,000 answers" in said


AWKWARD = r"""
,ImageNet,,Cost,,
Model,Top-1 (%) $\uparrow$,Top-5 (%) $\uparrow$,Latency [ms] $\downarrow$,FLOPs (G),n
Net \cite{he},76.1,92.9,"5.1",4.1,1
\textbf{Ours},\textbf{82.9} $\pm$ 0.1,\underline{81.2},\textbf{9.3},>4.6,3
Ours-L,83.5*,-,7.0,n/a,1
"""


def test_a_header_of_two_rows_is_read_as_one_and_names_lose_their_marks(tmp_path: Path) -> None:
    read = read_table(table(tmp_path, AWKWARD.lstrip()))
    assert read.headers == (
        "ImageNet Top-1 (%) ↑", "ImageNet Top-5 (%) ↑", "Cost Latency [ms] ↓", "Cost FLOPs (G)",
    )  # fmt: skip
    assert {entry.method for entry in read.entries} == {"Net", "Ours", "Ours-L"}
    found = {(one.check, one.severity): one.message for one in answers_of(read) if one.severity}
    assert "82.9 is above" in found["relations", "minor"]
    assert found["bold", "note"].endswith("5.1, and lower is better")


def test_columns_of_one_name_are_told_apart_and_all_are_read(tmp_path: Path) -> None:
    read = read_table(table(tmp_path, "m,acc,acc\na,93.1,91.0\nb,92.4,90.0\n"))
    assert read.headers == ("acc", "acc (again)")
    assert len(read.entries) == 4


def test_the_page_ends_with_what_was_not_tested_and_why(tmp_path: Path) -> None:
    file = table(tmp_path, AWKWARD.lstrip())
    said = examined(file, n_test=None, form="table")[0].splitlines()
    ends = said[said.index("  not tested:") + 1 :]
    assert any(one.startswith("    counts: 5 not testable: the number of test") for one in ends)
    assert "    p-values: nothing to test: no p-value (a column p)" in ends
    assert "  cells without a number: 2 (`-`, `n/a`)" in said


def test_seeds_that_only_one_set_of_counts_gives_are_told(tmp_path: Path) -> None:
    file = table(tmp_path, ROW + "a,d,acc,80.00,2.00,3,50,,,\n")
    said, code = examined(file, n_test=None, form="table")
    assert code == 0
    assert "can only be of the seeds 78.00, 80.00, 82.00 (39, 40, 41 of 50)" in said


def test_a_listed_seed_off_the_grid_is_found(tmp_path: Path) -> None:
    text = "method,metric,mean,n,n_test,per_seed\na,acc,93.28,3,1000,93.40 92.97 93.47\n"
    found = only(tmp_path, text)
    assert found.message.startswith("seed 2 of the list, 92.97, cannot be reached with 1,000")
    assert "under any rounding" in found.message
