"""The control of a score: planned once, fed other examples, and held against the declared run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from observed_support import observation_of
from test_effects import TEXT
from test_rounds import never, result

from repcheck import launch
from repcheck.analysis import observe
from repcheck.claims.load import load
from repcheck.facts.effects import Effects
from repcheck.observation import Observation
from repcheck.plan import Plan, PlanOptions
from repcheck.rounds import Course
from repcheck.runs import Runs
from tests.probe_support import observe_raw

EVALUATION = {"n": 1, "at": 9, "set": None, "rows": 9, "forwards": 4, "params": 9, "final": True}
SORTED = """
import torch
torch.manual_seed(0)
labels = torch.arange(4).repeat_interleave(40)
inputs = torch.randn(160, 8) * 0.1
inputs[torch.arange(160), labels] += 1.0
model = torch.nn.Linear(8, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for _ in range(20):
    for rows in torch.randperm(160).split(32):
        loss = torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
        optimizer.zero_grad(); loss.backward(); optimizer.step()
model.eval()
before = torch.get_rng_state()
with torch.no_grad():
    for size in (160, 40, 1):
        said = torch.cat([model(x).argmax(1) for x in inputs.split(size)])
        print(int((said == labels).sum()))
print(int(torch.equal(before, torch.get_rng_state())))
"""
ALONE = """
import torch
model = torch.nn.Linear(2, 2)
torch.nn.init.eye_(model.weight); torch.nn.init.zeros_(model.bias)
model.eval()
inputs = torch.eye(2).repeat(50, 1)
with torch.no_grad():
    print(sum(int(model(x).argmax(1)) == i % 2 for i, x in enumerate(inputs.split(1))))
    whole = model(inputs).argmax(1)
    print(sum(int(one) == i % 2 for i, one in enumerate(whole)))
"""


def run(folder: Path, script: str, *surgery: dict[str, object]) -> tuple[list[int], Observation]:
    env = launch.variables(folder, {}, surgery)
    wanted = {launch.SURGERY: env[launch.SURGERY]} if surgery else {}
    raw = observe_raw(script, folder, env=wanted)
    assert raw.rc == 0, raw.err
    return [int(line) for line in raw.out.split()], observe(raw.folder)


# --- what is fed --------------------------------------------------------------------------------


def test_sorted_and_single_rows_lose_their_labels_and_no_generator_of_the_artifact_moves(
    tmp_path: Path,
) -> None:
    (whole, by_class, single, untouched), seen = run(tmp_path, SORTED, {"kind": "unpair"})
    assert max(whole, by_class, single) < 80, "of 160, 40 by chance"
    assert untouched == 1
    (done,) = seen.surgery
    assert (done.kind, done.times) == ("unpair", 3 * 160)
    assert not [one for one in seen.probe_errors if one.startswith("surgery")]


def test_without_a_training_earlier_rows_are_fed_and_the_very_first_is_left_alone(
    tmp_path: Path,
) -> None:
    (single, whole), seen = run(tmp_path, ALONE, {"kind": "unpair"})
    assert single < 75, "of 100, 50 by chance"
    assert whole < 75
    assert seen.surgery[0].times == 99 + 100


def test_the_libraries_of_a_run_are_told_and_none_is_not_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert run(tmp_path / "a", "print(1)")[1].libraries == ()
    assert "numpy" in (run(tmp_path / "b", "import numpy; print(1)")[1].libraries or ())
    assert Observation().libraries is None


# --- when it is made ----------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path) -> Callable[..., Course]:
    def make(text: str = TEXT, **options: object) -> Course:
        (tmp_path / "claims.yaml").write_text(text)
        (tmp_path / "t.py").touch()
        claims = load(tmp_path / "claims.yaml")
        return Course(claims=claims, options=PlanOptions(**options), size=never)  # type: ignore[arg-type]

    return make


def made(plan: Plan, *evaluations: dict[str, object]) -> Runs:
    """Return results of a plan's runs in which a model was seen in these evaluations."""
    seeds = list(dict.fromkeys(one.seed for one in plan.runs))
    seen = observation_of({"evaluations": list(evaluations)})
    found = []
    for spec in plan.runs:
        one = result(spec, {"ours": 93.0}, seeds.index(spec.seed))
        assert one.observation is not None
        changed = replace(one.observation, evaluations=seen.evaluations)
        found.append(replace(one, observation=changed))
    return tuple(found)


def controls(course: Course, *evaluations: dict[str, object]) -> list[tuple[str, int]]:
    plan: Plan | None = course.first()
    last = course.first()
    while plan is not None:
        last = plan
        plan = course.after(plan, made(plan, *evaluations))
    return [(one.method, one.seed) for one in last.runs if one.arm_kind == "control"]


def test_a_claimed_method_gets_one_control_with_its_first_fresh_seed(course) -> None:
    it = course()
    assert controls(it, EVALUATION) == [("ours", it.first().fresh_seeds[0])]


def test_no_control_is_made_where_it_could_decide_nothing_or_is_refused(course) -> None:
    assert controls(course()) == []
    assert controls(course(), EVALUATION | {"forwards": 0}) == []
    assert controls(course(probe=False), EVALUATION) == []
    assert controls(course(f"{TEXT}budget: {{allow_surgery: false}}\n"), EVALUATION) == []
    cost = re.sub(r"\bacc\b", "seconds", TEXT)  # hangs on no answer of the model
    assert controls(course(cost), EVALUATION) == []


def test_a_control_is_foreseen_with_its_reason_and_weighs_in_no_comparison(course) -> None:
    it = course()
    plan = it.foreseen(it.first())
    foreseen = [arm for arm in plan.arms if arm.kind == "control"]
    assert [arm.decides for arm in foreseen] in (
        [],
        ["whether the score of `ours` depends on what its model is fed"],
    )
    after = it.after(it.first(), made(it.first(), EVALUATION))
    assert after is not None
    assert any(arm.kind == "control" for arm in after.arms)
    effects = it.evidence(after, made(after, EVALUATION)).get(Effects).effects
    assert not [one for one in effects if one.arm.kind == "control"]
