"""What the runs and the paper's own files predicted, example by example, scored once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from repcheck.arms import Setting, declared_arm, fill_text
from repcheck.claims.comparison import dataset_named
from repcheck.claims.model import Claims, Method, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.reader import OUT
from repcheck.runs import Run, Runs, Status
from repcheck.tabular import Unreadable

if TYPE_CHECKING:  # brings numpy, which linting can do without
    import numpy as np
    import numpy.typing as npt

    from repcheck.predictions import Predictions

    Floats = npt.NDArray[np.float64]

MOST_FILES = 20
MOST_ANSWERS = 2000
WRONG, NLL, SQUARED = "wrong", "negative log-likelihood", "squared error"
_MAX_OF = {"u1": 255.0, "u2": 65535.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One file of predictions: every metric of it, and what each example cost.

    `values` are those of `repcheck.stats.panel` by name; `losses` hold one number for each of
    `index`, by what it is (`wrong`: 0 or 1). `source` is where the file lies;
    `answers` are the right classes by name, in the file's order, of at most MOST_ANSWERS examples;
    `several` says that an example has more than one label.
    """

    source: str
    kind: str
    index: npt.NDArray[Any]
    values: Mapping[str, float]
    losses: Mapping[str, Floats]
    answers: tuple[str, ...] = ()
    several: bool = False

    @property
    def n(self) -> int:
        """Return how many examples were evaluated."""
        return len(self.index)

    def quantity(self, name: str, value: float, unit: str = "") -> Quantity:
        """Return a number that was recomputed from this file as evidence."""
        return Quantity(name=name, value=value, unit=unit, level=Level.FORENSIC, source=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Fact):
    """Every file of predictions, read when it is asked for and at most once."""

    label: ClassVar[str] = "predictions"
    claims: Claims
    runs: Runs
    root: Path
    store: Path | None
    _read: dict[str, Scored | Missing] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read nothing yet."""
        return cls(
            claims=evidence.claims, runs=evidence.runs, root=evidence.root, store=evidence.store
        )

    def of(self, run: Run) -> Scored:
        """Return what a run predicted.

        Raises:
            Missing: if it left no file that can be used, with what would.
        """
        if run.key not in self._read:
            try:
                self._read[run.key] = self._of_run(run)
            except Missing as missing:
                self._read[run.key] = missing
        return _given(self._read[run.key])

    def by_run(self, method: Method, dataset: str) -> list[tuple[Run, Scored]]:
        """Return what a method's finished runs as declared predicted, in the plan's order.

        Raises:
            Missing: if none left a file that can be used.
        """
        method.eval.predictions.value  # noqa: B018  (raises with the key that is missing)
        ended = self.ended(method, dataset)
        if not ended:
            raise Missing(Reason.NOT_OBSERVED, f"rerun `{method.id}` with `repcheck check`")
        found, missing = [], None
        for run in ended:
            try:
                found.append((run, self.of(run)))
            except Missing as why:
                missing = missing or why
        if not found and missing is not None:
            raise missing
        return found

    def ended(self, method: Method, dataset: str) -> list[Run]:
        """Return a method's finished runs as declared, whether they predicted anything or not."""
        return [
            run
            for run in self.runs
            if run.method == method.id
            and run.arm_kind == "declared"
            and not run.replicate
            and run.status is Status.OK
            and (not dataset or run.dataset in {"", dataset})
        ]

    def published(self, row: Result) -> list[Scored]:
        """Return the predictions that the artifact holds of a row, one for each seed.

        Raises:
            Missing: if the row names no file, or one of them cannot be used.
        """
        found = []
        for number, path in enumerate(self._files(row)):
            key = f"row {row.place.path} {path}"
            if key not in self._read:
                try:
                    self._read[key] = self._scored(self.root, path, row, f"artifact, {path}")
                except Missing as missing:
                    self._read[key] = missing
            found.append(_given(self._read[key]))
            if number + 1 == MOST_FILES:
                break
        return found

    def _files(self, row: Result) -> Sequence[str]:
        text = row.predictions.value
        if OUT in text:
            raise Missing(Reason.NOT_OBSERVED, f"files of the artifact in `{row.predictions.path}`")
        method = self.claims.methods.get(row.method.get(""))
        seeds = method.seeds.train.get(()) if method is not None and "{seed}" in text else (0,)
        if method is None or not seeds:
            key = f"methods.{row.method.get('M')}.seeds.train"
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}`: `{text}` is one file a seed")
        files = [self._filled(method, row.dataset.get(""), seed, text) for seed in seeds]
        return list(dict.fromkeys(files))

    def _filled(self, method: Method, dataset: str, seed: int, text: str) -> str:
        setting = Setting(dataset=dataset_named(self.claims, dataset), seed=seed)
        return fill_text(self.claims, declared_arm(method.id), setting, text)

    def _of_run(self, run: Run) -> Scored:
        leaf = self.claims.methods[run.method].eval.predictions
        text = leaf.value
        if not text.startswith(f"{OUT}/"):
            raise Missing(
                Reason.NOT_OBSERVED,
                f"write the predictions below {OUT}, and say so in `{leaf.path}`",
            )
        if self.store is None or not run.directory:
            raise Missing(Reason.NOT_OBSERVED, f"rerun `{run.method}` with `repcheck check`")
        method = self.claims.methods[run.method]
        path = self._filled(method, run.dataset, run.seed, text).removeprefix(f"{OUT}/")
        rows = [row for row in self.claims.results if row.method.get("") == run.method]
        row = next((one for one in rows if one.columns.known), None)
        source = f"run {run.key[:12]}, out/{path}"
        return self._scored(self.store / run.directory, f"out/{path}", row, source)

    def _scored(self, base: Path, path: str, row: Result | None, source: str) -> Scored:
        from repcheck.predictions import read

        names = row.columns.get({}) if row is not None and "columns" in row.place.keys else {}
        try:
            found = read(base, path, names)
        except Unreadable as error:
            raise Missing(Reason.NOT_TESTABLE, f"predictions that can be read: {error}") from None
        values, losses = self._values(found)
        return Scored(
            source=source, kind=found.kind, index=found.index, values=values, losses=losses,
            answers=tuple(found.classes[one] for one in found.label[:MOST_ANSWERS].tolist())
            if found.kind == "classes" else (), several=found.label.ndim > 1,
        )  # fmt: skip

    def _values(self, found: Predictions) -> tuple[dict[str, float], dict[str, Floats]]:
        import numpy as np

        from repcheck.stats import panel

        if found.kind == "classes":
            wrong = (found.label != found.pred).astype(np.float64)
            count, shares = len(found.classes), found.probabilities
            values = panel.classification(found.label, found.pred, count, shares)
            if shares is None:
                return values, {WRONG: wrong}
            right = panel.of_the_right(found.label, shares)
            return values, {WRONG: wrong, NLL: -np.log(right)}
        if found.kind == "sequences":
            counted = (found.label != panel.PADDING).reshape(len(found), -1)
            parts = (found.label != found.pred).reshape(len(found), -1) & counted
            losses = {WRONG: parts.sum(axis=1) / np.maximum(1, counted.sum(axis=1))}
            return panel.sequences(found.label, found.pred), losses
        errors = {SQUARED: panel.image_errors(found.label, found.pred)}
        if found.kind == "numbers":
            return panel.regression(found.label, found.pred), errors
        most = self._range(found)
        borders = [m.crop_border.value for m in self.claims.metrics.values() if m.crop_border.known]
        if most is None:
            return {}, errors
        return panel.restoration(found.label, found.pred, most, borders[:4]), errors

    def _range(self, found: Predictions) -> float | None:
        """Return the range of images: as declared, that of their type, or 1; None if unclear."""
        stated = {m.data_range.value for m in self.claims.metrics.values() if m.data_range.known}
        largest = float(found.label.max())
        if found.label.dtype.kind in "ui":
            return next(iter(stated), None) or _MAX_OF.get(found.label.dtype.str[1:])
        fitting = {one for one in stated or {1.0} if largest <= 1.01 * one}
        # Images stored from 0 to 1 whose metric is stated on 0 to 255 differ by a factor alone.
        return 1.0 if largest <= 1.01 else min(fitting, default=None)


def _given(found: Scored | Missing) -> Scored:
    if isinstance(found, Missing):
        raise found
    return found
