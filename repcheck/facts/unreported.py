"""What the evaluation writes beside the reported metrics, and where the method stands in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claims
from repcheck.fact import Evidence, Fact
from repcheck.facts.twins import Tables, twin
from repcheck.metric_names import letters, meaning, part_of_data, question
from repcheck.needs import reader_text
from repcheck.reader import LARGEST, MOST_OTHERS
from repcheck.runs import Run, Runs, SeedKind, Status
from repcheck.units import decimals_for

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.cells import Selective
    from repcheck.stats.compare import Interval

FEWEST = 3
"""Seeds of an arm below which nothing is compared: what two agree on may be chance."""
ALPHA = 0.025
RATE = 0.05
TRIFLE = 1e-3
_COST = re.compile(
    r"latency|throughput|speed|fps|memory|params|flops|runtime|hours|\bm?s\b|/ ?s(?:ec)?\b"
)
Values = tuple[float, ...]


def reported_metrics(claims: Claims) -> set[str]:
    """Return the metrics of which the paper shows a row or makes a claim."""
    rows = {row.metric.value for row in claims.results if row.metric.known}
    rows |= {claim.metric.value for claim in claims.claims if claim.metric.known}
    return rows or set(claims.metrics) if len(claims.metrics) == 1 else rows


def in_other_tables(claims: Claims) -> set[str]:
    """Return the metrics that stand in a claim's ratio, an ablation or the table of costs."""
    shown = {name for claim in claims.claims for name in claim.ratio.get({})}
    shown |= {name for row in claims.ablations or () for name in row.result.get({})}
    if claims.efficiency:
        words = {
            m.id: f"{m.id} {m.unit.get('')} {m.definition.get('')}" for m in claims.metrics.values()
        }
        shown |= {name for name, said in words.items() if _COST.search(said.lower())}
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One metric over the fresh seeds of both arms.

    `gain` is oriented (positive: the method is better), with bounds at 2.5 % each in the unit of
    the file; `n` the seeds of method and baseline; `corrected` the one-sided p that the method is
    worse, corrected for the false discovery rate over all unreported metrics of the paper.
    """

    name: str
    up: bool
    family: str
    half: bool
    gain: Interval
    size: float
    n: tuple[int, int]
    corrected: float = 1.0

    @property
    def worse(self) -> bool:
        """Whether the method is worse beyond the noise of its seeds, and by more than a trifle."""
        beyond = self.gain.high < 0 and self.corrected <= RATE
        return beyond and -self.gain.estimate > TRIFLE * self.size

    def said(self) -> str:
        """Return a worse metric in words: `f1` is 4.1 [2.0, 6.2] lower (n = 5 + 5)."""
        numbers = (-self.gain.estimate, -self.gain.high, -self.gain.low)
        digits = max(0, decimals_for(self.gain.estimate) - 1)
        small = abs(self.gain.estimate) < 1e-4
        by, low, high = (f"{one:.2g}" if small else f"{one:.{digits}f}" for one in numbers)
        way = "lower" if self.up else "higher"
        return f"`{self.name}` is {by} [{low}, {high}] {way} (n = {self.n[0]} + {self.n[1]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands in the metrics files of one comparison's runs.

    `reported` and `omitted` were compared; `same` maps a name to the metric that it only repeats;
    `diagnostics` and `unknown` (no direction is agreed on, or not what it is of) were not. `seeds`
    are the runs of method and baseline that were looked at, `unread` says that a metrics file of
    theirs was not.
    """

    reported: tuple[Cell, ...] = ()
    omitted: tuple[Cell, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)
    admitted: tuple[str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    seeds: tuple[int, int] = (0, 0)
    unread: bool = False
    full: bool = False
    sources: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[Cell, ...]:
        """The unreported metrics that stand for themselves: no half of a trade-off."""
        return tuple(one for one in self.omitted if not one.half)

    @property
    def worse(self) -> tuple[Cell, ...]:
        """Those on which the method is worse beyond the noise of its seeds, the surest first."""
        return tuple(sorted((one for one in self.judged if one.worse), key=lambda c: c.corrected))

    @property
    def opposite(self) -> tuple[Cell, ...]:
        """Those on which the method is worse at all."""
        return tuple(one for one in self.judged if one.gain.estimate < 0)

    @property
    def whole(self) -> bool:
        """Whether enough runs of both arms ended, and all their metrics files were read."""
        return min(self.seeds) >= FEWEST and not self.unread and not self.full

    @property
    def losing(self) -> bool:
        """Whether the paper reports a metric on which the method does not win."""
        return any(one.gain.estimate <= 0 for one in self.reported)

    @property
    def reversed(self) -> tuple[Cell, ...]:
        """The worse ones that answer the question of a reported metric on which it wins."""
        won = {one.family for one in self.reported if one.gain.estimate > 0} - {""}
        return tuple(one for one in self.worse if one.family in won)

    def selective(self) -> Selective:
        """Return how the reported ones lie among all that improved."""
        from repcheck.stats.cells import selective

        better = sum(one.gain.estimate > 0 for one in self.reported)
        return selective(
            computed=len(self.reported) + len(self.judged),
            improved=better + sum(one.gain.estimate > 0 for one in self.judged),
            reported=len(self.reported),
            reported_improved=better,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreported(Fact):
    """The numbers beside the reported ones, for every comparison of the claims."""

    label: ClassVar[str] = "what the evaluation writes beside the reported metrics"
    by_id: Mapping[str, Beside]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Compare every metric of both arms; linting has no runs and finds nothing."""
        if not evidence.runs:
            return cls(by_id={})
        made = _Maker(evidence.claims, evidence.runs)
        return cls(by_id=_corrected({c.id: made.beside(c) for c in comparisons(evidence.claims)}))

    @property
    def nothing_else(self) -> bool:
        """Whether the files of all comparisons were read, and hold no metric that is left out."""
        found = self.by_id.values()
        return bool(found) and all(one.whole and not (one.omitted or one.unknown) for one in found)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The metrics with a known direction that some file holds and no table shows."""
        cells = (cell.name for one in self.by_id.values() for cell in one.omitted)
        return tuple(dict.fromkeys(cells))

    @property
    def sources(self) -> tuple[str, ...]:
        """The runs that were looked at."""
        return tuple(dict.fromkeys(s for one in self.by_id.values() for s in one.sources))

    def of(self, comparison: Comparison) -> Beside:
        """Return what stands beside the metrics of a comparison; empty where nothing was run."""
        return self.by_id.get(comparison.id, Beside())


def _corrected(found: Mapping[str, Beside]) -> dict[str, Beside]:
    """Correct over all comparisons at once: the more is looked at, the more is worse by chance."""
    from repcheck.stats.cells import benjamini_hochberg

    cells = [cell for one in found.values() for cell in one.judged]
    ps = iter(benjamini_hochberg([cell.gain.p_below(0.0) for cell in cells]))
    return {
        name: replace(
            one,
            omitted=tuple(
                cell if cell.half else replace(cell, corrected=next(ps)) for cell in one.omitted
            ),
        )
        for name, one in found.items()
    }


@dataclass(frozen=True, slots=True)
class _Maker:
    claims: Claims
    runs: Runs

    def beside(self, comparison: Comparison) -> Beside:
        """Return what stands in the files of the runs that a comparison rests on."""
        pair = (comparison.method.id, comparison.baseline.id)
        mine, other = (self._fresh(name, comparison.dataset) for name in pair)
        looked = [run for run in (*mine, *other) if run.others is not None]
        shown = reported_metrics(self.claims) | in_other_tables(self.claims)
        tables = [[self._values(run) for run in side] for side in (mine, other)]
        reported = {
            name: found
            for name in sorted(shown)
            if (found := columns_of(tables, f"metric:{name}")) and self._up(name) is not None
        }
        made = Beside(
            reported=tuple(self._reported(name, columns) for name, columns in reported.items()),
            seeds=(len(mine), len(other)),
            unread=len(looked) < len(mine) + len(other) or not looked,
            full=any(len(run.others or ()) >= MOST_OTHERS for run in looked),
            sources=tuple(dict.fromkeys(f"run {run.key[:12]}" for run in looked))[:2],
        )
        names = dict.fromkeys(key for side in tables for row in side for key in row)
        return self._sorted(made, [n for n in names if not n.startswith("metric:")], tables, shown)

    def _sorted(
        self, made: Beside, names: Sequence[str], tables: Tables,
        shown: set[str],
    ) -> Beside:  # fmt: skip
        admitted, diagnostics, unknown = list[str](), list[str](), list[str]()
        omitted, same = list[Cell](), dict[str, str]()
        own = self._own_splits(shown)
        listed = {letters(one) for one in self.claims.measured_not_reported.metrics.get(())}
        kept = [f"metric:{cell.name}" for cell in made.reported]
        for name in names:
            declared = self._declared(name)
            said, columns = meaning(name), columns_of(tables, name)
            up = self._up(declared) if declared else said.up
            if {letters(one) for one in (declared, name, name.rpartition(".")[2])} & listed:
                admitted.append(name)
            elif declared in shown or (other := twin(name, kept, tables)):
                same[name] = declared if declared in shown else other.removeprefix("metric:")
            elif not declared and (said.kind == "diagnostic" or said.split not in own):
                diagnostics.append(name)
            elif up is None or columns is None or (not declared and self._elsewhere(name, shown)):
                unknown.append(name)
            else:
                half = said.kind == "half"
                omitted.append(cell_of(name, columns, up=up, family=said.family, half=half))
                kept.append(name)
        return replace(
            made,
            omitted=tuple(omitted),
            same=same,
            admitted=tuple(admitted),
            diagnostics=tuple(diagnostics),
            unknown=tuple(unknown),
        )

    def _fresh(self, method: str, dataset: str) -> list[Run]:
        found: dict[int, Run] = {}
        for run in self.runs:
            fits = run.method == method and (not dataset or run.dataset in {"", dataset})
            plain = run.arm_kind == "declared" and not run.replicate
            if fits and plain and run.status is Status.OK and run.seed_kind is SeedKind.FRESH:
                found.setdefault(run.seed, run)
        return list(found.values())

    def _values(self, run: Run) -> dict[str, float]:
        """Return all numbers of a run: the metrics, and what stands beside them, by short paths."""
        heads = self._heads(run.method)
        values = {f"metric:{name}": value for name, value in run.metrics.items()}
        for path, value in (run.others or {}).items():
            head = next((head for head in heads if path.startswith(head)), "")
            values.setdefault(path.removeprefix(head), value)
        return {name: v for name, v in values.items() if abs(v) <= LARGEST}  # false for nan too

    def _heads(self, method: str) -> list[str]:
        """Return the parts of the files that the method's metrics are read from, inner first."""
        texts = (reader_text(self.claims, method, name) for name in self.claims.metrics)
        whats = [_what(text) for text in texts if text]
        heads = {what.rpartition(".")[0] + "." for what in whats if "." in what}
        return sorted(heads, key=len, reverse=True)

    def _declared(self, name: str) -> str:
        """Return the metric of the claims file that is read at a path, or nothing."""
        for metric in self.claims.metrics.values():
            what = _what(metric.from_.get(""))
            if name in {what, what.rpartition(".")[2]} and what:
                return metric.id
        return ""

    def _own_splits(self, shown: set[str]) -> set[str]:
        said = {meaning(name).split for name in shown}
        texts = (
            self.claims.metrics[name].from_.get("") for name in shown & set(self.claims.metrics)
        )
        return {"", *said, *(meaning(_what(text)).split for text in texts)}

    def _elsewhere(self, name: str, shown: set[str]) -> bool:
        """Return whether a number may be of other data, or of another checkpoint, than the report.

        `final_test_accuracy` beside a reported accuracy is no other metric, and whoever writes
        `test_accuracy` may mean validation by `eval_f1`.
        """
        own = [*shown, *(_what(self.claims.metrics[one].from_.get(""))
                         for one in shown & set(self.claims.metrics))]  # fmt: skip
        parts = {part_of_data(one) for one in own}
        return (part_of_data(name) == "eval" and "test" in parts) or question(name) in map(
            question, own
        )

    def _up(self, metric: str) -> bool | None:
        about = self.claims.metrics.get(metric)
        if about is not None and about.higher_is_better.known:
            return about.higher_is_better.value
        return meaning(metric).up

    def _reported(self, name: str, columns: tuple[Values, Values]) -> Cell:
        about = self.claims.metrics.get(name)
        said = meaning(name)
        if not said.family and about is not None:
            said = meaning(
                _what(about.from_.get("")).rpartition(".")[2] or about.definition.get("")
            )
        return cell_of(
            name,
            columns,
            up=bool(self._up(name)),
            family=said.family,
            half=said.kind == "half",
        )


def _what(text: str) -> str:
    """Return what a `from:` text reads in its file: `{out}/m.json:test.acc@last` reads test.acc."""
    if text.startswith("stdout:"):
        return ""
    found = re.search(r"\.(?:jsonl?|csv):(.+)$", text)
    return found[1].partition("@")[0].strip() if found else ""


def columns_of(tables: Tables, name: str) -> tuple[Values, Values] | None:
    """Return a number's values over the seeds of both arms, if there are enough of each."""
    mine, other = (tuple(row[name] for row in side if name in row) for side in tables)
    return (mine, other) if min(len(mine), len(other)) >= FEWEST else None


def cell_of(
    name: str, columns: tuple[Values, Values], *, up: bool, family: str, half: bool
) -> Cell:
    """Return a metric over the seeds of the method and of the baseline, in this order."""
    from repcheck.stats.compare import Summary, welch

    sign = 1.0 if up else -1.0
    mine, other = (Summary.of([sign * value for value in side]) for side in columns)
    return Cell(
        name=name,
        up=up,
        family=family,
        half=half,
        gain=welch(mine, other, ALPHA),
        size=max(abs(mine.mean), abs(other.mean)),
        n=(mine.n, other.n),
    )
