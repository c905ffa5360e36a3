"""Crafted side files, ratings, data and answers of subprocesses: nothing of them is believed."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from observed_support import runs_beside
from record_builder import Process

from repcheck import rules
from repcheck.agent_seen import PromptsSeen
from repcheck.analysis import fed, sheets
from repcheck.analysis.processes import processes_of
from repcheck.analysis.prompt_form import forms_of
from repcheck.analysis.prompts import prompts_of
from repcheck.claims.load import load
from repcheck.fact import Evidence
from repcheck.facts.feeds import apart
from repcheck.input_seen import InputSeen, NearDuplicates
from repcheck.judge import judge
from repcheck.profile import ProfileRequest, liken
from repcheck.ratings import read
from repcheck.records import Event
from repcheck.records import read as records_of
from repcheck.references import PROGRAM
from repcheck.rule import State
from repcheck.runs import Run
from repcheck.sameness import Sameness
from repcheck.stats.raters import alpha
from repcheck.tabular import Unreadable

RULES = Path(__file__).parent / "rules" / "evaluation"
SHEET = struct.Struct("<BBHIIIIHHHH")


def peak_mib(act: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


# --- BASE.prompts -------------------------------------------------------------------------------


def asking(folder: Path, count: int = 40) -> Process:
    process = Process(folder)
    process.start()
    process.event("prompts", via="call", what="lm:ask", calls=count, seen=count, kept=count)
    return process


def seen_in(folder: Path) -> PromptsSeen:
    found = prompts_of(folder, processes_of(records_of(folder)))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "device", "nothing", "garbage"])
def test_prompts_that_cannot_be_read_are_lost_and_not_none(kind: str, tmp_path: Path) -> None:
    record, secret = tmp_path / "record", tmp_path / "secret"
    record.mkdir()
    secret.write_text(json.dumps({"v": "call", "p": "somebody's secret"}) + "\n")
    path = asking(record).path("prompts")
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(secret)
        case "device":
            path.symlink_to("/dev/zero")
        case "garbage":
            path.write_bytes(
                b'\xff\xfe{"v":\n[[[[\n"call"\n{"v":["call"],"p":"x"}\n{"v":"call","p":5}\n'
                + b'{"v":"call","p":"x","n":' + b"9" * 5000 + b"}\n" + b"[" * 60_000
            )  # fmt: skip
    seen = seen_in(record)
    assert (seen.count, seen.kept, seen.lost) == (40, 0, 40)


def test_millions_of_empty_prompt_lines_take_no_room(tmp_path: Path) -> None:
    asking(tmp_path).append("prompts", b"\n" * 2**21)
    assert peak_mib(lambda: seen_in(tmp_path)) < 8


def test_a_prompt_of_thousands_of_turns_has_no_more_examples_than_anybody_shows() -> None:
    turns = [f"\x02 {n}\x01 a" if n % 2 else "\x02" for n in range(2000)]
    [form, _] = forms_of(["".join(turns), "".join(turns)])
    assert 0 < len(form.exemplars) <= 256


@pytest.mark.parametrize(
    "torn", [{"kept": 0, "lost": 200, "shots": 0}, {"kept": 150, "lost": 50}, {"kept": 0}]
)
def test_prompts_whose_texts_are_gone_are_never_compared(torn: dict[str, Any]) -> None:
    file = RULES / "prompt_tilt" / "bad_seen.yaml"
    claims, runs = load(file), runs_beside(file)

    def judged(runs: tuple[Run, ...]) -> set[State]:
        found = judge(Evidence(claims=claims, runs=runs), [rules.load()["RC508"]])
        return {one.state for one in found if "exemplars in a prompt" in one.message}

    assert judged(runs) == {State.FLAGGED}
    forged = []
    for run in runs:
        seen = run.observation
        if run.arm == "base" and seen is not None and seen.prompts is not None:
            seen = replace(seen, prompts=replace(seen.prompts, **torn))
        forged.append(replace(run, observation=seen))
    assert judged(tuple(forged)) == set()


# --- BASE.fed and its statistics ----------------------------------------------------------------


def sheet(layer: int, rows: np.ndarray, pass_: int = 0) -> bytes:
    head = SHEET.pack(layer, 4, 0, 0, 0, pass_, len(rows), 1, 1, rows.shape[1], 0)
    return head + rows.astype("<f4").tobytes()


def compared(folder: Path, trained: np.ndarray, tested: np.ndarray) -> list[NearDuplicates]:
    (folder / "1-00000001.fed").write_bytes(sheet(1, trained) + sheet(2, tested, 1))
    first, second = sheets.read(folder, "1-00000001")
    return list(fed._near(0, 0, first.rows, second.rows))


def test_a_huge_row_does_not_turn_leaked_rows_into_none(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    trained = random.standard_normal((300, 20))
    leaked = trained[:100] + 1e-5 * random.standard_normal((100, 20))
    [found] = compared(tmp_path, trained, leaked)
    assert (found.near, found.n_train, found.n_eval) == (100, 300, 100)
    for forged in (trained, leaked):
        whole = forged.copy()
        forged[-1] = 1e9 * random.standard_normal(20)
        assert compared(tmp_path, trained, leaked) == []
        forged[:] = whole
    assert compared(tmp_path, 0 * trained, 0 * leaked) == []


TINY, HUGE = 5e-324, 1e75


def test_statistics_of_any_size_are_compared_without_a_crash_or_an_infinity(
    tmp_path: Path,
) -> None:
    def said(low: float, high: float, sd: float) -> InputSeen | None:
        fields = {"mean": [0.0], "sd": [sd], "low": low, "high": high, "rows": 1000, "axis": 1}
        return fed._input(Event(kind="input", t=0.0, step=0, fields=fields), 0, None)

    wide, narrow = said(-HUGE, HUGE, HUGE), said(0.0, TINY, 1e-162)
    assert wide is not None
    assert narrow is not None
    assert apart(wide, narrow) is None
    assert apart(narrow, wide) is None
    for low, high, sd in ((-1e308, 1e308, 1.0), (0.0, 1.0, -1.0), (0.0, 10**400, 1.0)):
        found = said(low, high, sd)
        assert found is None or found.high <= 0.0


# --- ratings ------------------------------------------------------------------------------------


def test_agreement_of_many_different_scores_needs_no_table_of_all_of_them() -> None:
    scores = np.random.default_rng(0).random(8000)
    found = list[float | None]()
    units = np.repeat(np.arange(4000), 2)
    assert peak_mib(lambda: found.append(alpha(units, scores, "interval"))) < 16
    assert found[0] == pytest.approx(0.0, abs=0.1)


def test_more_raters_than_can_be_resampled_are_refused_in_words(tmp_path: Path) -> None:
    rows = [f"rater{n},item{n},ours" for n in range(10_001)]
    (tmp_path / "r.csv").write_text("rater,item,preferred\n" + "\n".join(rows))
    with pytest.raises(Unreadable, match="20,002 raters and items"):
        read(tmp_path, "r.csv")


# --- trivial references -------------------------------------------------------------------------


def fitted(folder: Path, name: str) -> str:
    job = json.dumps({"train": name, "test": name})
    said = subprocess.run(
        [sys.executable, str(PROGRAM), job, str(folder)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert not (folder / "references.json").exists()
    return said.stderr


def test_data_that_is_none_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).standard_normal((2000, 3)), np.arange(2000) % 2
    np.savez(tmp_path / "tiny.npz", x=x * 1e-310, y=y)
    np.savez(tmp_path / "classes.npz", x=x, y=np.arange(2000))
    np.savez(tmp_path / "complex.npz", x=x + 1j, y=y)
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    with (tmp_path / "long.csv").open("wb") as file:
        file.truncate(2**28)
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    for name, why in (
        ("tiny.npz", "cannot be squared"), ("classes.npz", "more than 1000 classes"),
        ("complex.npz", "no real ones"), ("pipe.npz", "no file"), ("endless.csv", "no file"),
        ("long.csv", "than are read"), ("torn.npz", "cannot be read"),
    ):  # fmt: skip
        said = fitted(tmp_path, name)
        assert why in said
        assert "Traceback" not in said


def test_a_share_that_is_none_is_no_reference() -> None:
    file = RULES / "trivial_scenario" / "bad_fitted.yaml"
    claims, runs = load(file), runs_beside(file)

    def states(value: float) -> set[State]:
        others = {"references.json:knn3": value}
        forged = tuple(replace(one, others=others) if one.others else one for one in runs)
        evidence = Evidence(claims=claims, runs=forged)
        return {one.state for one in judge(evidence, [rules.load()["RC505"]])}

    assert State.FLAGGED in states(0.93)
    for value in (93.0, 1e75, -0.93):
        assert states(value).isdisjoint({State.FLAGGED, State.CLEARED})


# --- two models as functions --------------------------------------------------------------------

FORGED = """
import json, os
said = open("/proc/self/cmdline", "rb").read().split(b"\\0")[-2].decode()
numbers = {"n": 64, "moved": 3, "diff": -1.0, "gradient": -1.0, "training": -1.0}
"""
ANSWERS = {
    "negative": "open(said, 'w').write(json.dumps({'schema': 1, 'done': True, **numbers}))",
    "no input": "open(said, 'w').write(json.dumps({'done': True, 'n': 0, 'diff': 0, 'gradient': 0,"
    " 'training': 0}))",
    "garbage": "open(said, 'wb').write(os.urandom(999))",
    "deep folders": "[(os.mkdir('d'), os.chdir('d')) for _ in range(1100)]",
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_forged_answer_says_nothing_of_two_models(kind: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(f"{FORGED}{ANSWERS[kind]}\nos._exit(0)\n")
    asked = ProfileRequest(root=tmp_path, entry="m:a", input_shape=(2, 3), time_limit_s=30)
    found = liken(asked, asked, ("ours", "theirs"))
    assert found.same(1e-5) is None
    assert found.why


def test_numbers_that_no_comparison_gives_decide_nothing() -> None:
    good = Sameness(ours="a", theirs="b", n=64, diff=0.0, gradient=0.0, training=0.0)
    assert good.same(1e-5) is True
    for forged in (
        replace(good, n=0), replace(good, diff=-1.0), replace(good, gradient=float("nan")),
        replace(good, training=-1e-9), replace(good, diff=float("inf")),
    ):  # fmt: skip
        assert forged.same(1e-5) is None


NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, bend):
        super().__init__()
        self.first, self.second, self.bend = nn.Linear(4, 6), nn.Linear(6, 1), bend

    def forward(self, x):
        y = self.second(self.bend(self.first(x)))
        return torch.GIVEN


def ours():
    return Net(torch.relu)


def theirs():
    return Net(torch.sigmoid)
"""


@pytest.mark.parametrize(
    ("given", "why"),
    [("relu(-y * y)", "no output depends"), ("log(-1 - y * y)", "are not finite")],
)
def test_outputs_that_are_all_zero_or_no_number_are_neither_alike_nor_different(
    given: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "nets.py").write_text(NETS.replace("GIVEN", given))
    ours, theirs = (
        ProfileRequest(root=tmp_path, entry=f"nets:{name}", input_shape=(2, 4))
        for name in ("ours", "theirs")
    )
    found = liken(ours, theirs, ("ours", "theirs"))
    assert found.moved == 4
    assert found.same(1e-5) is None
    assert why in found.why
