"""Where the examples of the figures lie among all, by how much better the method is on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from repcheck.claims.comparison import comparisons
from repcheck.claims.model import Claim, Claims, Method, Qualitative
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.facts.predicted import NLL, SQUARED, WRONG, Predicted, Scored

if TYPE_CHECKING:  # brings numpy
    import numpy as np
    import numpy.typing as npt

    from repcheck.stats.shown import Shown

SEED = 20_260_101
WORDS = {
    WRONG: "share of seeds that are right",
    NLL: "likelihood of the right class",
    SQUARED: "squared error",
}
TRIFLE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One figure's examples among all of the test set.

    `by` says what the gain is of, `shown` how they lie; `wins`, `ties` and `losses` are counted
    over the shown, and again over as many random ones and over as many of the lowest gain. `least`
    is the p of as many of the highest gain: no choice could have a lower one.
    """

    by: str
    shown: Shown
    least: float
    wins: tuple[int, int, int]
    random: tuple[int, int, int]
    worst: tuple[int, int, int]
    drawn: tuple[Any, ...]
    files: tuple[int, int]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures(Fact):
    """The figures of the paper, and the gain of the method on each example of the test set."""

    label: ClassVar[str] = "examples shown in figures"
    claims: Claims
    predicted: Predicted
    _gains: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the predictions; none is read yet."""
        return cls(claims=evidence.claims, predicted=evidence.get(Predicted))

    def bears_on(self, claim: Claim) -> bool:
        """Return whether figures are judged with this claim.

        They are with the claims that rest on figures; where there is none, with the first claim
        that compares methods, so that each figure is judged once.
        """
        if claim.kind == "qualitative":
            return True
        if any(one.kind == "qualitative" for one in self.claims.claims):
            return False
        compared = [one for pair in comparisons(self.claims) for one in pair.claims]
        return bool(compared) and claim is compared[0]

    def place(self, claim: Claim, figure: Qualitative) -> Placed:
        """Return where a figure's examples lie, against the claim's first baseline.

        Raises:
            Missing: if the examples are not named, or no predictions of both methods can be had.
        """
        import numpy as np

        from repcheck.stats.shown import shown

        indices = figure.indices.value
        found = next((one for one in comparisons(self.claims) if claim in one.claims), None)
        if found is None:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{claim.place.join('baselines')}`")
        gains, index, by, files, source = self._of(found.method, found.baseline, found.dataset)
        at = {name: place for place, name in enumerate(index.tolist())}
        places = [at[one] for one in dict.fromkeys(indices) if one in at]
        if not places or len(places) < len(set(indices)):
            lost = [one for one in indices if one not in at]
            names = ", ".join(map(str, lost[:5]))
            words = f"predictions for the examples {names} of `{figure.place.path}`"
            raise Missing(Reason.NOT_OBSERVED, words)
        chosen = np.array(places, dtype=np.int64)
        random = np.random.default_rng(SEED)
        result = shown(gains, chosen, random)
        drawn = random.choice(len(gains), len(chosen), replace=False)
        ordered = np.argsort(gains, kind="stable")
        lowest, highest = ordered[: len(chosen)], ordered[len(gains) - len(chosen) :]
        return Placed(
            by=by,
            shown=result,
            least=shown(gains, highest, np.random.default_rng(SEED)).p,
            wins=_counts(gains[chosen]),
            random=_counts(gains[drawn]),
            worst=_counts(gains[lowest]),
            drawn=tuple(index[drawn].tolist()),
            files=files,
            source=source,
        )

    def _of(self, ours: Method, theirs: Method, dataset: str) -> Any:  # noqa: ANN401
        key = (ours.id, theirs.id, dataset)
        if key not in self._gains:
            sides = [
                [scored for _, scored in self.predicted.by_run(method, dataset)]
                for method in (ours, theirs)
            ]
            self._gains[key] = _gains(sides)
        return self._gains[key]


def _gains(
    sides: Sequence[Sequence[Scored]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any], str, tuple[int, int], str]:
    """Return the gain on each example that every file has, and what it is of."""
    import numpy as np

    files = [one for side in sides for one in side]
    shared = set.intersection(*(set(one.losses) for one in files))
    by = next((name for name in (NLL, WRONG, SQUARED) if name in shared), "")
    common = files[0].index
    if len({one.index.dtype.kind for one in files}) > 1:
        common = common[:0]
    for one in files[1:]:
        common = common[np.isin(common, one.index)]
    if not by or len(common) < 2:
        raise Missing(Reason.NOT_TESTABLE, "predictions of the same examples from both methods")
    means = [np.mean([_on(one, by, common) for one in side], axis=0) for side in sides]
    gains = np.asarray(means[1] - means[0], dtype=np.float64)
    return gains, common, by, (len(sides[0]), len(sides[1])), sides[0][0].source


def _on(scored: Scored, by: str, index: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return an evaluation's losses in the order of an index that it covers."""
    import numpy as np

    order = np.argsort(scored.index, kind="stable")
    return scored.losses[by][order[np.searchsorted(scored.index[order], index)]]


def _counts(gains: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """Return on how many the method is better, equal and worse."""
    wins, losses = int((gains > TRIFLE).sum()), int((gains < -TRIFLE).sum())
    return wins, len(gains) - wins - losses, losses


def said(counts: Mapping[str, tuple[int, int, int]]) -> str:
    """Return wins, ties and losses in words."""
    return "; ".join(
        f"{name} {w} better, {t} equal, {n} worse" for name, (w, t, n) in counts.items()
    )
