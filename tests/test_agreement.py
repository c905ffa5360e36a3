"""Declared beside observed: what agrees, what differs, and what must never be held to differ."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from observed_support import runs_of

from repcheck.claims.load import load
from repcheck.fact import Evidence, Level
from repcheck.facts.agreement import Agreement, Line
from repcheck.finding import as_declared, differing
from repcheck.rule import Cleared, Flagged, Kind, Severity, Undetermined

PLAIN = {"steps": 120, "samples": 3840, "unique": 384, "unique_by": "indices", "batch": 32}
RAW = {"held": True, "swapped": False, "known": True}
TEST = {"n": 1, "at": 120, "set": 0, "rows": 300, "forwards": 10, "views": 1.0, "final": True}


def agreement_of(
    folder: Path, ours: str, run: Any, *, data: str = "{train: {size: 384}}"
) -> tuple[Agreement, Any]:
    path = folder / "claims.yaml"
    path.write_text(
        f"repcheck: 1\ndatasets: {{d: {data}}}\nmethods:\n"
        f"  ours: {{role: proposed, {ours}}}\n"
        "  base: {role: baseline}\n"
        "claims: [{id: C1, method: ours, baselines: [base]}]\n"
    )
    claims = load(path)
    evidence = Evidence(claims=claims, runs=runs_of({"ours": run}))
    return evidence.get(Agreement), claims.methods["ours"]


def line(folder: Path, key: str, ours: str, run: Any, **data: str) -> Line:
    agreement, method = agreement_of(folder, ours, run, **data)
    found = agreement.line(method, key)
    assert found is not None, [one.key for one in agreement.of(method)]
    return found


def trained(**more: Any) -> dict[str, Any]:
    return {"training": {**PLAIN, **more}}


def with_optimizer(**fields: Any) -> dict[str, Any]:
    known = {"peak_lr": 0.1, "first_lr": 0.1, "last_lr": 0.1, "distinct_lrs": 1}
    return trained(optimizer={"cls": "SGD", **known, **fields})


def test_a_longer_training_differs_with_its_size_and_in_words(tmp_path: Path) -> None:
    found = line(
        tmp_path,
        "train.epochs",
        "train: {epochs: 10}",
        trained(steps=360, samples=11520),
    )
    assert found.state == "differs"
    assert found.size == pytest.approx(3)
    assert found.observed == "30; 11,520 samples in 360 steps, U = 384"
    assert found.quantity is not None
    assert found.quantity.level is Level.OBSERVED
    assert found.quantity.value == pytest.approx(30)


def test_a_finding_rests_on_the_observed_value_and_stands_at_the_declared_key(
    tmp_path: Path,
) -> None:
    agreement, method = agreement_of(
        tmp_path, "train: {epochs: 10}", trained(steps=360, samples=11520)
    )
    [found] = differing(method, agreement, ("train.epochs",))
    assert found.message == (
        "`train.epochs` of `ours` is declared 10 and observed 30; 11,520 samples in 360 steps, "
        "U = 384 (×3.00)"
    )
    assert found.kind is Kind.MISMATCH
    assert found.severity is Severity.MAJOR
    assert found.at.path == "methods.ours.train.epochs"
    assert "methods.ours.train.epochs" in found.fix


@pytest.mark.parametrize(("samples", "weight"), [(4096, Severity.MINOR), (4608, Severity.MAJOR)])
def test_up_to_a_tenth_apart_is_minor(tmp_path: Path, samples: int, weight: Severity) -> None:
    agreement, method = agreement_of(
        tmp_path, "train: {epochs: 10}", trained(steps=samples // 8, samples=samples, batch=8)
    )
    [found] = differing(method, agreement, ("train.epochs",))
    assert found.severity is weight


def test_an_undeclared_key_never_differs_and_shows_what_was_seen(tmp_path: Path) -> None:
    average = {"cls": "CNN", "decay": 0.98, "r2": 1.0, "evaluated": True, "how": "fitted"}
    found = line(tmp_path, "ema", "train: {epochs: 10}", {"averages": [average]})
    assert (found.state, found.declared) == ("undeclared", "")
    assert found.observed == "averaged weights (decay 0.98)"


def test_nothing_that_was_not_rerun_is_called_the_same(tmp_path: Path) -> None:
    everything = (
        "train: {epochs: 10, batch_size: 32, amp: false, repeats: 1, resumed_from: none}, "
        "optimizer: {type: SGD, lr: 0.1}, lr_schedule: cosine, ema: none, tta: none, "
        "ensemble_size: 1, model: {params: 10}, eval: {mode: eval}, seeds: [1], "
        "model_selection: last, distillation: none"
    )
    gone = {"gaps": [{"what": "everything", "why": "no interpreter"}]}
    for run in (gone, {"probe": False}, {**gone, "status": "nonzero"}):
        agreement, method = agreement_of(tmp_path, everything, run)
        states = {one.key: one.state for one in agreement.of(method)}
        assert set(states.values()) == {"unseen"}, states
        assert all(one.why for one in agreement.of(method))


def test_before_any_run_there_are_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(
        "repcheck: 1\nmethods: {ours: {train: {epochs: 10}}}\nclaims: [{id: C1, method: ours}]\n"
    )
    claims = load(path)
    assert Evidence(claims=claims).get(Agreement).of(claims.methods["ours"]) == ()


@pytest.mark.parametrize(
    ("declared", "run", "state"),
    [
        ("batch_size: 32", {}, "same"),
        ("batch_size: 16", {}, "differs"),
        ("batch_size: 16, grad_accum: 2", {"accumulation": 2}, "same"),
        ("batch_size: 32", {"accumulation": 2}, "same"),
        ("batch_size: 8, devices: 8", {}, "differs"),
        ("batch_size: 256, devices: 8", {}, "unit"),
        ("batch_size: 32, devices: 8", {}, "same"),
        ("batch_size: 16", {"drawn": 1920}, "unit"),
        ("batch_size: 16, views: 2", {"drawn": 1920}, "same"),
        ("batch_size: 16", {"drawn": 1920, "repeated_batches": 0.5}, "differs"),
        ("batch_size: 24", {"samplers": ["BucketBatchSampler"]}, "unit"),
    ],
)
def test_a_batch_may_be_split_repeated_or_shared_out(
    tmp_path: Path, declared: str, run: dict[str, Any], state: str
) -> None:
    found = line(tmp_path, "train.batch_size", f"train: {{{declared}}}", trained(**run))
    assert found.state == state, found


@pytest.mark.parametrize(
    ("declared", "optimizer", "state"),
    [
        (0.1, {}, "same"),
        (0.100001, {}, "differs"),
        (0.05, {}, "differs"),
        (0.1, {"peak_lr": 0.0999, "distinct_lrs": 100}, "same"),
        (0.1, {"peak_lr": 0.08, "distinct_lrs": 100}, "differs"),
        (0.8, {}, "unit"),
    ],
)
def test_a_rate_agrees_to_a_millionth_or_is_scaled_with_the_batch(
    tmp_path: Path, declared: float, optimizer: dict[str, Any], state: str
) -> None:
    stated = f"optimizer: {{lr: {declared}}}"
    assert line(tmp_path, "optimizer.lr", stated, with_optimizer(**optimizer)).state == state


@pytest.mark.parametrize(
    ("key", "declared", "optimizer", "state"),
    [
        ("type", "SGD with momentum", {}, "same"),
        ("type", "Adam", {}, "differs"),
        ("type", "adamw", {"cls": "AdamW"}, "same"),
        ("type", "adam", {"cls": "AdamW", "fields": {"weight_decay": 0.01}}, "differs"),
        ("type", "adam", {"cls": "AdamW", "fields": {"weight_decay": 0.0}}, "unit"),
        ("type", "sgd", {"cls": "SAM"}, "unit"),
        ("weight_decay", "5e-4", {"fields": {"weight_decay": 5e-4}}, "same"),
        ("weight_decay", "none", {"fields": {"weight_decay": 0.0}}, "same"),
        ("weight_decay", "none", {"fields": {"weight_decay": 5e-4}}, "differs"),
        ("weight_decay", "5e-4", {}, "unseen"),
        (
            "momentum",
            "0.9",
            {"cls": "Adam", "fields": {"betas": [0.9, 0.999], "momentum": 0}},
            "same",
        ),
        ("betas", "[0.9, 0.999]", {"fields": {"betas": [0.9, 0.999]}}, "same"),
        ("betas", "[0.9, 0.999]", {"fields": {"betas": [0.9, 0.95]}}, "differs"),
        ("nesterov", "true", {"fields": {"nesterov": False}}, "differs"),
    ],
)
def test_settings_of_the_optimizer(
    tmp_path: Path, key: str, declared: str, optimizer: dict[str, Any], state: str
) -> None:
    found = line(
        tmp_path,
        f"optimizer.{key}",
        f"optimizer: {{{key}: {declared}}}",
        with_optimizer(**optimizer),
    )
    assert found.state == state, found


def decayed(kind: str, steps: int = 120) -> dict[str, Any]:
    shapes = {
        "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
        "linear": lambda t: 1 - t,
        "constant": lambda t: 1.0,
    }
    values = [0.1 * shapes[kind](i / steps) for i in range(steps)]
    return with_optimizer(
        last_lr=values[-1],
        distinct_lrs=len(set(values)),
        lr={"step": list(range(1, steps + 1)), "value": values},
    )


@pytest.mark.parametrize(
    ("declared", "ran", "state"),
    [
        ("cosine", "cosine", "same"),
        ("CosineAnnealingLR", "cosine", "same"),
        ("linear", "linear", "same"),
        ("none", "constant", "same"),
        ("constant", "cosine", "differs"),
        ("none", "linear", "differs"),
        ("cosine", "constant", "differs"),
        ("my-own", "cosine", "unit"),
        ("plateau", "constant", "unit"),
    ],
)
def test_a_schedule_is_told_by_its_trace(
    tmp_path: Path, declared: str, ran: str, state: str
) -> None:
    found = line(tmp_path, "lr_schedule.type", f"lr_schedule: {declared}", decayed(ran))
    assert found.state == state, found


def evaluated(**more: Any) -> dict[str, Any]:
    sets = [{"id": 0, "examples": 300, "by": "indices"}]
    return {**trained(), "sets": sets, "evaluations": [{**TEST, **RAW, **more}]}


@pytest.mark.parametrize(
    ("declared", "run", "state"),
    [
        ("tta: none", evaluated(), "same"),
        ("tta: none", evaluated(rows=900, views=3.0), "differs"),
        ("tta: none", evaluated(rows=350, views=1.17), "same"),
        ("tta: none", evaluated(rows=720, views=2.4), "unit"),
        ("tta: none", evaluated(rows=900, views=None), "unseen"),
        ("tta: none", evaluated(views=1.0, other_views=True), "unseen"),
        ("tta: {views: 3}", evaluated(rows=900, views=3.0), "same"),
        ("tta: {views: 10}", evaluated(rows=900, views=3.0), "differs"),
    ],
)
def test_views_are_rows_over_examples(
    tmp_path: Path, declared: str, run: dict[str, Any], state: str
) -> None:
    assert line(tmp_path, "tta.views", declared, run).state == state


def test_a_cell_that_is_called_at_every_step_of_time_shows_no_views(tmp_path: Path) -> None:
    loop = evaluated(rows=3600, views=12.0)
    called = {**loop, "training": {**trained()["training"], "forwards": 13.0}}
    once = {**loop, "training": {**trained()["training"], "forwards": 1.0}}
    assert line(tmp_path, "tta.views", "tta: none", called).state == "unseen"
    assert line(tmp_path, "tta.views", "tta: none", once).state == "differs"


def test_views_are_told_by_the_stated_test_size_where_all_splits_are_stated(
    tmp_path: Path,
) -> None:
    run = evaluated(rows=900, views=None)
    splits = "{train: {size: 384}, val: {size: 100}, test: {size: 300}}"
    assert line(tmp_path, "tta.views", "tta: none", run, data=splits).state == "differs"
    merged = "{train: {size: 384}, val: {size: 600}, test: {size: 300}}"
    assert line(tmp_path, "tta.views", "tta: none", run, data=merged).state == "unseen"


def test_rows_alike_in_the_test_set_are_no_views(tmp_path: Path) -> None:
    run = evaluated(rows=900, views=3.0)
    run["sets"] = [{"id": 0, "examples": 300, "by": "content"}]
    assert line(tmp_path, "tta.views", "tta: none", run).state == "unseen"


def test_models_that_met_the_test_set_one_by_one_may_be_members(tmp_path: Path) -> None:
    apart = evaluated(other_models=True)
    assert line(tmp_path, "ensemble_size", "ensemble_size: 1", evaluated()).state == "same"
    assert line(tmp_path, "ensemble_size", "ensemble_size: 1", apart).state == "unseen"


def test_weights_from_elsewhere_are_neither_raw_nor_averaged(tmp_path: Path) -> None:
    run = evaluated(held=False, swapped=False, known=False)
    assert line(tmp_path, "ema", "ema: none", run).state == "unseen"


def test_an_average_that_is_not_evaluated_is_none(tmp_path: Path) -> None:
    target = {"cls": "CNN", "decay": 0.99, "r2": 1.0, "evaluated": False, "how": "fitted"}
    assert line(tmp_path, "ema", "ema: none", {**evaluated(), "averages": [target]}).state == "same"


def test_raw_weights_evaluated_beside_averaged_ones_leave_open_which_count(tmp_path: Path) -> None:
    average = {"cls": "CNN", "decay": 0.99, "r2": 1.0, "evaluated": True, "how": "fitted"}
    alone = evaluated(held=False, known=False)
    raw = {**alone["evaluations"][0], "held": True, "swapped": False, "final": False}
    both = {**alone, "evaluations": [raw, *alone["evaluations"]], "averages": [average]}
    assert line(tmp_path, "ema", "ema: none", {**alone, "averages": [average]}).state == "differs"
    assert line(tmp_path, "ema", "ema: none", both).state == "unseen"


def test_a_bad_fit_is_no_average(tmp_path: Path) -> None:
    vague = {"cls": "CNN", "decay": 0.5, "r2": 0.4, "evaluated": True, "how": "fitted"}
    run = {**evaluated(held=False, known=False), "averages": [vague]}
    assert line(tmp_path, "ema", "ema: none", run).state != "differs"


@pytest.mark.parametrize(
    ("declared", "models", "state"),
    [
        ("5000", [5000], "same"),
        ("5000", [10000], "differs"),
        ("5k", [5400], "same"),
        ("9000", [5000, 4000], "same"),
        ("2500", [5000], "differs"),
    ],
)
def test_parameters_agree_with_any_usual_way_of_counting(
    tmp_path: Path, declared: str, models: list[int], state: str
) -> None:
    known = [
        {"id": i, "cls": f"Part{i}", "params": n, "trainable": n, "trained": True}
        for i, n in enumerate(models)
    ]
    stated = f"model: {{params: {declared}}}"
    assert line(tmp_path, "model.params", stated, {"models": known}).state == state


def test_the_runs_own_seed_agrees_and_any_other_is_no_finding(tmp_path: Path) -> None:
    def with_seed(value: str) -> dict[str, Any]:
        return {"seed": 7, "seeds": [{"lib": "torch", "value": value}]}

    assert line(tmp_path, "seeds.train", "seeds: [7]", with_seed("7")).state == "same"
    assert line(tmp_path, "seeds.train", "seeds: [7]", with_seed("8")).state == "unseen"


@pytest.mark.parametrize(("made_at", "state"), [(30, "same"), (20, "differs"), (None, "unseen")])
def test_the_last_weights_are_the_ones_at_the_end(
    tmp_path: Path, made_at: int | None, state: str
) -> None:
    run = evaluated(at=30, made_at=made_at)
    found = line(tmp_path, "model_selection.checkpoint", "model_selection: last", run)
    assert found.state == state


def test_text_is_drawn_in_pieces_and_its_size_is_no_finding(tmp_path: Path) -> None:
    stated = "train: {epochs: 10, sequence_length: 128}"
    found = line(tmp_path, "datasets.d.train.size", stated, trained(unique=1500, samples=15000))
    assert found.state == "unit"


def test_what_favours_the_other_side_is_a_note(tmp_path: Path) -> None:
    agreement, method = agreement_of(
        tmp_path, "train: {epochs: 10}", trained(steps=60, samples=1920)
    )
    [found] = differing(method, agreement, ("train.epochs",))
    assert found.severity is Severity.NOTE
    assert found.message.startswith("conservative comparison")


def test_several_runs_are_told_with_their_span(tmp_path: Path) -> None:
    longer = trained(steps=360, samples=11520)
    found = line(
        tmp_path, "train.epochs", "train: {epochs: 10}", [trained(), longer, longer, longer, longer]
    )
    assert found.observed.startswith("30 (10 to 30 over 5 runs)")


def test_a_key_that_agrees_clears_beside_one_that_was_not_seen(tmp_path: Path) -> None:
    agreement, method = agreement_of(tmp_path, "train: {epochs: 10}, ema: none", trained())
    clear, hidden = as_declared(method, agreement, ("train.epochs", "ema"), "more")
    assert isinstance(clear, Cleared)
    assert isinstance(hidden, Undetermined)
    assert not isinstance(clear, Flagged)


@pytest.mark.parametrize(
    "forged",
    [
        {"steps": 0},
        {"steps": -5},
        {"world": 0},
        {"samples": -1},
        {"unique": -7},
        {"batch": 0.0},
        {"batch": math.inf},
        {"accumulation": math.nan},
        {"optimizer": {"peak_lr": math.nan}},
        {"optimizer": {"peak_lr": -0.1}},
        {"repeated_batches": 7.0},
    ],
)
def test_impossible_numbers_are_not_seen(tmp_path: Path, forged: dict[str, Any]) -> None:
    found = line(tmp_path, "train.epochs", "train: {epochs: 10}", trained(**forged))
    assert found.state == "unseen"
    assert "impossible" in found.why


@pytest.mark.parametrize("views", [math.nan, math.inf, -1.0, 0.0])
def test_impossible_views_are_not_seen(tmp_path: Path, views: float) -> None:
    assert line(tmp_path, "tta.views", "tta: none", evaluated(views=views)).state == "unseen"
