"""Lengths of training in one currency."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.budget import Budget, figure, stated_budget
from repcheck.claims.load import load
from repcheck.claims.model import Claims, Dataset, Method, SplitPart, Train
from repcheck.claims.stated import State, Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.where import Where

counts = st.integers(min_value=1, max_value=10**6)
small = st.integers(min_value=1, max_value=64)


def said(value: Any) -> Stated[Any]:
    return Stated(state=State.DECLARED, content=value, place=Where("claims.yaml", 1, 1, "here"))


def method(name: str = "ours", **train: Any) -> Method:
    place = Where("claims.yaml", 1, 1, f"methods.{name}")
    stated = {key: said(value) for key, value in train.items()}
    return Method(id=name, place=place, train=Train(place=place["train"], **stated))


def paper(size: int | None = None) -> Claims:
    place = Where("claims.yaml", 1, 1, "datasets.digits")
    part = SplitPart(place=place["train"], **({"size": said(size)} if size else {}))
    return Claims(datasets={"digits": Dataset(id="digits", place=place, train=part)})


def budget(size: int | None = None, **train: Any) -> Budget:
    return stated_budget(paper(size), method(**train))


def test_iterations_become_epochs_through_batch_and_training_set() -> None:
    made = budget(384, iterations=360, batch_size=32)
    assert made.samples.value == 11_520
    assert made.epochs.value == 30
    assert made.steps.value == 360
    assert made.length.made_of == "360 iterations"


def test_a_step_takes_batch_times_devices_times_accumulated_passes() -> None:
    made = budget(iterations=100, batch_size=32, devices=8, grad_accum=4)
    assert made.per_step.value == 1024
    assert made.samples.value == 102_400


def test_epochs_need_no_training_set_to_compare_as_epochs() -> None:
    made = budget(epochs=10, repeats=3)
    assert made.epochs.value == 30
    assert not made.has("samples")


def test_iterations_become_epochs_through_steps_per_epoch_alone() -> None:
    assert budget(iterations=360, steps_per_epoch=12).epochs.value == 30


def test_the_last_partial_batch_is_no_repetition() -> None:
    assert budget(400, epochs=10, steps_per_epoch=12, batch_size=32).draws.value == 1
    assert budget(400, epochs=10, steps_per_epoch=13, batch_size=32).draws.value == 1
    assert budget(400, epochs=10, steps_per_epoch=25, batch_size=32).draws.value == 2


def test_a_subset_counts_as_the_training_set() -> None:
    assert budget(1000, epochs=2, subset=100).samples.value == 200
    assert budget(1000, epochs=2, subset={"fraction": 0.04}).samples.value == 80


def test_a_subset_that_is_no_number_is_missing_with_its_key() -> None:
    with pytest.raises(Missing, match=r"write `here` as a number of samples"):
        _ = budget(1000, epochs=2, subset="some").samples


def test_tokens_are_samples_times_sequence_length() -> None:
    made = budget(iterations=10, batch_size=4, sequence_length=1024)
    assert made.tokens.value == 40_960
    assert budget(tokens=40_960, sequence_length=1024).samples.value == 40


def test_environment_steps_convert_into_nothing_else() -> None:
    made = budget(384, env_steps=1e6, batch_size=32)
    assert made.env_steps.value == 1e6
    with pytest.raises(Missing, match=r"declare `methods.ours.train.samples`"):
        _ = made.samples


@pytest.mark.parametrize(
    ("size", "train", "unit", "key"),
    [
        (384, {}, "length", "methods.ours.train.epochs"),
        (384, {"iterations": 10}, "samples", "methods.ours.train.batch_size"),
        (None, {"iterations": 10, "batch_size": 4}, "epochs", "datasets.digits.train.size"),
        (None, {"epochs": 10}, "samples", "datasets.digits.train.size"),
        (384, {"epochs": 10}, "steps", "methods.ours.train.batch_size"),
        (384, {"tokens": 1000}, "samples", "methods.ours.train.sequence_length"),
        (384, {"samples": 1000}, "env_steps", "methods.ours.train.env_steps"),
    ],
)
def test_what_is_missing_is_named_by_its_key(
    size: int | None, train: dict[str, Any], unit: str, key: str
) -> None:
    with pytest.raises(Missing) as missing:
        getattr(budget(size, **train), unit)
    assert missing.value.reason is Reason.UNDECLARED_KEY
    assert f"`{key}`" in missing.value.would_decide


def test_the_silence_of_both_about_devices_is_one_and_is_told() -> None:
    made = stated_budget(
        paper(), method(iterations=10, batch_size=4), beside=method("base", iterations=10)
    )
    assert made.per_step.value == 4
    assert made.per_step.assumed == (
        "methods.ours.train.devices",
        "methods.ours.train.grad_accum",
    )


def test_silence_beside_the_others_number_is_missing() -> None:
    made = stated_budget(
        paper(), method(iterations=10, batch_size=4), beside=method("base", devices=8)
    )
    with pytest.raises(Missing, match=r"declare `methods.ours.train.devices`"):
        _ = made.samples


def test_a_unit_that_both_state_is_preferred() -> None:
    ours = method(epochs=10, iterations=120, batch_size=32)
    assert stated_budget(paper(), ours).length.unit == "epochs"
    beside = method("base", iterations=120)
    assert stated_budget(paper(), ours, beside=beside).length.unit == "iterations"


def test_nothing_trained_is_not_missing_but_inapplicable(tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text(
        "repcheck: 1\nmethods: {ours: {train: none}, base: {train: {epochs: n/a}}}\n"
        "claims: [{id: C1, method: ours}]\n"
    )
    claims = load(file)
    for name in ("ours", "base"):
        with pytest.raises(Inapplicable, match="nothing is trained"):
            _ = stated_budget(claims, claims.methods[name]).length


@given(steps=counts, batch=small, devices=small, accum=small, size=counts)
def test_samples_are_the_same_whichever_unit_states_them(
    steps: int, batch: int, devices: int, accum: int, size: int
) -> None:
    shape = {"batch_size": batch, "devices": devices, "grad_accum": accum}
    in_steps = budget(size, iterations=steps, **shape)
    in_samples = budget(size, samples=in_steps.samples.value, **shape)
    in_epochs = budget(size, epochs=in_steps.epochs.value, **shape)
    for made in (in_samples, in_epochs):
        assert math.isclose(made.samples.value, in_steps.samples.value, rel_tol=1e-9)
        assert math.isclose(made.steps.value, steps, rel_tol=1e-9)
        assert math.isclose(made.epochs.value, in_steps.epochs.value, rel_tol=1e-9)


@given(epochs=small, repeats=small, size=counts, batch=small)
def test_effective_epochs_are_samples_over_different_samples(
    epochs: int, repeats: int, size: int, batch: int
) -> None:
    made = budget(size, epochs=epochs, repeats=repeats, batch_size=batch)
    assert math.isclose(made.epochs.value, made.samples.value / size, rel_tol=1e-9)
    assert made.epochs.value == epochs * repeats


@given(
    train=st.dictionaries(
        st.sampled_from(
            [
                "epochs",
                "iterations",
                "samples",
                "tokens",
                "env_steps",
                "batch_size",
                "devices",
                "grad_accum",
                "repeats",
                "steps_per_epoch",
                "sequence_length",
                "subset",
            ]
        ),
        counts,
    ),
    size=st.one_of(st.none(), counts),
)
def test_every_statement_gives_a_positive_amount_or_names_a_key(
    train: dict[str, int], size: int | None
) -> None:
    made = budget(size, **train)
    for unit in ("length", "per_step", "draws", "steps", "samples", "epochs", "tokens"):
        if made.has(unit):
            assert getattr(made, unit).value > 0
        else:
            with pytest.raises(Missing, match="`"):
                getattr(made, unit)


@pytest.mark.parametrize(
    ("value", "printed"), [(12_000.0, "12,000"), (28.8, "28.8"), (0.0, "0"), (1 / 3, "0.3333")]
)
def test_a_figure_is_printed_as_a_person_writes_it(value: float, printed: str) -> None:
    assert figure(value) == printed
