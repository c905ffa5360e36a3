"""Numbers found, or said in words why not."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from repcheck import discover, readers
from repcheck.reader import MOST_OTHERS, NAME_CAP, Left, NoMetric, others, read, takes_best

discover.modules(readers)


def left(folder: Path, **files: str) -> Left:
    out, copy = folder / "out", folder / "copy"
    out.mkdir(exist_ok=True)
    copy.mkdir(exist_ok=True)
    for name, text in files.items():
        (out / name.replace("_", ".")).write_text(text)
    (folder / "stdout.log").write_text(files.get("stdout", ""))
    return Left(out=out, stdout=folder / "stdout.log", copy=copy)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{out}/m.json:acc", 0.9),
        ("{out}/m.json:test.top1", 0.8),
        ("{out}/m.json:eval.acc", 0.7),
        ("{out}/m.json:history", 3.0),
        ("{out}/m.json:history@max", 5.0),
        ("{out}/m.json:history@mean", 3.0),
        ("{out}/m.json:history.0", 1.0),
        ("{out}/m.json:text", 0.5),
        ("{out}/t.csv:acc", 0.3),
        ("{out}/t.csv:acc@last", 0.3),
        ("{out}/t.csv:acc@max", 0.6),
        ("{out}/t.csv:acc@min", 0.3),
        ("{out}/t.csv:acc@mean", 0.45),
        ("{out}/l.jsonl:acc", 0.4),
        ("{out}/l.jsonl:val.f1@min", 0.1),
        (r"stdout:accuracy = ([\d.]+)", 0.97),
    ],
)
def test_each_reader_finds_its_number(tmp_path, text, value):
    files = left(
        tmp_path,
        m_json='{"acc": 0.9, "test": {"top1": 0.8}, "eval.acc": 0.7, "history": [1, 5, 3],'
        ' "text": "0.5"}',
        t_csv="epoch, acc ,loss\n1,0.6,1\n2,0.3,1\n3,,1\n",
        l_jsonl='{"acc": 0.2}\n\n{"val": {"f1": 0.1}}\n{"acc": 0.4, "val": {"f1": 0.3}}\n',
        stdout="accuracy = 0.5\raccuracy = 0.97\naccuracy = none\n",
    )
    assert read(files, text) == pytest.approx(value)
    assert read(files, text, scale=100) == pytest.approx(100 * value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{out}/no.json:acc", "wrote no {out}/no.json"),
        ("{out}/m.json:precision", "no key 'precision'; there is acc, bad, inf, list, yes"),
        ("{out}/m.json:acc.deeper", "nothing below a single value"),
        ("{out}/m.json:list", "has no values"),
        ("{out}/m.json:list.3", "no element '3'"),
        ("{out}/m.json:bad", "is 'oops', not a number"),
        ("{out}/m.json:yes", "is true, not a number"),
        ("{out}/m.json:inf", "inf, not a finite number"),
        ("{out}/t.csv:f1", "has no column 'f1'; it has acc"),
        ("{out}/t.csv:acc@max", "contains nan"),
        ("{out}/t.csv:acc", "nan, not a finite number"),
        ("{out}/l.jsonl:acc", "line 2 is not JSON"),
        ("{out}/empty.csv:acc", "it has none"),
        ("{out}/deep.json:acc", "is not JSON"),
        ("{out}/folder.json:acc", "not a regular file"),
        ("{out}/pipe.json:acc", "not a regular file"),
        ("{out}/link.json:acc", "links are not followed"),
        ("{out}/linked/m.json:acc", "links are not followed"),
        ("{out}/../secret.json:acc", "leads out of the run's own folder"),
        ("/etc/passwd.json:acc", "leads out of the run's own folder"),
        ("{out}/m.txt:acc", "no reader for"),
        (r"stdout:precision ([\d.]+)", "nothing the run printed matches"),
        (r"stdout:acc", "exactly one group"),
        (r"stdout:(acc", "not a regular expression"),
        (r"stdout:(acc)", "is 'acc', not a number"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(tmp_path, text, why):
    files = left(
        tmp_path,
        m_json='{"acc": 1, "list": [], "bad": "oops", "yes": true, "inf": Infinity}',
        t_csv="acc\n1\nnan\n",
        l_jsonl='{"acc": 1}\nacc=1\n',
        empty_csv="",
        deep_json="[" * 200_000,
        stdout="acc 1\n",
    )
    (files.out / "folder.json").mkdir()
    os.mkfifo(files.out / "pipe.json")
    (tmp_path / "secret.json").write_text('{"acc": 1}')
    (files.out / "link.json").symlink_to(tmp_path / "secret.json")
    (files.out / "linked").symlink_to(files.out)
    with pytest.raises(NoMetric) as caught:
        read(files, text)
    assert why in str(caught.value)


def test_a_file_beside_the_code_is_read_from_the_runs_own_copy_only(tmp_path):
    files = left(tmp_path)
    assert files.copy is not None
    (files.copy / "results").mkdir()
    (files.copy / "results" / "m.json").write_text('{"acc": 2}')
    assert read(files, "results/m.json:acc") == 2
    with pytest.raises(NoMetric, match="not kept after a run"):
        read(Left(out=files.out, stdout=files.stdout), "results/m.json:acc")


def test_a_huge_file_is_not_read(tmp_path):
    files = left(tmp_path)
    with (files.out / "m.json").open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(NoMetric, match="100 MiB; at most 64 MiB"):
        read(files, "{out}/m.json:acc")


def test_a_catastrophic_pattern_does_not_hang(tmp_path, monkeypatch):
    monkeypatch.setattr("repcheck.readers.stdout.PATIENCE_S", 0.5)
    files = left(tmp_path, stdout="a" * 5000 + "!\n")
    began = time.monotonic()
    with pytest.raises(NoMetric, match="simplify it"):
        read(files, r"stdout:(a+)+$")
    assert time.monotonic() - began < 5


def test_a_risky_pattern_that_ends_gives_its_number(tmp_path):
    files = left(tmp_path, stdout="step 1 acc 0.25\nstep 2 acc 0.5\n")
    assert read(files, r"stdout:(?:step \d+ )+acc ([0-9.]+)") == 0.5


def test_taking_the_best_of_several_values_is_visible_in_the_text():
    assert takes_best("{out}/t.csv:acc@max")
    assert takes_best("{out}/l.jsonl:loss@min")
    assert not takes_best("{out}/t.csv:acc@last")
    assert not takes_best("stdout:best@max")


# --- the numbers beside -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        (
            "{out}/m.json:test.acc",
            {"lr": 0.1, "test.f1": 0.7, "test.top.5": 0.9, "n": 12.0, "big": 1e30},
        ),
        ("{out}/rows.json:-1.acc", {"-1.nll": 0.4}),
        ("{out}/t.csv:acc@max", {"epoch": 2.0, "f1": 0.25}),
        ("{out}/l.jsonl:acc", {"val.f1": 0.3}),
        (r"stdout:acc ([\d.]+)", None),
    ],
)
def test_the_other_numbers_of_a_metrics_file_are_taken_down(tmp_path, text, beside):
    files = left(
        tmp_path,
        m_json='{"lr": 0.1, "test": {"acc": 0.9, "f1": 0.7, "top": {"5": 0.9}, "none": null},'
        ' "n": 12, "yes": true, "nan": NaN, "inf": -Infinity, "huge": 1' + "0" * 400 + ","
        ' "big": 1e30, "far": 1e80, "word": "0.5", "history": [1, 2]}',
        rows_json='[{"acc": 0.1, "nll": 9}, {"acc": 0.2, "nll": 0.4}]',
        t_csv="epoch,acc,f1,note\n1,0.6,0.5,x\n2,0.5,0.25,y\n3,,0.125,z\n",
        l_jsonl='{"acc": 0.2, "lr": 1}\n{"acc": 0.4, "val": {"f1": 0.3}}\n{"done": 1}\n',
        stdout="acc 0.9\n",
    )
    assert others(files, [text]) == beside


def test_two_files_and_several_metrics_of_one_are_looked_at_once_each(tmp_path):
    files = left(tmp_path, a_json='{"acc": 1, "f1": 2, "nll": 3}', b_json='{"acc": 4, "nll": 5}')
    texts = ["{out}/a.json:acc", "{out}/a.json:f1", "{out}/b.json:acc", "{out}/none.json:ece"]
    assert others(files, texts) == {"nll": 3, "nll (2)": 5}


def test_thousands_of_numbers_crowd_out_no_standard_metric(tmp_path):
    files = left(
        tmp_path,
        m_json=json.dumps({"acc": 1} | {f"k{n}": n for n in range(5_000)} | {"macro_f1": 0.5}),
        long_json=json.dumps({"acc": 1, "a" * NAME_CAP: 2, "a" * (NAME_CAP + 1): 3}),
    )
    found = others(files, ["{out}/m.json:acc"])
    assert found is not None
    assert len(found) == MOST_OTHERS
    assert found["macro_f1"] == 0.5
    assert others(files, ["{out}/long.json:acc"]) == {"a" * NAME_CAP: 2}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"acc": 1} | {f"k{n}": n for n in range(300_000)}),
        '{"acc": 1, "a": ' * 5_000 + "1" + "}" * 5_000,
        '{"acc": 1, "pad": "' + "x" * (17 * 2**20) + '"}',
        '{"acc": 1, "deep": ' + "[" * 100_000,
        "[1, 2",
    ],
    ids=["many", "deep", "large", "torn", "no JSON"],
)
def test_a_hostile_metrics_file_was_not_looked_at_or_is_cut_short(tmp_path, content):
    files = left(tmp_path, m_json=content)
    found = others(files, ["{out}/m.json:acc"])
    assert found is None or len(found) <= MOST_OTHERS


def test_a_link_in_place_of_a_metrics_file_is_not_followed_by_the_look_beside(tmp_path):
    files = left(tmp_path)
    (tmp_path / "secret.json").write_text('{"acc": 1, "pin": 1234}')
    (files.out / "m.json").symlink_to(tmp_path / "secret.json")
    assert others(files, ["{out}/m.json:acc"]) is None
