"""Learning-rate traces: their shape, class and distance, as the rules draw them."""

from __future__ import annotations

import math

import pytest
from observed_support import runs_of

from repcheck import rules
from repcheck.claims.load import parse
from repcheck.fact import Evidence
from repcheck.facts.recipe import POINTS, Schedule
from repcheck.facts.schedule import classify, drawn, off_family, turns
from repcheck.judge import judge
from repcheck.rule import State

Points = list[tuple[float, float]]


def trace(curve: str, steps: int = 200, *, warm: int = 0, long: float = 1.0) -> Points:
    """Return (step, lr / peak) of every step of a schedule as torch would set it."""
    points = []
    for step in range(steps):
        time = max(0, step - warm) / (steps - warm)
        left = {
            "constant": 1.0,
            "cosine": (1 + math.cos(math.pi * time / long)) / 2,
            "linear": 1 - time / long,
            "exponential": 0.01**time,
            "inverse-sqrt": (1 + 99 * time) ** -0.5,
            "step": 0.1 ** (3 * step // steps),
        }[curve]
        points.append((step + 1.0, (step + 1) / warm if step < warm else left))
    return points


def shape(points: Points) -> tuple[float, ...]:
    return drawn(points, int(points[-1][0]))


def kind(points: Points) -> str:
    values = [value for _, value in points]
    return classify(shape(points), turns(values), len(set(values)))[0]


@pytest.mark.parametrize(
    "name", ["constant", "cosine", "linear", "exponential", "inverse-sqrt", "step"]
)
def test_a_schedule_is_recognised_by_its_trace(name: str) -> None:
    assert kind(trace(name)) == name


@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_a_short_warm_up_does_not_change_the_class(name: str) -> None:
    assert kind(trace(name, warm=10)) == name


def test_a_decay_planned_for_a_longer_training_keeps_its_class_and_shows_its_end() -> None:
    unfinished = shape(trace("cosine", long=4))
    assert kind(trace("cosine", long=4)) == "cosine"
    assert unfinished[-1] == pytest.approx((1 + math.cos(math.pi / 4)) / 2, abs=0.01)


def test_a_long_warm_up_is_one_cycle() -> None:
    assert kind(trace("cosine", warm=60)) == "one-cycle"


def test_a_scheduler_that_is_stepped_too_often_swings_and_is_cyclic() -> None:
    swinging = [(i + 1.0, (1 + math.cos(math.pi * i / 10)) / 2) for i in range(191)]
    assert turns([value for _, value in swinging]) == 9
    assert kind(swinging) == "cyclic"


def test_a_curve_of_no_family_is_custom() -> None:
    odd = [(i + 1.0, 1 - 0.9 * (i / 199) ** 9) for i in range(200)]
    assert kind(odd) == "custom"


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [
        ("cosine", "cosine", 0.0),
        ("cosine", "constant", 0.5),
        ("linear", "constant", 0.5),
        ("cosine", "linear", 0.0683),
    ],
)
def test_the_distance_is_the_mean_absolute_difference_of_the_shapes(
    ours: str, theirs: str, distance: float
) -> None:
    made = [Schedule(type=name, shape=shape(trace(name))) for name in (ours, theirs)]
    assert made[0].distance(made[1]) == pytest.approx(distance, abs=0.005)


def test_the_distance_does_not_depend_on_the_length_of_the_training() -> None:
    short, long = (shape(trace("cosine", steps)) for steps in (100, 5000))
    apart = sum(abs(a - b) for a, b in zip(short, long, strict=True)) / POINTS
    assert apart < 0.01


def test_a_thinned_trace_is_drawn_like_the_whole_one() -> None:
    whole = trace("cosine")
    assert drawn(whole[::10] + whole[-1:], 200) == pytest.approx(shape(whole), abs=0.01)


def test_a_family_fits_its_own_trace_whatever_the_floor_and_the_horizon() -> None:
    with_floor = tuple(0.1 + 0.9 * value for value in shape(trace("cosine")))
    assert off_family(with_floor, "cosine") == pytest.approx(0.0, abs=0.01)
    assert off_family(shape(trace("cosine", long=4)), "cosine") == pytest.approx(0.0, abs=0.01)
    assert (off_family(shape(trace("constant")), "step")) is None
    far = off_family(shape(trace("step")), "linear")
    assert far is not None
    assert far > 0.15


def test_a_constant_trace_is_no_distance_from_a_cosine_that_never_moved() -> None:
    flat = off_family(shape(trace("constant")), "cosine")
    assert flat == pytest.approx(0.0, abs=1e-9)


NONSENSE = """
repcheck: 1
methods:
  ours: {role: proposed, lr_schedule: cosine, optimizer: {lr: 0.1}}
  base: {role: baseline, lr_schedule: cosine, optimizer: {lr: 0.1}}
claims: [{id: C1, method: ours, baselines: [base], at_step: {steps: 0}}]
"""


@pytest.mark.parametrize("values", [[math.nan] * 2, [-1.0, -2.0], [math.inf, 1.0], [0.0, 0.0]])
def test_a_record_of_nonsense_breaks_no_rule(values: list[float]) -> None:
    optimizer = {"peak_lr": 0.1, "last_lr": math.nan, "lr": {"step": [5, 1], "value": values}}
    training = {"steps": 0, "optimizer": optimizer, "first_loss": math.nan, "loss_trend": math.nan}
    runs = runs_of({name: {"training": dict(training)} for name in ("ours", "base")})
    evidence = Evidence(claims=parse(NONSENSE, "c.yaml"), runs=runs)
    made = judge(evidence, rules.load().values())
    assert [f"{j.rule}: {j.would_decide}" for j in made if j.state is State.ERROR] == []
