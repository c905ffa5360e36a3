"""What a person is told while runs are made."""

from __future__ import annotations

import io
import time

import pytest

from repcheck import progress
from repcheck.executor import Kind, Tally
from repcheck.plan import Plan
from repcheck.runs import Run, SeedKind, Status
from tests.run_support import spec

SPECS = (spec(1, key="a"), spec(2, key="b"))


def run(item, status: Status = Status.OK, reason: str = "", wall_s: float = 120.0) -> Run:
    return Run(
        key=item.key, arm=item.arm, method=item.method, dataset=item.dataset, seed=item.seed,
        seed_kind=SeedKind.FRESH, status=status, reason=reason, wall_s=wall_s,
    )  # fmt: skip


def play(tally: Tally) -> None:
    tally.tell(Kind.STARTED, SPECS[0])
    tally.tell(Kind.FINISHED, SPECS[0], run(SPECS[0]))
    tally.tell(Kind.STARTED, SPECS[1])


def test_elsewhere_than_on_a_terminal_there_is_a_line_in_a_while(monkeypatch):
    monkeypatch.setattr(progress, "BEAT_S", 0.05)
    out = io.StringIO()
    with progress.shown(2, stream=out) as callback:
        play(Tally(Plan(runs=SPECS), 1, callback))
        time.sleep(0.2)
    expected = "1 of 2 runs done; about 2 min left; running ours on digits, seed 2 (fresh)"
    assert expected in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_a_failure_is_said_at_once_and_in_words():
    out = io.StringIO()
    with progress.shown(2, stream=out) as callback:
        tally = Tally(Plan(runs=SPECS), 1, callback)
        tally.tell(Kind.FINISHED, SPECS[0], run(SPECS[0], Status.NONZERO, "exited with 1"))
        assert "seed 1 (fresh): nonzero: exited with 1" in out.getvalue()
    assert "1 of 2 runs done; time left unknown; 1 failed" in out.getvalue()


def test_on_a_terminal_there_is_a_bar():
    out = io.StringIO()
    with progress.shown(2, bar=True, stream=out) as callback:
        play(Tally(Plan(runs=SPECS), 1, callback))
    assert "1/2" in out.getvalue()
    assert "about 2 min left; running ours" in out.getvalue()


def test_quiet_is_quiet():
    out = io.StringIO()
    with progress.shown(2, quiet=True, stream=out) as callback:
        play(Tally(Plan(runs=SPECS), 1, callback))
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (42, "42 s"), (420, "7 min"), (12600, "3.5 h")]
)
def test_durations_are_said_as_people_do(seconds, words):
    assert progress.duration(seconds) == words


def test_more_jobs_mean_less_time_left():
    left = []
    for jobs in (1, 4):
        tally = Tally(
            Plan(runs=SPECS, costs={("ours", "digits"): 60.0}), jobs, lambda e: left.append(e.eta_s)
        )
        tally.tell(Kind.STARTED, SPECS[0])
    assert left == [120, 60]
