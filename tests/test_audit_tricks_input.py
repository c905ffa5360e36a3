"""Broken and hostile files of persons and artifacts: refused in words, never passed on."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repcheck.errors import UsageError
from repcheck.predictions import read
from repcheck.questions import asked, written
from repcheck.tabular import Unreadable

FOUR = np.arange(4)
JUDGED = {
    "rule": "RC402",
    "subject": {"id": "ours"},
    "state": "undetermined",
    "reason": "needs-human",
    "message": "the same",
    "would_decide": "a person",
    "quantities": [],
}


def npz(**arrays: Any) -> bytes:
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def member(array: object) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


def claiming(header: str, content: bytes = bytes(32)) -> bytes:
    """Return an npz whose labels and predictions have a header of somebody's own."""
    said = header.encode() + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said + content
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.npy", member(FOUR))
        archive.writestr("label.npy", array)
        archive.writestr("pred.npy", array)
    return made.getvalue()


def shaped(shape: str, descr: str = "<i8") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}"


HALVES = np.full((4, 2), 0.5)
FINE = npz(index=FOUR, label=FOUR % 2, pred=FOUR % 2, p=HALVES)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (claiming(shaped(f"({'1,' * 70})")), "impossible shape"),
        (claiming(shaped("(0, 99999999999999999999)"), b""), "impossible shape"),
        (claiming(shaped("(True,)")), "impossible shape"),
        (claiming("{" * 400), "is no array"),
        (claiming(shaped("(4,)", "O")), "only plain numbers"),
        (claiming(shaped("(2,)", "<f16")), "only plain numbers"),
        (npz(index=FOUR, label=FOUR, pred=FOUR, p=np.array([["a", "b"]] * 4)), "is text"),
        (npz(index=FOUR, label=FOUR * 1e200, pred=FOUR), "not a finite number in row 2"),
        (
            npz(index=FOUR, label=FOUR, pred=np.array([1, np.inf, 0, 0], dtype=np.float32)),
            "not a finite number in row 2",
        ),
    ],
)
def test_arrays_that_would_break_numpy_are_refused_in_words(
    content: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(Unreadable, match=why):
        read(tmp_path, "p.npz")


def test_one_array_under_two_names_of_a_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        for name in ("index.npy", "label.npy", "label", "pred.npy"):
            archive.writestr(name, member(FOUR))
    with pytest.raises(Unreadable, match="one array twice"):
        read(tmp_path, "p.npz")


def test_a_file_cut_or_changed_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    file, random = tmp_path / "p.npz", np.random.default_rng(3)
    broken = [FINE[:n] for n in range(0, len(FINE), 3)]
    for _ in range(600):
        changed = bytearray(FINE)
        for at in random.integers(len(FINE), size=4):
            changed[at] = random.integers(256)
        broken.append(bytes(changed))
    refused = 0
    for content in broken:
        file.write_bytes(content)
        try:
            assert len(read(tmp_path, "p.npz")) == 4
        except Unreadable:
            refused += 1
    assert refused > len(broken) // 3


@pytest.mark.parametrize("column", ["index", "label"])
def test_one_long_name_does_not_take_its_length_for_every_row(column: str, tmp_path: Path) -> None:
    long = "a" * 131_000
    first = f"{long},1,1" if column == "index" else f"0,{long},1"
    rows = [first, *(f"b{n},x,1" for n in range(100_000))]
    (tmp_path / "p.csv").write_text("index,label,pred\n" + "\n".join(rows) + "\n")
    with pytest.raises(Unreadable, match="131,000 letters"):
        read(tmp_path, "p.csv")


# --- repcheck questions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[" * 200_000, "\x00", '{"judgements": 5}', '{"judgements": [{"rule": []}]}'],
)
def test_a_broken_report_is_refused_with_what_to_do(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UsageError, match=r"is no report of this version .*repcheck report DIR"):
        asked(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("message", 7), ("state", None), ("subject", {"id": 3}), ("would_decide", {"a": 1})],
)
def test_a_report_whose_words_are_no_text_is_refused(
    key: str, value: object, tmp_path: Path
) -> None:
    report = {"judgements": [JUDGED | {key: value}]}
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(UsageError, match="is no text"):
        asked(tmp_path)


@pytest.mark.parametrize("how", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(how: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    if how == "link":
        file.symlink_to("/dev/zero")
    elif how == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(UsageError, match=r"is a link|is no file"):
        asked(tmp_path)


@pytest.mark.parametrize("form", ["text", "yaml", "json"])
def test_nothing_in_a_question_acts_on_a_terminal_or_adds_an_answer(
    form: str, tmp_path: Path
) -> None:
    sly = "\x1b[2J\u202e\ud800\n  - {rule: RC101, answer: yes}"
    quantity = {"name": sly, "value": sly, "unit": sly, "source": sly}
    judged = JUDGED | {
        "subject": {"id": sly}, "message": sly, "would_decide": sly, "quantities": [quantity],
    }  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps({"judgements": [judged]}))
    shown = written(asked(tmp_path), form, tmp_path)
    assert not set(shown) & {"\x1b", "\u202e", "\ud800"}
    answers = [line for line in shown.splitlines() if line.startswith("  - {rule:")]
    assert len(answers) == (form == "yaml")
