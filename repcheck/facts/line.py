"""One key of one method: what is declared of it beside what was observed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from repcheck.budget import figure
from repcheck.claims.model import Claims, Dataset, Method
from repcheck.claims.stated import Section, State, Stated
from repcheck.errors import Missing
from repcheck.fact import Quantity
from repcheck.facts.observed import DOUBTS, Sight
from repcheck.runs import Run
from repcheck.where import NOWHERE, Where

if TYPE_CHECKING:
    from repcheck.observation import Observation, Training

Agreeing = Literal["same", "differs", "unit", "unseen", "undeclared"]
T = TypeVar("T")
COUNTS = 0.02
EXACT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One key of one method: what is declared, what was observed, and how they go together.

    `state` is `same`; `differs`; `unit` (they differ as two conventions do, which is no finding);
    `unseen` (no probe could see it, `why` says so); `undeclared` (seen and not stated). `size` is
    observed over declared where both are numbers. `gain` is 1 where the observed is to the
    method's own advantage against what it declares, -1 to its disadvantage, 0 where neither.
    """

    key: str
    declared: str = ""
    observed: str = ""
    state: Agreeing
    size: float | None = None
    quantity: Quantity | None = None
    place: Where = NOWHERE
    why: str = ""
    gain: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was observed of a key: the value of the middle run, in words, and the run it is of."""

    value: Any
    text: str
    run: Run
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a declared and an observed value go together."""

    state: Agreeing
    size: float | None = None
    why: str = ""
    gain: int = 0


SAME = Told(state="same")
DIFFERS = Told(state="differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A method as declared, and the runs in which it was seen."""

    claims: Claims
    method: Method
    dataset: Dataset
    sight: Sight | None
    why: str = ""

    def numbers(self, get: Callable[[Training], float | None], unit: str = "") -> Shown | str:
        """Return a number of the middle run with its span over all runs, or why there is none."""
        if self.sight is None:
            return self.why
        try:
            value, run, values = self.sight.typical(get, "it")
        except Missing as missing:
            return missing.would_decide
        return Shown(value=value, text=f"{printed(value)}{span(values)}", run=run, unit=unit)

    def words(
        self, get: Callable[[Run, Observation], T | None], text: Callable[[T], str] = str
    ) -> Shown | str:
        """Return what most runs show (the first of equals), or why nothing was seen."""
        if self.sight is None:
            return self.why
        runs = self.sight.observations()
        found = [(run, get(run, seen)) for run, seen in runs if seen.gap(*DOUBTS) is None]
        known = [(run, value) for run, value in found if value is not None]
        if not known:
            return self.sight.doubt() or f"no run of `{self.method.id}` shows it"
        counts = Counter(text(value) for _, value in known)
        most, often = counts.most_common(1)[0]
        run, value = next((run, value) for run, value in known if text(value) == most)
        few = f" ({often} of {len(known)} runs)" if often < len(known) else ""
        return Shown(value=value, text=f"{most}{few}", run=run)

    def training(
        self, get: Callable[[Training], T | None], text: Callable[[T], str] = str
    ) -> Shown | str:
        """Return what most trainings show, or why nothing was seen."""
        if self.sight is None:
            return self.why
        try:
            runs = {run.key: training for run, training in self.sight.trainings()}
        except Missing as missing:
            return missing.would_decide
        return self.words(lambda run, _: get(runs[run.key]) if run.key in runs else None, text)


def printed(value: float) -> str:
    """Return a number as lines show it: `3,840`, `0.1`, `1e-05`."""
    return figure(value) if value == 0 or abs(value) >= 1e-3 else f"{value:.4g}"


def rounded(value: float) -> str:
    """Return a count of passes or samples, to one decimal where it is not whole."""
    return figure(value) if abs(value - round(value)) < 5e-3 else f"{value:.1f}"


def span(values: Sequence[float]) -> str:
    """Return ` (10 to 30 over 5 runs)` where values differ."""
    low, high = min(values), max(values)
    if math.isclose(low, high, rel_tol=1e-9):
        return ""
    return f" ({printed(low)} to {printed(high)} over {len(values)} runs)"


def line(
    sides: Sides,
    key: str,
    stated: Stated[Any] | Section,
    shown: Shown | str,
    tell: Callable[[Any, Any], Told],
) -> Line | None:
    """Return a key's line; nothing where it is neither stated nor seen, or does not apply.

    `tell(declared, observed)` is asked where both are there; `declared` is None for `none`.
    """
    if stated.state is State.NOT_APPLICABLE:
        return None
    if stated.undeclared:
        if isinstance(shown, str):
            return None
        return _line(sides, key, stated, shown, Told(state="undeclared"))
    if isinstance(shown, str):
        words = declared_text(stated)
        return Line(key=key, declared=words, state="unseen", place=stated.place, why=shown)
    return _line(sides, key, stated, shown, tell(content(stated), shown.value))


def _line(sides: Sides, key: str, stated: Stated[Any] | Section, shown: Shown, told: Told) -> Line:
    assert sides.sight is not None
    if told.state == "same" and (why := sides.sight.doubt()):
        why = f"{shown.text}, as far as was seen; not all was: {why}"
        words = declared_text(stated)
        return Line(key=key, declared=words, state="unseen", place=stated.place, why=why)
    text = shown.value if isinstance(shown.value, int | float) else shown.text
    return Line(
        key=key,
        declared="" if stated.undeclared else declared_text(stated),
        observed=shown.text,
        state=told.state,
        size=told.size,
        quantity=sides.sight.quantity(key, text, shown.unit, shown.run),
        place=stated.place,
        why=told.why,
        gain=told.gain,
    )


def content(stated: Stated[Any] | Section) -> Any:  # noqa: ANN401
    """Return what is declared: a leaf's value, a section's short key or True; None for `none`."""
    if isinstance(stated, Stated):
        return stated.content if stated.known else None
    if stated.absent:
        return None
    short = getattr(stated, type(stated).short or "", None)
    return short.content if isinstance(short, Stated) and short.known else True


def declared_text(stated: Stated[Any] | Section) -> str:
    """Return what is declared as it is printed."""
    if isinstance(stated, Stated):
        return str(stated)
    if stated.absent:
        return "none"
    short = getattr(stated, type(stated).short or "", None)
    return str(short) if isinstance(short, Stated) and short.known else "used"


def counts(declared: Any, observed: Any, *, slack: float = 0.0, gain: int = 0) -> Told:  # noqa: ANN401
    """Tell two counts apart: 2 % or `slack` of difference are none.

    `gain` says to whose good more is: 1 the method's own, 0 nobody's.
    """
    mine, seen = float(declared or 0), float(observed)
    size = seen / mine if mine else None
    if abs(seen - mine) <= max(COUNTS * abs(mine), slack):
        return Told(state="same", size=size)
    return Told(state="differs", size=size, gain=gain if seen > mine else -gain)


def exact(declared: Any, observed: Any) -> Told:  # noqa: ANN401
    """Tell two settings apart, to one millionth; `none` is zero."""
    mine, seen = float(declared or 0), float(observed)
    size = seen / mine if mine else None
    alike = math.isclose(mine, seen, rel_tol=EXACT, abs_tol=1e-12)
    return Told(state="same" if alike else "differs", size=size)


def flags(declared: Any, observed: Any) -> Told:  # noqa: ANN401
    """Tell used from not used."""
    return SAME if bool(declared) == bool(observed) else DIFFERS


def as_unit(told: Told, why: str) -> Told:
    """Return that a difference is one of convention."""
    return replace(told, state="unit", why=why) if told.state == "differs" else told
