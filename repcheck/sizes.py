"""The size at which one method costs as much as another: the value behind `auto`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from repcheck.arms import AUTO, Arm, Target
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Method
from repcheck.errors import Missing, Reason, RepcheckError
from repcheck.plan import artifact_root
from repcheck.profile import ProfileRequest, profile
from repcheck.profiled import COMPLETE, Look, Profile, Remark

MOST_TIMES = 64
"""A size beyond so many times the declared one is not looked for."""
CLOSE = 0.10
_VARYING = frozenset({Remark.DEPENDS_ON_INPUT, Remark.RANDOM})


@dataclass(frozen=True, slots=True)
class KeptSizes:
    """The numbers that an earlier check found; executes nothing and leaves any other `auto`."""

    claims: Claims
    kept: tuple[Arm, ...] = ()

    def __call__(self, arm: Arm, comparison: Comparison) -> Arm:
        """Return the arm as it was kept, or as it is.

        Raises:
            Missing: if one of the models is not declared.
        """
        for method in (comparison.method, comparison.baseline):
            _need_model(method)
        return next((one for one in self.kept if _sized(one, arm)), arm)


def _sized(kept: Arm, arm: Arm) -> bool:
    """Return whether an arm was kept with numbers where it says `auto`, and is the same else."""
    if AUTO in kept.set.values() or kept.set.keys() != arm.set.keys():
        return False
    filled = {name: kept.set[name] if v == AUTO else v for name, v in arm.set.items()}
    return replace(arm, set=filled, target=kept.target) == kept


@dataclass(frozen=True, slots=True)
class Sizes:
    """Builds models of several sizes in the artifact's interpreter and compares their FLOPs."""

    claims: Claims
    python: Path | None = None
    kept: tuple[Arm, ...] = ()
    _made: dict[tuple[str, str, int], float | Missing] = field(default_factory=dict)

    def __call__(self, arm: Arm, comparison: Comparison) -> Arm:
        """Return the arm with the whole number whose training FLOPs a sample are the closest.

        Raises:
            Missing: if a model cannot be built, or no size comes close.
        """
        if known := next((one for one in self.kept if _sized(one, arm)), None):
            return known
        name, *more = [name for name, value in arm.set.items() if value == AUTO]
        if more:
            raise Missing(Reason.NOT_TESTABLE, f"one `auto`: give `{more[0]}` a number")
        method = self.claims.methods[arm.method]
        other = next(
            one for one in (comparison.method, comparison.baseline) if one.id == arm.beside
        )
        wanted = self._cost(other, "", 0)
        size = self._closest(method, name, wanted)
        cost, step = self._cost(method, name, size), self._cost(method, name, size + 1)
        target = Target(axis="flops a sample", value=wanted, unit=abs(step - cost))
        if abs(cost / wanted - 1) > max(CLOSE, 0.5 * target.unit / wanted):
            raise _out_of_reach(method, name, f"{size}, the closest, costs ×{cost / wanted:.3g}")
        return replace(arm, set={**arm.set, name: str(size)}, target=target)

    def _closest(self, method: Method, name: str, wanted: float) -> int:
        start = self._declared(method, name)
        low, high = (start if self._cost(method, name, start) < wanted else 1), start
        while self._cost(method, name, high) < wanted:
            low, high = high, 2 * high
            if high > MOST_TIMES * start:
                raise _out_of_reach(method, name, f"none up to {MOST_TIMES} times {start} does")
        while high - low > 1:
            middle = (low + high) // 2
            if self._cost(method, name, middle) < wanted:
                low = middle
            else:
                high = middle
        return min((low, high), key=lambda size: abs(self._cost(method, name, size) / wanted - 1))

    def _declared(self, method: Method, name: str) -> int:
        stated = dict(method.model.kwargs.get({})).get(name)
        if stated is None:
            stated = dict(method.hyperparameters.get({})).get(name)
        if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
            raise Missing(
                Reason.UNDECLARED_KEY,
                f"declare `{name}` as a whole number in `{method.model.kwargs.path}`",
            )
        return stated

    def _cost(self, method: Method, name: str, size: int) -> float:
        """Return the FLOPs of one training sample of a model, with one argument set."""
        key = (method.id, name, size)
        if key not in self._made:
            try:
                self._made[key] = self._counted(method, {name: size} if name else {})
            except Missing as missing:
                self._made[key] = missing  # a model that hangs does so once
        found = self._made[key]
        if isinstance(found, Missing):
            raise found
        return found

    def _counted(self, method: Method, changed: dict[str, int]) -> float:
        made = self._profiled(method, changed)
        varying = next((note for note in made.notes if note.kind in _VARYING), None)
        if made.train is None:
            why = f": {made.stopped}" if made.stopped else ""
            said = f"no training step of `{method.id}` was counted{why}"
        elif varying is not None:
            said = f"what `{method.id}` costs is no single number: {varying.text}"
        elif made.train.coverage < COMPLETE:
            said = f"not all operations of `{method.id}` can be counted"
        elif not made.train.flops > 0 or made.batch < 1:
            said = f"`{method.id}` costs no FLOPs that can be counted"
        else:
            return made.train.flops / made.batch
        raise Missing(Reason.NOT_TESTABLE, f"{said}; give the arm a number in place of `auto`")

    def _profiled(self, method: Method, changed: dict[str, int]) -> Profile:
        _need_model(method)
        model = method.model
        try:
            return profile(
                ProfileRequest(
                    root=artifact_root(self.claims),
                    entry=model.entry.value,
                    kwargs={**dict(model.kwargs.get({})), **changed},
                    input_shape=model.input_shape.value,
                    dtype=model.dtype.get(""),
                    python=self.python,
                    env=dict(self.claims.artifact.env.vars.get({})),
                    looks=frozenset({Look.INPUTS}),
                )
            )
        except RepcheckError as error:
            given = ", ".join(f" with `{name}` {size}" for name, size in changed.items())
            words = f"mend `{model.entry.path}`{given}: {error}"
            raise Missing(Reason.COMMAND_FAILED, words) from None


def _need_model(method: Method) -> None:
    for leaf in (method.model.entry, method.model.input_shape):
        if not leaf.known:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{leaf.path}`")


def _out_of_reach(method: Method, name: str, why: str) -> Missing:
    return Missing(
        Reason.NOT_TESTABLE,
        f"a `{name}` at which `{method.id}` costs as much ({why}); give the arm a number in place"
        " of `auto`",
    )
