"""The sweep that a claims file asks for: each hyperparameter at half and at twice its value.

`tuning: {sweep: [lr, batch_size]}` names placeholders of the commands or fragments of `overrides`;
`sweep: {lr: {config: "conf.yaml:optim.lr"}}` says how a value is set where there is none;
`{constant: "loss.py:41", from: 0.173}` one whose value stands in the code alone. What both sides
have is changed on both, by the same factor; what the method alone has, on the method alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from repcheck.arms import Arm, NoArm
from repcheck.claims.commands import command_fields
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Method
from repcheck.claims.offer import canonical
from repcheck.claims.stated import Stated
from repcheck.edits import Override, parse_override
from repcheck.errors import Missing, Reason, RepcheckError
from repcheck.units import NotANumber, read_number

TIMES = (0.5, 2.0)
WHOLE = frozenset({"train.batch_size", "train.grad_accum"})
USUAL = ("lr", "batch_size", "weight_decay")
"""What a sweep is about first, and what is looked for where none is asked for."""
FROM = "from"
"""The key of a value that the claims do not state: a number which stands in the code alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One neighbouring setting: a hyperparameter times a factor, on both sides.

    `theirs` is None where the baseline does not have the hyperparameter and runs as declared.
    """

    name: str
    times: float
    ours: Arm | NoArm
    theirs: Arm | NoArm | None

    @property
    def label(self) -> str:
        """Return the setting as every table names it: `lr ×0.5`."""
        return f"{self.name} ×{self.times:g}"


def asked(method: Method) -> dict[str, Any]:
    """Return what a method's `tuning.sweep` names, each with how it is set ({}: a placeholder)."""
    said = method.tuning.sweep.get(())
    if isinstance(said, str):
        return {said: {}}
    if isinstance(said, Mapping):
        return {str(name): way if isinstance(way, Mapping) else {} for name, way in said.items()}
    return {str(name): {} for name in said} if isinstance(said, list | tuple) else {}


def unstated(method: Method) -> dict[str, Any]:
    """Return the settings of a method's sweep whose value stands in the code alone."""
    stated = method.hyperparameters.get({})
    return {name: way for name, way in asked(method).items() if FROM in way and name not in stated}


def points(claims: Claims, comparison: Comparison) -> tuple[Point, ...]:
    """Return the neighbouring settings that a comparison's claims file asks for, in its order."""
    ours, theirs = comparison.method, comparison.baseline
    mine, other = asked(ours), asked(theirs)
    names = [*mine, *(name for name in other if name not in mine and _shared(name))]
    found: list[Point] = []
    for name in names:
        both = name in other or _shared(name)
        for times in TIMES:
            found.append(
                Point(
                    name=name, times=times,
                    ours=_side(claims, comparison, ours, name, times),
                    theirs=_side(claims, comparison, theirs, name, times) if both else None,
                )
            )  # fmt: skip
    return tuple(found)


def swept(claims: Claims, comparison: Comparison) -> Iterator[Arm | NoArm]:
    """Yield the arms of a comparison's sweep, and those of its arms that cannot be made."""
    for point in points(claims, comparison):
        yield point.ours
        if point.theirs is not None:
            yield point.theirs


def settable(claims: Claims, comparison: Comparison) -> list[str]:
    """Return which of the usual hyperparameters both sides' commands take."""
    known = [_taken(claims, side) for side in (comparison.method, comparison.baseline)]
    return [name for name in USUAL if all(taken & {*_names(name)} for taken in known)]


def _shared(name: str) -> bool:
    """Return whether every method has it: a key of the format, and no name of the method's own."""
    return "." in canonical(name)


def _side(
    claims: Claims, comparison: Comparison, method: Method, name: str, times: float
) -> Arm | NoArm:
    other = comparison.baseline if method is comparison.method else comparison.method
    key = canonical(name)
    made = Arm(
        id=f"{method.id} with {name} ×{times:g}", kind="counterfactual", method=method.id,
        beside=other.id, factors=(key if "." in key else f"hyperparameters.{key}",),
        change="sweep",
        decides=f"whether the gain is there at {times:g} times the declared `{name}`",
    )  # fmt: skip
    try:
        if comparison.contributes(made.factors[0]):
            words = f"`{name}` is what the paper offers: another value of it is another method"
            raise Missing(Reason.NOT_TESTABLE, words)
        value = _value(method, name, times)
        way = _override(claims, method, name, value)
    except Missing as missing:
        return made.refused(missing)
    return Arm(
        id=made.id, kind=made.kind, method=made.method, beside=made.beside, factors=made.factors,
        change=made.change, decides=made.decides, set=way.set, flags=way.flags, env=way.env,
        edits=way.edits, surgery=way.surgery,
    )  # fmt: skip


