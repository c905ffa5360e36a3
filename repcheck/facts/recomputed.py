"""Standard metrics of the task that no table shows, recomputed from both arms' predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claims
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.metrics_in_code import MetricsInCode
from repcheck.facts.predicted import Predicted
from repcheck.facts.twins import Tables, twin
from repcheck.facts.unreported import FEWEST, Cell, cell_of, columns_of, reported_metrics
from repcheck.metric_names import letters, meaning, question
from repcheck.runs import Run, SeedKind

PANEL = {
    "classes": ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "nll", "ece",
                "worst_class_accuracy"),
    "numbers": ("mae", "rmse", "r2", "spearman"),
    "sequences": ("accuracy", "exact_match"),
    "images": ("psnr_rgb", "psnr_y", "mae"),
}  # fmt: skip
_WORST = "worst class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The recomputed metrics of one comparison that are not reported and repeat none that is.

    `won` are the reported metrics of its claims on which the method is better beyond its seeds;
    `named` says where the code names a recomputed one. `why` says what is missing where nothing
    was recomputed.
    """

    cells: tuple[Cell, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)
    won: tuple[Cell, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    why: str = ""

    @property
    def worse(self) -> tuple[Cell, ...]:
        """Those on which the method is surely worse though its claim's metric is surely better."""
        found = (one for one in self.cells if one.worse and self.won)
        return tuple(sorted(found, key=lambda one: one.corrected))

    def reverses(self, cell: Cell) -> bool:
        """Return whether a metric answers the question of one that the method wins."""
        return cell.family in {one.family for one in self.won} - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed(Fact):
    """The panel of every comparison of the claims."""

    label: ClassVar[str] = "standard metrics recomputed from predictions"
    by_id: Mapping[str, Panel]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Recompute; linting has no runs and finds nothing."""
        if not evidence.runs:
            return cls(by_id={})
        predicted = evidence.get(Predicted)
        places = evidence.get(MetricsInCode)
        found = {c.id: _panel(predicted, places, c) for c in comparisons(evidence.claims)}
        return cls(by_id=_corrected(found))

    def of(self, comparison: Comparison) -> Panel:
        """Return a comparison's panel; empty where nothing was run."""
        return self.by_id.get(comparison.id, Panel(why="nothing was rerun"))


def _corrected(found: Mapping[str, Panel]) -> dict[str, Panel]:
    """Correct over all comparisons at once, as is done for what the files hold."""
    from repcheck.stats.cells import benjamini_hochberg

    cells = [cell for panel in found.values() for cell in panel.cells]
    ps = iter(benjamini_hochberg([cell.gain.p_below(0.0) for cell in cells]))
    return {
        name: replace(panel, cells=tuple(replace(cell, corrected=next(ps)) for cell in panel.cells))
        for name, panel in found.items()
    }


def _panel(predicted: Predicted, places: MetricsInCode, comparison: Comparison) -> Panel:
    try:
        sides = [
            predicted.by_run(method, comparison.dataset)
            for method in (comparison.method, comparison.baseline)
        ]
    except Missing as missing:
        return Panel(why=missing.would_decide)
    fresh = [[(r, s) for r, s in side if r.seed_kind is SeedKind.FRESH] for side in sides]
    kinds = {scored.kind for side in fresh for _, scored in side}
    if min(map(len, fresh)) < FEWEST or len(kinds) != 1:
        few = f"predictions of {FEWEST} fresh seeds of each method"
        return Panel(why=few if len(kinds) < 2 else "predictions of one kind from both methods")
    names = PANEL[kinds.pop()]
    tables = [
        [_row(run, {n: scored.values[n] for n in names if n in scored.values})
         for run, scored in side]
        for side in fresh
    ]  # fmt: skip
    return _sorted(predicted.claims, comparison, tables, names, places, fresh[0][0][1].source)


def _row(run: Run, values: Mapping[str, float]) -> dict[str, float]:
    """Return all numbers of a run: what was recomputed goes by `panel:`."""
    return {
        **{f"metric:{name}": value for name, value in run.metrics.items()},
        **{f"file:{name}": value for name, value in (run.others or {}).items()},
        **{f"panel:{name}": value for name, value in values.items()},
    }


def _sorted(
    claims: Claims,
    comparison: Comparison,
    tables: Tables,
    names: Sequence[str],
    places: MetricsInCode,
    source: str,
) -> Panel:
    shown = reported_metrics(claims)
    listed = {letters(one) for one in claims.measured_not_reported.metrics.get(())}
    kept = list(dict.fromkeys(key for side in tables for row in side for key in row
                              if not key.startswith("panel:")))  # fmt: skip
    cells, same = list[Cell](), dict[str, str]()
    for name in names:
        columns = columns_of(tables, f"panel:{name}")
        if columns is None or letters(name) in listed or _reported(name, shown):
            continue
        if other := twin(f"panel:{name}", kept, tables):
            same[name] = other.partition(":")[2]
            continue
        kept.append(f"panel:{name}")
        said = meaning(name)
        family = _WORST if name.startswith("worst") else said.family
        cells.append(cell_of(name, columns, up=bool(said.up), family=family, half=False))
    asked = {claim.metric.value for claim in comparison.claims if claim.metric.known}
    return Panel(
        cells=tuple(cells),
        same=same,
        won=tuple(cell for name in sorted(asked & shown) if (cell := _won(claims, tables, name))),
        named={cell.name: place for cell in cells if (place := places.place(cell.name))},
        source=source,
    )


def _won(claims: Claims, tables: Tables, name: str) -> Cell | None:
    """Return a claim's metric over the seeds, if the method is surely better in it."""
    about, columns = claims.metrics.get(name), columns_of(tables, f"metric:{name}")
    up = about.higher_is_better.content if about is not None else None
    if about is None or columns is None or up is None:
        return None
    read = about.from_.get("").rpartition(":")[2].partition("@")[0].rpartition(".")[2]
    family = meaning(name).family or meaning(read).family
    cell = cell_of(name, columns, up=up, family=family, half=False)
    return cell if cell.gain.low > 0 else None


def _reported(name: str, shown: set[str]) -> bool:
    return any(question(name) == question(one) for one in shown)
