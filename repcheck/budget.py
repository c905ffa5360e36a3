"""How long a method trains, in one currency: the only place that converts.

`epochs`, `iterations`, `samples` and `tokens` are the same thing said in different units. With
S samples seen in training (each view of a sample counts), U different training samples and
P = batch x devices x accumulation samples a step::

    S = steps x P = epochs x repeats x U      effective epochs = S / U      tokens = S x length
    training FLOPs = S x FLOPs a sample + steps x FLOPs of an optimizer step      1 MAC = 2 FLOPs

Two methods on the same data compare in samples without U. What is not stated raises `Missing` with
the key that would decide it. Two conventions only: an epoch is one pass over the training set
unless `repeats` or `steps_per_epoch` says otherwise; and `devices` and `grad_accum` count as one
where *both* sides of a comparison leave them out (the amount then says so in `assumed`), while one
side's silence beside the other's number is `Missing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from repcheck.amount import FLOPS, Amount, Known, figure, have
from repcheck.claims.comparison import dataset_named
from repcheck.claims.model import Claims, Flops, Method, Train
from repcheck.claims.stated import State, Stated
from repcheck.errors import Inapplicable, Missing, Reason

__all__ = [
    "LENGTHS",
    "PER_EXAMPLE",
    "PER_SAMPLE",
    "Amount",
    "Budget",
    "Known",
    "figure",
    "stated_budget",
    "stated_flops",
    "train_size",
    "training_flops",
]

LENGTHS = ("epochs", "iterations", "samples", "tokens", "env_steps")
PER_EXAMPLE = f"{FLOPS} an example"
PER_SAMPLE = f"{FLOPS} a sample"
_WORDS = {"env_steps": "environment steps"}
_NO_TIME = Missing(Reason.NOT_OBSERVED, "rerun it: time is measured, here and on this machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The length of one training in every unit that can be had.

    `length` is the amount as the authors wrote it; `steps_stated` says that they gave a number of
    steps (`iterations`, or `steps_per_epoch`) rather than passes over the data, or that the steps
    were counted; `counted` names the units that a probe counted, `mixed` those for which it also
    took a stated number. A property raises `Missing` (with
    the key that would decide) where the unit cannot be reached, and `Inapplicable` where nothing
    is trained.
    """

    steps_stated: bool = False
    counted: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    _length: Known
    _per_step: Known
    _train_size: Known
    _draws: Known
    _steps: Known
    _samples: Known
    _epochs: Known
    _tokens: Known
    _env_steps: Known
    _train_flops: Known
    _inference_flops: Known
    _wall: Known = _NO_TIME

    @property
    def length(self) -> Amount:
        """Return the length in the unit it was stated in."""
        return have(self._length)

    @property
    def per_step(self) -> Amount:
        """Return the samples of one optimizer step: batch x devices x accumulation."""
        return have(self._per_step)

    @property
    def train_size(self) -> Amount:
        """Return U, the different samples that are trained on."""
        return have(self._train_size)

    @property
    def draws(self) -> Amount:
        """Return how often one sample is drawn within one stated epoch."""
        return have(self._draws)

    @property
    def steps(self) -> Amount:
        """Return the optimizer steps."""
        return have(self._steps)

    @property
    def samples(self) -> Amount:
        """Return S, the samples seen in training."""
        return have(self._samples)

    @property
    def epochs(self) -> Amount:
        """Return the effective epochs S / U."""
        return have(self._epochs)

    @property
    def tokens(self) -> Amount:
        """Return the training tokens."""
        return have(self._tokens)

    @property
    def env_steps(self) -> Amount:
        """Return the environment steps, which convert into nothing else."""
        return have(self._env_steps)

    @property
    def train_flops(self) -> Amount:
        """Return the FLOPs of the whole training, teachers included and no search."""
        return have(self._train_flops)

    @property
    def inference_flops(self) -> Amount:
        """Return the FLOPs of one evaluated example, all its views and modules together."""
        return have(self._inference_flops)

    @property
    def wall(self) -> Amount:
        """Return the seconds that a run took on the machine it ran on."""
        return have(self._wall)

    def has(self, unit: str) -> bool:
        """Return whether a unit can be had."""
        return isinstance(getattr(self, f"_{unit}"), Amount)

    def overruled(self, seen: Mapping[str, Known], mixed: Collection[str] = ()) -> Budget:
        """Return the budget with what a probe counted, by unit, in place of what is stated.

        The units in `mixed` were reached with a stated factor, and so do not count as counted.
        """
        made = frozenset(unit for unit, known in seen.items() if isinstance(known, Amount))
        fields: dict[str, Any] = {f"_{unit}": known for unit, known in seen.items()}
        return replace(
            self,
            counted=made.difference(mixed),
            mixed=made.intersection(mixed),
            steps_stated=self.steps_stated or "steps" in made,
            **fields,
        )


