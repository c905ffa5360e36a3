"""Declared beside observed: the FLOPs of an example and of a training sample.

Conventions differ without anybody being wrong: counters add bias, normalisation and activation to
the matrix operations or leave them out, MACs are printed as FLOPs, views are counted or not,
training is taken as three forwards. The reading of the declaration that comes nearest to what was
measured stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from repcheck.amount import Amount
from repcheck.claims.model import Flops
from repcheck.errors import Missing
from repcheck.facts.compute import Measured
from repcheck.facts.line import COUNTS, Line, Shown, Sides, Told, counts, line
from repcheck.facts.observed import COUNTED, source_of
from repcheck.units import decimals

_TWICE = (0.03, "twice or half as many: one of the two counts MACs")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """One measured cost: FLOPs of matrix operations, and what a counter may add to them.

    `forms` are further numbers that people mean by the same words; `shape` is the input's.
    """

    amount: Amount
    extra: float
    forms: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()


def cost_lines(sides: Sides, cost: Measured | None, why: str) -> Iterator[Line | None]:
    """Yield the lines of the FLOPs; unseen, with `why`, where they were not measured."""
    model = sides.method.model
    for key, stated in (
        ("model.flops", model.flops),
        ("model.train_flops_per_sample", model.train_flops_per_sample),
    ):
        try:
            found = None if cost is None else _cost(key, cost)
        except Missing as missing:
            found, why = None, missing.would_decide
        if found is None:
            yield line(sides, key, stated, why, counts)
        else:
            yield _line(sides, key, stated, found)


def _cost(key: str, cost: Measured) -> _Cost:
    if key == "model.flops":
        amount, bill = cost.inference, cost.example
        assert bill is not None
        each = bill.forward / bill.views
        return _Cost(amount=amount, extra=bill.elementwise, forms=(each,), shape=bill.shape)
    amount, mine = cost.per_sample, cost.sample
    assert mine is not None
    alone = mine.forward + mine.backward
    forms = (alone, alone / mine.passes, 3 * mine.forward / mine.passes)
    return _Cost(amount=amount, extra=mine.elementwise, forms=forms)


def _line(sides: Sides, key: str, stated: Flops, found: _Cost) -> Line | None:
    if sides.sight is None:
        return None
    runs = {f"{source_of(run)}{COUNTED}": run for run in sides.sight.runs}
    amount = found.amount
    shown = Shown(value=amount.value, text=str(amount), run=runs[amount.made_of], unit=amount.unit)
    if stated.value.known and amount.at_least and not _exceeds(stated, found):
        why = f"{amount}; {amount.at_least}"
        return line(sides, key, stated, why, counts)
    return line(sides, key, stated, shown, lambda declared, _: _tell(stated, declared, found))


def _exceeds(stated: Flops, found: _Cost) -> bool:
    """Return whether a lower bound is above all that may have been declared."""
    most = max(_readings(stated), default=0.0)
    return found.amount.value > (1 + COUNTS + _rounding(stated)) * most


def _readings(stated: Flops) -> list[float]:
    """Return what a declared number may mean in FLOPs."""
    value = float(stated.value.value)
    said = stated.convention.get("flops") if stated.convention.known else ""
    explicit = said and not (said == "flops" and stated.convention.place == stated.value.place)
    both = [value, 2 * value]
    return both if not explicit else both[1:] if said == "macs" else both[:1]


def _tell(stated: Flops, declared: object, found: _Cost) -> Told:
    if not declared:
        return Told(state="unit", why="declared as none")
    if stated.per.get("example") != "example":
        return Told(state="unit", why="declared of a whole batch, or of a second")
    if other_input(stated, found.shape):
        shape = "x".join(map(str, found.shape))
        return Told(state="unit", why=f"declared for another input than the {shape} of this run")
    room = COUNTS + _rounding(stated)
    readings = _readings(stated)
    sizes = [_size(found, meant, room) for meant in readings]
    size = min(sizes, key=lambda size: abs(math.log(size)))
    if abs(size - 1) <= room:
        return Told(state="same", size=size)
    near, words = _TWICE
    if len(readings) == 1 and any(abs(size / two - 1) <= near + room for two in (0.5, 2.0)):
        return Told(state="unit", size=size, why=words)
    macs = len(readings) > 1 and size == sizes[1]
    why = "the declaration read as MACs, which comes nearest" if macs else ""
    return Told(state="differs", size=size, why=why, gain=1 if size > 1 else -1)


def _size(found: _Cost, meant: float, room: float) -> float:
    """Return measured over declared, of the form that comes nearest; 1 within what may be added."""
    sizes = []
    for value in (found.amount.value, *found.forms):
        least, most = value / meant, (value + found.extra) / meant
        inside = least <= 1 + room and most >= 1 - room
        sizes.append(1.0 if inside else least if least > 1 else most)
    return min((size for size in sizes if size > 0), key=lambda size: abs(math.log(size)))


def _rounding(stated: Flops) -> float:
    """Return the relative room of a printed number: half a unit of its last digit."""
    text, value = stated.value.text, float(stated.value.value)
    digits = "".join(c for c in text.split("e")[0] if c.isdigit() or c == ".")
    try:
        mantissa = float(digits)
    except ValueError:
        return 0.0
    if not mantissa or not value:
        return 0.0
    last = 10.0 ** -decimals(digits)
    if "." not in digits:
        last = 10.0 ** (len(digits) - len(digits.rstrip("0")))
    return 0.5 * last / mantissa


def other_input(stated: Flops, shape: tuple[int, ...]) -> bool:
    """Return whether the cost is declared for an input of another size; a batch is no size."""
    declared = stated.at_input.get(())
    if not declared or not shape:
        return False
    n = min(len(declared), len(shape))
    n -= len(declared) == len(shape)
    return n > 0 and tuple(declared[-n:]) != tuple(shape[-n:])
