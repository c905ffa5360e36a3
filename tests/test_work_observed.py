"""What a probe counted takes the place of what is stated, unit by unit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from observed_support import runs_of

from repcheck import rules
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence, Level
from repcheck.facts.work import Seen, Work, more_samples
from repcheck.judge import judge
from repcheck.rule import State

PLAIN = {"steps": 120, "samples": 3840, "unique": 384, "unique_by": "indices", "batch": 32}


def claims_of(folder: Path, ours: str, size: int = 384) -> Claims:
    path = folder / "claims.yaml"
    path.write_text(
        f"repcheck: 1\ndatasets: {{d: {{train: {{size: {size}}}}}}}\nmethods:\n"
        f"  ours: {{role: proposed, train: {{{ours}}}}}\n"
        "  base: {role: baseline, train: {epochs: 10, batch_size: 32}}\n"
        "claims: [{id: C1, method: ours, baselines: [base]}]\n"
    )
    return load(path)


def seen(folder: Path, ours: str, training: Any, size: int = 384) -> Seen:
    trainings = training if isinstance(training, list) else [training]
    runs = runs_of({"ours": [{"training": one} for one in trainings]})
    claims = claims_of(folder, ours, size)
    return Evidence(claims=claims, runs=runs).get(Work).of(claims.methods["ours"])


def test_steps_samples_size_epochs_and_draws_are_taken_from_the_run(tmp_path: Path) -> None:
    work = seen(tmp_path, "epochs: 10, batch_size: 32", PLAIN)
    values = {unit: work.value(unit) for unit in ("steps", "samples", "train_size", "per_step")}
    assert values == {"steps": 120, "samples": 3840, "train_size": 384, "per_step": 32}
    assert work.value("epochs") == work.value("length") == 10
    assert work.value("draws") == 1
    assert work.amount("length").unit == "epochs"
    assert work.counted("steps", "samples", "train_size", "epochs", "draws", "length")


def test_a_counted_quantity_points_to_its_run_and_record(tmp_path: Path) -> None:
    quantity = seen(tmp_path, "epochs: 10", PLAIN).quantity("samples")
    assert quantity.level is Level.OBSERVED
    assert quantity.source.startswith("run ")
    assert "probe/" in quantity.source


def test_a_length_nobody_states_is_counted_in_steps(tmp_path: Path) -> None:
    work = seen(tmp_path, "batch_size: 32", PLAIN)
    assert str(work.amount("length")) == "120 iterations"


def test_of_several_runs_the_middle_one_stands_and_the_words_say_the_span(tmp_path: Path) -> None:
    longer = {**PLAIN, "steps": 360, "samples": 11520}
    work = seen(tmp_path, "batch_size: 32", [PLAIN, longer, longer, longer, longer])
    assert str(work.amount("steps")) == "360 steps (120 to 360 over 5 runs)"
    assert str(work.amount("epochs")) == "30 epochs (10 to 30 over 5 runs)"


def test_all_numbers_of_a_method_are_of_one_run(tmp_path: Path) -> None:
    runs = [{**PLAIN, "steps": 10 * n, "samples": 320 * n, "unique": 32 * n} for n in (1, 2, 3)]
    work = seen(tmp_path, "batch_size: 32", runs, size=1000)
    assert work.value("samples") / work.value("train_size") == work.value("epochs")


def test_more_epochs_than_stated_are_a_length_and_no_draws(tmp_path: Path) -> None:
    work = seen(tmp_path, "epochs: 10", {**PLAIN, "steps": 360, "samples": 11520})
    assert work.value("length") == 30
    with pytest.raises(Inapplicable, match="30 epochs where 10 epochs are stated"):
        work.amount("draws")


def test_repeats_that_show_are_draws_and_no_length(tmp_path: Path) -> None:
    inner = {**PLAIN, "steps": 360, "samples": 11520, "repeated_batches": 0.667}
    work = seen(tmp_path, "epochs: 10", inner)
    assert (work.value("length"), work.value("draws"), work.value("epochs")) == (10, 3, 30)


def test_declared_repeats_are_draws_of_a_stated_epoch(tmp_path: Path) -> None:
    work = seen(tmp_path, "epochs: 10, repeats: 3", {**PLAIN, "steps": 360, "samples": 11520})
    assert (work.value("length"), work.value("draws")) == (10, 3)


def test_a_dropped_last_batch_is_one_draw_less_a_little(tmp_path: Path) -> None:
    dropped = {"steps": 30, "samples": 3840, "unique": 400, "unique_by": "indices", "batch": 128}
    work = seen(tmp_path, "epochs: 10, batch_size: 128", dropped, size=400)
    assert work.value("draws") == pytest.approx(0.96)
    assert work.value("length") == pytest.approx(10)


@pytest.mark.parametrize("what", ["training", "process", "everything"])
def test_a_training_that_was_not_seen_leaves_what_is_stated(tmp_path: Path, what: str) -> None:
    claims = claims_of(tmp_path, "epochs: 10, batch_size: 32")
    gaps = [{"what": what, "why": "made in C++"}]
    runs = runs_of({"ours": {"training": {**PLAIN, "steps": 1, "samples": 32}, "gaps": gaps}})
    work = Evidence(claims=claims, runs=runs).get(Work).of(claims.methods["ours"])
    assert work.value("steps") == 120
    assert work.quantity("steps").level is Level.DECLARED


def test_steps_alone_leave_a_length_in_epochs_as_stated(tmp_path: Path) -> None:
    work = seen(tmp_path, "epochs: 10, batch_size: 32", {"steps": 999})
    assert work.value("steps") == 120
    assert not work.budget.counted


def test_steps_alone_are_a_length_in_iterations(tmp_path: Path) -> None:
    work = seen(tmp_path, "iterations: 100, batch_size: 32", {"steps": 300})
    assert work.value("steps") == work.value("length") == 300
    assert work.counted("steps", "length")
    assert not work.counted("samples")


def test_fewer_devices_here_than_stated_leave_what_is_stated(tmp_path: Path) -> None:
    work = seen(tmp_path, "iterations: 120, batch_size: 32, devices: 8", PLAIN)
    assert work.value("samples") == 120 * 32 * 8
    assert not work.budget.counted


def test_rows_made_new_by_augmentation_do_not_count_as_other_samples(tmp_path: Path) -> None:
    augmented = {**PLAIN, "unique": 3840, "unique_by": "content"}
    work = seen(tmp_path, "epochs: 10", augmented)
    assert (work.value("train_size"), work.value("epochs")) == (384, 10)
    assert work.counted("samples")
    assert not work.counted("epochs"), "the stated size stands in it"


def test_steps_of_two_optimizers_at_odds_tell_nothing_of_samples(tmp_path: Path) -> None:
    other = {"cls": "Adam", "steps": 600, "elements": 1, "groups": 1}
    work = seen(tmp_path, "iterations: 120, batch_size: 32", {**PLAIN, "others": [other]})
    assert work.counted("steps")
    assert not work.counted("samples")


def test_rows_through_several_trained_modules_count_once(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, "epochs: 10")
    parts = [
        {"id": i, "cls": name, "params": 5, "trainable": 5, "trained": True}
        for i, name in enumerate(("Encoder", "Head"))
    ]
    twice = {**PLAIN, "samples": 7680, "drawn": 3840, "batch": 64}
    runs = runs_of({"ours": {"training": twice, "models": parts}})
    work = Evidence(claims=claims, runs=runs).get(Work).of(claims.methods["ours"])
    assert (work.value("samples"), work.value("per_step")) == (3840, 32)


def test_with_one_side_unseen_the_two_compare_as_far_as_stated(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, "epochs: 10, batch_size: 32")
    runs = runs_of({"ours": {"training": {**PLAIN, "steps": 240, "samples": 7680}}})
    work = Evidence(claims=claims, runs=runs).get(Work)
    ours, theirs = work.both(comparisons(claims)[0])
    assert more_samples(ours, theirs) == 2
    levels = (ours.quantity("samples").level, theirs.quantity("samples").level)
    assert levels == (Level.OBSERVED, Level.DECLARED)


def test_runs_of_other_arms_and_failed_ones_are_not_looked_at(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, "epochs: 10, batch_size: 32")
    longer = {"training": {**PLAIN, "steps": 360, "samples": 11520}}
    runs = runs_of({"ours": [{**longer, "arm_kind": "aligned"}, {**longer, "status": "nonzero"}]})
    work = Evidence(claims=claims, runs=runs).get(Work).of(claims.methods["ours"])
    assert work.value("steps") == 120
    assert not work.budget.counted


def test_without_runs_nothing_is_counted_and_missing_keys_stay_missing(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, "epochs: 10")
    work = Evidence(claims=claims).get(Work).of(claims.methods["ours"])
    assert not work.budget.counted
    with pytest.raises(Missing, match="batch_size"):
        work.amount("steps")


HONEST_RULES = ("RC101", "RC102", "RC103", "RC101b", "RC102b", "RC103b", "RC109", "RC912")


@st.composite
def honest_training(draw: st.DrawFn) -> tuple[str, int, dict[str, Any]]:
    """A training as declared: (train section, size of the set, what a probe counts of it)."""
    size = draw(st.integers(20, 5000))
    batch = draw(st.integers(1, min(size, 512)))
    passes = draw(st.sampled_from([1, 1, 2, 4]))
    epochs = draw(st.integers(1, 40))
    repeats = draw(st.sampled_from([1, 1, 1, 3]))
    dropped = draw(st.booleans()) and size >= batch
    batches = size // batch if dropped else -(-size // batch)
    samples = (batches * batch if dropped else size) * epochs * repeats
    micro = batches * epochs * repeats
    assume(micro >= passes)
    steps = -(-micro // passes)
    seen = min(size, samples)
    content = draw(st.booleans())
    stated = [f"batch_size: {batch}", f"grad_accum: {passes}"]
    if draw(st.booleans()):
        stated.append(f"iterations: {steps}")
    else:
        stated += [f"epochs: {epochs}", *([f"repeats: {repeats}"] if repeats > 1 else [])]
    run = {
        "steps": steps,
        "samples": samples,
        "drawn": samples if draw(st.booleans()) else None,
        "unique": draw(st.integers(max(1, seen // 2), samples)) if content else seen,
        "unique_by": "content" if content else "indices",
        "batch": float(min(batch, size) * passes if micro >= 2 * passes else samples / steps),
        "accumulation": float(passes),
        "optimizer": {"distinct_lrs": draw(st.sampled_from([1, epochs, steps])), "peak_lr": 0.1},
    }
    return ", ".join(stated), size, run


@settings(max_examples=300, deadline=None, derandomize=True)
@given(honest_training())
def test_a_training_as_declared_is_never_accused(case: tuple[str, int, dict[str, Any]]) -> None:
    stated, size, run = case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.yaml"
        path.write_text(
            f"repcheck: 1\ndatasets: {{d: {{train: {{size: {size}}}}}}}\nmethods:\n"
            f"  ours: {{role: proposed, train: {{{stated}}}}}\n"
            f"  base: {{role: baseline, train: {{{stated}}}}}\n"
            "claims: [{id: C1, method: ours, baselines: [base]}]\n"
        )
        claims = load(path)
    runs = runs_of({name: {"training": run} for name in ("ours", "base")})
    known = rules.load()
    found = judge(Evidence(claims=claims, runs=runs), [known[code] for code in HONEST_RULES])
    accused = [f"{one.rule}: {one.message}" for one in found if one.state is State.FLAGGED]
    assert accused == []
    assert [one for one in found if one.state is State.ERROR] == []


@pytest.mark.parametrize("factor", [2, 3, 5])
@pytest.mark.parametrize("unit", ["epochs: 10", "iterations: 120", "samples: 3840"])
def test_a_training_several_times_as_long_is_found_once_whatever_its_unit(
    tmp_path: Path, unit: str, factor: int
) -> None:
    claims = claims_of(tmp_path, f"{unit}, batch_size: 32")
    long = {**PLAIN, "steps": 120 * factor, "samples": 3840 * factor}
    runs = runs_of({"ours": {"training": long}, "base": {"training": PLAIN}})
    known = rules.load()
    found = judge(Evidence(claims=claims, runs=runs), [known[code] for code in HONEST_RULES])
    flagged = sorted(one.rule for one in found if one.state is State.FLAGGED)
    assert flagged == ["RC102", "RC102b"]
