"""In what a method differs from the baseline beside its contribution, and with which values.

Observed values come first, stated ones where nothing was seen. A difference counts only where both
sides are known; what the paper offers as its contribution is none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.offer import plain
from repcheck.claims.stated import Section, Stated
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact, Level
from repcheck.facts.network_words import in_words
from repcheck.facts.networks import Networks
from repcheck.facts.optimizers import Optimizers, alike, one_type, said
from repcheck.facts.schedule import Traces

FIELDS = ("momentum", "nesterov", "betas", "eps", "weight_decay", "clip_norm")
# Stated keys that are held against each other as they are, and the names a command may use.
STATED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("train.batch_size", ("batch_size",)),
    ("train.grad_accum", ("grad_accum",)),
    ("train.amp", ("amp",)),
    ("activation", ("activation", "act")),
    ("norm", ("norm",)),
    ("attention", ("attention",)),
    ("resampling", ("resampling",)),
    ("skips", ("skips",)),
    ("dropout", ("dropout",)),
    ("augmentation", ("augmentation", "aug")),
    ("ema.decay", ("ema",)),
    ("swa.decay", ("swa",)),
    ("tta.views", ("tta",)),
    ("ensemble_size", ("ensemble_size", "ensemble")),
    ("pretrained.weights", ("pretrained", "init")),
    ("distillation.teacher", ("distillation", "teacher")),
)
NONE = "none"
ALIGNED, BETWEEN, EXACT, TINY = 0.05, 0.02, 1e-6, 1e-6
_UNUSED = frozenset({"0", "0.0", "false", "none", "off", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One difference: its key path, both values as a command takes them, and how it is known.

    `names` are the placeholders or overrides that could carry it; `ours` is "" where the value is
    seen and has no text that a command would take.
    """

    key: str
    names: tuple[str, ...]
    ours: str
    theirs: str
    level: Level = Level.DECLARED

    @property
    def words(self) -> str:
        """Return the difference in words: `optimizer.lr 0.1 against 0.05`."""
        return f"{self.key} {self.ours or 'another'} against {self.theirs or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors(Fact):
    """The differences of every comparison."""

    label: ClassVar[str] = "differences beside the contribution"
    evidence: Evidence

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Keep the evidence; the facts that the differences are drawn from may each be missing."""
        return cls(evidence=evidence)

    def of(self, comparison: Comparison) -> tuple[Factor, ...]:
        """Return the differences that are not the contribution, the recipe's before the network's.

        How long each is trained is not among them: aligned arms ask that.
        """
        found: dict[str, Factor] = {}
        for factor in (
            *self._recipe(comparison), *_stated(comparison), *self._structure(comparison)
        ):  # fmt: skip
            if not (comparison.contributes(factor.key) or in_words(comparison, factor.key)):
                found.setdefault(factor.key, factor)
        return tuple(found.values())

    def _recipe(self, comparison: Comparison) -> Iterator[Factor]:
        ours, theirs = comparison.method, comparison.baseline
        rates: list[float] = []
        slack = EXACT
        with suppress(Missing):
            traces = self.evidence.get(Traces).both(comparison)
            rates = [trace.peak for trace in traces]
            kinds = [_kind(method, trace.kind) for method, trace in zip(
                (ours, theirs), traces, strict=True)]  # fmt: skip
            if any(trace.optimizer.distinct_lrs > 1 for trace in traces):
                slack = BETWEEN  # a peak may lie between two steps
            apart = traces[0].schedule.distance(traces[1].schedule) or 0.0
            if traces[0].kind != traces[1].kind and apart > ALIGNED:
                yield _observed("lr_schedule.type", ("lr_schedule", "schedule"), *kinds)
        if not rates:
            rates = [m.optimizer.lr.value for m in (ours, theirs) if m.optimizer.lr.known]
        if len(rates) == 2 and not math.isclose(*rates, rel_tol=slack):
            yield _observed("optimizer.lr", ("lr",), *(f"{rate:.10g}" for rate in rates))
        with suppress(Missing):
            yield from self._optimizer(comparison)

    def _optimizer(self, comparison: Comparison) -> Iterator[Factor]:
        known, dataset = self.evidence.get(Optimizers), comparison.dataset
        ours = known.of(comparison.method, dataset)
        theirs = known.of(comparison.baseline, dataset)
        fields: tuple[str, ...] = FIELDS
        if not one_type(ours, theirs):
            fields = ("weight_decay", "clip_norm")  # the others are each optimizer's own
            names = [
                one.seen.cls if not stated.known else str(stated)
                for one, stated in (
                    (ours, comparison.method.optimizer.type),
                    (theirs, comparison.baseline.optimizer.type),
                )
            ]
            yield _observed("optimizer.type", ("optimizer",), *names)
        for field in fields:
            values = ours.value(field), theirs.value(field)
            if field in {*ours.seen.changed, *theirs.seen.changed}:
                continue  # a schedule moves it
            if field == "eps" and all(isinstance(one, float) and one <= TINY for one in values):
                continue  # a default of one version or another
            if not alike(*values) and not (field in {"betas", "eps"} and None in values):
                yield _observed(f"optimizer.{field}", (field,), *(said(one) for one in values))

    def _structure(self, comparison: Comparison) -> Iterator[Factor]:
        try:
            differences = self.evidence.get(Networks).of(comparison)
        except Missing:
            return
        for one in differences:
            if one.standing in {"undeclared", "declared"}:
                stated = getattr(comparison.method, one.difference.category, None)
                known = isinstance(stated, Stated) and stated.known
                yield _observed(
                    one.difference.category,
                    (one.difference.category,),
                    _text(stated) if known else "",
                    one.difference.words,
                )


def _kind(method: Method, seen: str) -> str:
    stated = method.lr_schedule.type
    return str(stated) if stated.known else seen


def _observed(key: str, names: tuple[str, ...], ours: str, theirs: str) -> Factor:
    return Factor(key=key, names=names, ours=ours, theirs=theirs, level=Level.OBSERVED)


def _stated(comparison: Comparison) -> Iterator[Factor]:
    """Yield the keys that both state, and state differently."""
    for key, names in STATED:
        both = (comparison.method, comparison.baseline)
        ours, theirs = (stated_as_text(method, key) for method in both)
        if ours is not None and theirs is not None and _spelt(ours) != _spelt(theirs):
            yield Factor(key=key, names=names, ours=ours, theirs=theirs)
    mine, other = (
        dict(method.hyperparameters.get({})) for method in (comparison.method, comparison.baseline)
    )
    for name in mine:
        if name in other and (pair := (_text(mine[name]), _text(other[name])))[0] != pair[1]:
            key = f"hyperparameters.{name}"
            yield Factor(key=key, names=(name,), ours=pair[0], theirs=pair[1])


def _spelt(text: str) -> str:
    """Return a value in one spelling: `ReLU` is relu, and zero, false and none are one."""
    short = plain(text)
    return NONE if short in _UNUSED else short


def stated_as_text(method: Method, key: str) -> str | None:
    """Return a stated value as text, `none` where it is stated as not used, None if undeclared."""
    top: Any = getattr(method, key.partition(".")[0], None)
    if key.startswith("hyperparameters.") or top is None:
        free = method.hyperparameters.get({})
        name = key.removeprefix("hyperparameters.")
        return _text(free[name]) if name in free else None
    if isinstance(top, Section):
        if top.absent:
            return NONE
        top = getattr(top, key.partition(".")[2] or top.short or "", None)
    if not isinstance(top, Stated) or top.undeclared:
        return None
    return _text(top) if top.known else NONE


def _text(value: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, Stated):
        value = value.text or value.content
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        return ",".join(_text(one) for one in value) or NONE
    return str(value)
