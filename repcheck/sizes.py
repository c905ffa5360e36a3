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
from repcheck.profiled import Profile

MOST_TIMES = 64
"""A size beyond so many times the declared one is not looked for."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Builds models of several sizes in the artifact's interpreter and compares their FLOPs."""

    claims: Claims
    python: Path | None = None
    _made: dict[tuple[str, str, float], Profile] = field(default_factory=dict)

    def __call__(self, arm: Arm, comparison: Comparison) -> Arm:
        """Return the arm with the whole number whose training FLOPs a sample are the closest.

        Raises:
            Missing: if a model cannot be built, or no size comes close.
        """
        name = next(name for name, value in arm.set.items() if value == AUTO)
        method = self.claims.methods[arm.method]
        other = next(
            one for one in (comparison.method, comparison.baseline) if one.id == arm.beside
        )
        wanted = self._cost(other, "", 0.0)
        size = self._closest(method, name, wanted)
        cost, step = self._cost(method, name, size), self._cost(method, name, size + 1)
        target = Target(axis="flops a sample", value=wanted, unit=abs(step - cost))
        return replace(
            arm, id=f"{arm.id} ({name} {size})", set={**arm.set, name: str(size)}, target=target
        )

    def _closest(self, method: Method, name: str, wanted: float) -> int:
        start = self._declared(method, name)
        low, high = start, start
        while self._cost(method, name, high) < wanted:
            low, high = high, 2 * high
            if high > MOST_TIMES * start:
                raise Missing(
                    Reason.NOT_TESTABLE,
                    f"a `{name}` up to {MOST_TIMES} times {start} at which `{method.id}` costs as"
                    " much; give the arm a number in place of `auto`",
                )
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

    def _cost(self, method: Method, name: str, size: float) -> float:
        """Return the FLOPs of one training sample of a model, with one argument set."""
        key = (method.id, name, size)
        if key not in self._made:
            self._made[key] = self._profiled(method, {name: int(size)} if name else {})
        made = self._made[key]
        whole = made.train.flops if made.train is not None else made.forward.flops
        if not whole:
            raise Missing(Reason.NOT_TESTABLE, f"`{method.id}` costs no FLOPs that can be counted")
        return whole / made.batch

    def _profiled(self, method: Method, changed: dict[str, int]) -> Profile:
        model = method.model
        for leaf in (model.entry, model.input_shape):
            if not leaf.known:
                raise Missing(Reason.UNDECLARED_KEY, f"declare `{leaf.path}`")
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
                    looks=frozenset(),
                )
            )
        except RepcheckError as error:
            raise Missing(Reason.COMMAND_FAILED, f"mend `{model.entry.path}`: {error}") from None