def stated_budget(
    claims: Claims, method: Method, *, beside: Method | None = None, dataset: str = ""
) -> Budget:
    """Return a method's budget as its authors state it.

    `beside` is the method it is compared with: a unit that both state is preferred, and a factor
    that only the other states is `Missing`. `dataset` serves where the method names none.
    """
    length = _known(lambda: _length(method.train, beside.train if beside else None))
    per_step = _known(lambda: _per_step(method.train, beside.train if beside else None))
    size = _known(lambda: train_size(claims, method, dataset))
    draws = _known(lambda: _draws(method.train, size, per_step))
    samples = _known(lambda: _samples(method.train, length, per_step, size, draws))
    counted = isinstance(length, Amount) and length.unit == "iterations"
    return Budget(
        steps_stated=counted or method.train.steps_per_epoch.known,
        _length=length,
        _per_step=per_step,
        _train_size=size,
        _draws=draws,
        _steps=_known(lambda: _steps(method.train, length, samples, per_step)),
        _samples=samples,
        _epochs=_known(lambda: _epochs(method.train, length, samples, size, draws)),
        _tokens=_known(lambda: _tokens(method.train, length, samples)),
        _env_steps=_known(lambda: _in_unit(length, "env_steps", method.train.env_steps)),
        _train_flops=_known(lambda: _train_flops(method, samples)),
        _inference_flops=_known(lambda: _of_each(method.model.flops, PER_EXAMPLE)),
    )