def _value(method: Method, name: str, times: float) -> str:
    """Return the declared value times a factor, as a command takes it; whole counts stay whole."""
    place, said = _declared(method, name)
    try:
        value = float(said) if isinstance(said, int | float) else read_number(str(said)).value
    except NotANumber:
        words = f"a number in `{place}`: {said} has no half"
        raise Missing(Reason.NOT_TESTABLE, words) from None
    changed = value * times
    if canonical(name) in WHOLE or (isinstance(said, int) and not isinstance(said, bool)):
        if not round(changed) or round(changed) == value:
            raise Missing(Reason.NOT_TESTABLE, f"`{place}` above {value:g}: it has no half")
        return str(round(changed))
    if not changed:
        raise Missing(
            Reason.NOT_TESTABLE, f"`{place}` that is not 0: no multiple of it is another value"
        )
    return f"{changed:.10g}"


def _declared(method: Method, name: str) -> tuple[str, Any]:
    """Return where a hyperparameter of a method is stated, and its value.

    Raises:
        Missing: if it is stated nowhere.
    """
    free = method.hyperparameters.get({})
    way = asked(method).get(name) or {}
    if FROM in way:
        return f"{method.tuning.sweep.path}.{name}.{FROM}", way[FROM]
    if name in free:
        own = free[name]
        return method.place.join(f"hyperparameters.{name}"), getattr(own, "content", own)
    key = canonical(name) if "." in canonical(name) else f"hyperparameters.{name}"
    leaf: Any = method
    for part in key.split("."):
        leaf = getattr(leaf, part, None)
    place = method.place.join(key)
    if not (isinstance(leaf, Stated) and leaf.known):
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{place}`: a sweep starts from its value")
    return place, leaf.content


def _override(claims: Claims, method: Method, name: str, value: str) -> Override:
    """Return how a value is set, the way the file asks for it, else by a placeholder.

    Raises:
        Missing: if the commands take no such value.
    """
    way = asked(method).get(name) or {}
    given: dict[str, Any] = {}
    number = _number(value)
    for form, what in way.items():
        if form == FROM:
            continue
        given[str(form)] = f"{what} {value}" if form == "cli" else {str(what): number}
    if not way:
        placeholder = _placeholder(claims, method, name)
        if placeholder is None:
            raise Missing(
                Reason.NO_PLACEHOLDER,
                f"write `--{name} {{{name}}}` in `{method.train.command.path}`, or `overrides:"
                f' {{{name}: "--{name} {{value}}"}}`, or how it is set: `sweep: {{{name}: {{config:'
                f' "conf.yaml:{name}"}}}}`',
            )
        given = {placeholder: number}
    try:
        return parse_override(given)
    except RepcheckError as error:
        raise Missing(Reason.NO_PLACEHOLDER, str(error)) from None


def _number(text: str) -> int | float | str:
    return int(text) if text.isdigit() else float(text)


def _placeholder(claims: Claims, method: Method, name: str) -> str | None:
    """Return the name under which a method's commands take a hyperparameter."""
    taken = _taken(claims, method)
    return next((one for one in _names(name) if one in taken), None)


def _names(name: str) -> tuple[str, ...]:
    return name, canonical(name).rpartition(".")[2], *_OTHERS.get(canonical(name), ())


def _taken(claims: Claims, method: Method) -> set[str]:
    """Return the placeholders of a method's commands, and the fragments of `overrides`."""
    found = {*claims.overrides}
    for part in (method.train, method.eval):
        if part.command.known:
            with suppress(ValueError):
                found |= {*command_fields(part.command.value)}
    return found


_OTHERS = {"train.batch_size": ("batch",), "optimizer.weight_decay": ("wd",)}