def stated_flops(stated: Flops, unit: str = FLOPS) -> Amount:
    """Return a stated cost in FLOPs: one MAC (multiply-accumulate) is two.

    Raises:
        Missing: if it is not stated.
    """
    if stated.value.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{stated.place.path}`")
    made = _amount(stated.value, unit)
    macs = stated.convention.known and stated.convention.value == "macs"
    return replace(made, value=2 * made.value, made_of=f"2 x {made.made_of}") if macs else made


def training_flops(per_sample: Amount, samples: Amount, update: Amount, steps: Amount) -> Amount:
    """Return the FLOPs of a whole training: its samples' and its optimizer steps'."""
    whole = per_sample.times(samples, FLOPS)
    return whole.plus(update.times(steps, FLOPS)) if update.value else whole


def _train_flops(method: Method, samples: Known) -> Amount:
    total, one = method.train_cost.train_flops, method.model.train_flops_per_sample
    if total.value.known or one.value.undeclared:
        return stated_flops(total)
    return _of_each(one, PER_SAMPLE).times(have(samples), FLOPS)


def _of_each(stated: Flops, unit: str) -> Amount:
    if stated.per.get("example") != "example":
        raise Missing(Reason.UNDECLARED_KEY, f"give `{stated.place.path}` per example")
    return stated_flops(stated, unit)


def train_size(claims: Claims, method: Method, dataset: str = "") -> Amount:
    """Return U: the subset a method trains on, else the full size of its training split.

    Raises:
        Missing: if neither is stated, or the subset cannot be read.
    """
    name = method.train_data.get("") or method.dataset.get("") or dataset
    if not name and len(claims.datasets) == 1:
        name = next(iter(claims.datasets))
    full, subset = dataset_named(claims, name).train.size, method.train.subset
    if not subset.known:
        return _amount(full, "training samples")
    stated: Any = subset.content
    if isinstance(stated, Mapping):
        stated = stated.get("fraction")
        if not _is_number(stated) or not 0 < stated <= 1:
            raise _unreadable(subset)
        share = Amount(value=float(stated), unit="", made_of=f"{stated}")
        part = _amount(full, "training samples").times(share, "training samples")
        return replace(part, place=subset.place)
    if _is_number(stated) and stated > 0:
        return Amount(
            value=float(stated),
            unit="training samples",
            made_of=f"{figure(stated)} samples",
            place=subset.place,
        )
    raise _unreadable(subset)


def _unreadable(subset: Stated[Any]) -> Missing:
    return Missing(
        Reason.UNDECLARED_KEY,
        f"write `{subset.path}` as a number of samples or as {{fraction: 0.1}}",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known(amount: Callable[[], Amount]) -> Known:
    try:
        return amount()
    except (Missing, Inapplicable) as lacking:
        return lacking


def _amount(leaf: Stated[Any], unit: str) -> Amount:
    value = float(leaf.value)
    return Amount(
        value=value,
        unit=unit,
        made_of=f"{figure(value)} {unit}",
        place=leaf.place,
        disclosed=leaf.disclosure.in_paper,
    )


def _length(train: Train, other: Train | None) -> Amount:
    stated = [unit for unit in LENGTHS if getattr(train, unit).known]
    shared = [unit for unit in stated if other is None or getattr(other, unit).known]
    for unit in shared or stated:
        return _amount(getattr(train, unit), _WORDS.get(unit, unit))
    if train.absent or any(not getattr(train, unit).undeclared for unit in LENGTHS):
        raise Inapplicable(f"nothing is trained: `{train.epochs.path}` is stated as n/a")
    raise Missing(
        Reason.UNDECLARED_KEY,
        f"declare `{train.epochs.path}` (or iterations, samples or tokens beside it)",
    )


def _factor(leaf: Stated[int], other: Stated[int] | None, name: str) -> Amount:
    if leaf.known:
        return _amount(leaf, name)
    if leaf.state is not State.UNDECLARED:
        return Amount(value=1, unit=name, made_of=f"1 {name}", place=leaf.place)
    if other is not None and other.known:
        return _amount(leaf, name)  # raises: beside a stated number, silence decides nothing
    return Amount(value=1, unit=name, made_of=f"1 {name}", assumed=(leaf.path,))


def _per_step(train: Train, other: Train | None) -> Amount:
    unit = "samples a step"
    made = _amount(train.batch_size, unit)
    devices = _factor(train.devices, other.devices if other else None, "devices")
    passes = _factor(train.grad_accum, other.grad_accum if other else None, "passes")
    return made.times(devices, unit).times(passes, unit)


def _repeats(train: Train) -> Amount:
    if train.repeats.known:
        return _amount(train.repeats, "draws")
    return Amount(value=1, unit="draws", made_of="1 draw")


def _draws(train: Train, size: Known, per_step: Known) -> Amount:
    """Return the draws of one epoch: as stated, or as `steps_per_epoch` implies.

    One batch of difference is the last, partial batch and no repetition.
    """
    repeats = _repeats(train)
    if not train.steps_per_epoch.known:
        return repeats
    drawn = _amount(train.steps_per_epoch, "steps").times(have(per_step), "samples")
    unique = have(size)
    if abs(drawn.value - repeats.value * unique.value) <= have(per_step).value:
        return repeats
    return drawn.over(unique, "draws")


def _samples(train: Train, length: Known, per_step: Known, size: Known, draws: Known) -> Amount:
    stated = have(length)
    if stated.unit == "samples":
        return stated
    if stated.unit == "iterations":
        return stated.times(have(per_step), "samples")
    if stated.unit == "tokens":
        return stated.over(_amount(train.sequence_length, "tokens a sample"), "samples")
    if stated.unit == "epochs":
        drawn = draws if isinstance(draws, Amount) else _repeats(train)
        return stated.times(drawn, "epochs").times(have(size), "samples")
    raise Missing(Reason.UNDECLARED_KEY, f"declare `{train.samples.path}`")


def _steps(train: Train, length: Known, samples: Known, per_step: Known) -> Amount:
    stated = have(length)
    if stated.unit == "iterations":
        return stated
    if stated.unit == "epochs" and train.steps_per_epoch.known:
        return stated.times(_amount(train.steps_per_epoch, "steps an epoch"), "steps")
    return have(samples).over(have(per_step), "steps")


def _epochs(train: Train, length: Known, samples: Known, size: Known, draws: Known) -> Amount:
    stated = have(length)
    if stated.unit == "epochs":
        drawn = draws if isinstance(draws, Amount) else _repeats(train)
        return stated.times(drawn, "epochs")
    whole = isinstance(samples, Amount) and isinstance(size, Amount)
    if stated.unit == "iterations" and train.steps_per_epoch.known and not whole:
        passes = stated.over(_amount(train.steps_per_epoch, "steps an epoch"), "epochs")
        return passes.times(_repeats(train), "epochs")
    return have(samples).over(have(size), "epochs")


def _tokens(train: Train, length: Known, samples: Known) -> Amount:
    stated = have(length)
    if stated.unit == "tokens":
        return stated
    per_sample = _amount(train.sequence_length, "tokens a sample")
    return have(samples).times(per_sample, "tokens")


def _in_unit(length: Known, unit: str, leaf: Stated[float]) -> Amount:
    stated = have(length)
    if stated.unit == _WORDS[unit]:
        return stated
    raise Missing(Reason.UNDECLARED_KEY, f"declare `{leaf.path}`")
