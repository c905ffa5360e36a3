"""Judge a claim over several datasets: the mean over all declared cells first, then the cells.

The mean difference over the cells carries the verdict, by the same three-way rules as one cell's:
a claimed gain is a claimed mean gain, and theta is half of it. Only where that gate passes are the
cells looked at, with Holm's correction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from repcheck.stats.cells import Gate, gate, mean_of
from repcheck.stats.collapse import uncollapsed
from repcheck.stats.compare import Interval, Summary, against_reported, one_sample, welch
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import (
    EXACT,
    Decision,
    GainClaim,
    Sample,
    ValueClaim,
    blocked,
    crashes,
    needed_seeds,
    shortfalls,
    snapped,
    three_way,
)
from repcheck.stats.direction import direction_details, direction_words
from repcheck.stats.gain import GAIN_TAILS, OURS, THEIRS, gain_details, gain_words
from repcheck.stats.sample_size import Aim, scaled
from repcheck.stats.value import prediction_tail, value_details, value_verdict, value_words
from repcheck.stats.wording import Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Both arms on one dataset; `pairs` as for `decide_gain`."""

    ours: Sample
    theirs: Sample
    pairs: Summary | None = None

    def interval(self, alpha: float) -> Interval | None:
        """Return the interval of the difference, None where a spread is unknown."""
        a, b = self.ours.finished, self.theirs.finished
        if a is None or b is None or a.sd is None or b.sd is None:
            return None
        if self.pairs is not None and self.pairs.sd:
            return one_sample(self.pairs, alpha)
        return welch(a, b, alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The verdict on the mean over cells, the gate, and each cell's own interval.

    `gate` is None where a cell cannot carry a verdict: a gate without it would be another claim's.
    """

    decision: Decision
    gate: Gate | None
    intervals: Mapping[str, Interval | None]


def decide_over_cells(
    cells: Mapping[str, Cell],
    claim: GainClaim | None,
    criteria: Criteria = DEFAULT,
    *,
    unit: float,
) -> Overall:
    """Judge "ours beats theirs by the claimed gain on average", or without a claim only "is better
    on average".

    `unit` is one unit of the last printed digit. Raises ValueError where there is no cell.
    """
    theta = max(criteria.rho * claim.claimed, claim.unit) if claim else 0.0
    intervals = {name: cell.interval(criteria.alpha) for name, cell in cells.items()}
    arms = _arms(cells)
    published = any(cell.theirs.published for cell in cells.values())
    base = Decision(
        verdict="inconclusive",
        details=("baseline-as-published",) if published else (),
        rule_in_words="",
        interval=None,
        theta=theta,
        test="none",
        n_a=min(cell.ours.n for cell in cells.values()),
        n_b=min(cell.theirs.n for cell in cells.values()),
    )
    reasons, n = shortfalls(criteria, arms), _n_in_words(cells)
    known = {name: one for name, one in intervals.items() if one is not None}
    if reasons or len(known) < len(cells):
        words = f"{_over(cells)}: {blocked(reasons, n)}"
        return Overall(decision=replace(base, rule_in_words=words), gate=None, intervals=intervals)
    found = gate(known, theta=theta, alpha=criteria.alpha)
    decided = _decided(base, found, claim, criteria, f"{n}{crashes(arms)}", unit)
    told = f"{decided.rule_in_words.removesuffix('.')}; {_cells_in_words(found)}."
    decision = replace(decided, rule_in_words=f"{_over(cells)}: {told[0].lower()}{told[1:]}")
    return Overall(decision=decision, gate=found, intervals=intervals)


def _decided(
    base: Decision,
    found: Gate,
    claim: GainClaim | None,
    criteria: Criteria,
    basis: str,
    unit: float,
) -> Decision:
    interval, theta = found.interval, found.theta
    if interval.df is None:
        interval = snapped(interval, (theta, 0.0), max(theta, abs(interval.estimate)))
    verdict = three_way(interval, theta)
    test = EXACT if interval.df is None else f"Satterthwaite t over {found.count} datasets"
    base = replace(base, verdict=verdict, interval=interval, test=test)
    if claim is None:
        words = direction_words(verdict, interval, Numbers(unit), f"{basis}, {test}")
        return replace(
            base, details=direction_details(verdict, interval) + base.details, rule_in_words=words
        )
    details = gain_details(verdict, interval, claim)
    tails = "".join(GAIN_TAILS.get(detail, "") for detail in details)
    n = min(base.n_a, base.n_b or base.n_a)
    grows = interval.df is not None and "baseline-as-published" not in base.details
    pilot = scaled(interval.se, interval.df or 1.0, n) if grows else None
    aim = Aim.at(interval.estimate, theta, se=interval.se, claimed=claim.claimed)
    return replace(
        base,
        details=details + base.details,
        rule_in_words=f"{gain_words(verdict, interval, claim, criteria)}, {basis}, {test}{tails}.",
        needed=needed_seeds(verdict, interval, pilot, aim, criteria),
    )


def _arms(cells: Mapping[str, Cell]) -> dict[str, Sample]:
    return {
        f"{name} on {cell}": sample
        for cell, one in cells.items()
        for name, sample in ((OURS, one.ours), (THEIRS, one.theirs))
    }


def _over(cells: Mapping[str, object]) -> str:
    return f"Mean over {len(cells)} datasets ({', '.join(cells)})"


def _n_in_words(cells: Mapping[str, Cell]) -> str:
    said = {
        name: f"{one.ours.n} + {one.theirs.n}{' published' if one.theirs.published else ''}"
        for name, one in cells.items()
    }
    if len(set(said.values())) == 1:
        return f"n = {next(iter(said.values()))} on each"
    return "n = " + ", ".join(f"{n} on {name}" for name, n in said.items())


def _cells_in_words(found: Gate) -> str:
    if not found.passed:
        return "the mean does not pass, so no dataset is judged by itself"
    names = ", ".join(found.shown) or "none"
    return f"dataset by dataset it is shown on {len(found.shown)} of {found.count} ({names}; Holm)"


# --- a value that is an average ---------------------------------------------------------------


def decide_mean_value(
    cells: Mapping[str, tuple[Sample, Summary]], claim: ValueClaim, criteria: Criteria = DEFAULT
) -> Decision:
    """Judge "the method scores the reported value on average over these datasets".

    `cells` holds for each dataset the rerun and what is reported of it; where only the average is
    reported, that average with n = 1 stands for each. The margin is the declared one, else twice
    the spread over seeds of the average, sqrt(sum of s^2) / T, and at least the rounding unit.
    """
    samples = {f"the rerun on {name}": sample for name, (sample, _) in cells.items()}
    counted = {name: f"{sample.n}" for name, (sample, _) in cells.items()}
    each = set(counted.values())
    n = (
        f"n = {each.pop()} on each"
        if len(each) == 1
        else "n = " + ", ".join(f"{n} on {name}" for name, n in counted.items())
    )
    base = Decision(
        verdict="inconclusive",
        details=(),
        rule_in_words="",
        interval=None,
        theta=-(claim.margin or claim.unit),
        test="none",
        n_a=min(sample.n for sample, _ in cells.values()),
    )
    reasons = shortfalls(criteria, samples)
    if reasons:
        return replace(base, rule_in_words=f"{_over(cells)}: {blocked(reasons, n)}")
    margin, origin = _mean_margin(cells, claim)
    interval = _mean_against_reported(cells, criteria.alpha)
    wide = _mean_against_reported(cells, 0.025)
    if interval.df is None:
        size = abs(claim.reported.mean) + abs(interval.estimate)
        interval = snapped(interval, (margin, -margin), size)
    half_width = max(claim.unit, wide.high - wide.estimate)
    outside = abs(interval.estimate) > half_width
    verdict = value_verdict(interval, margin, two_sided=claim.two_sided)
    numbers = Numbers(claim.unit)
    words = value_words(verdict, interval, claim, f"{numbers.plain(margin)}, {origin}")
    test = EXACT if interval.df is None else f"Satterthwaite t over {len(cells)} datasets"
    tail = prediction_tail(claim, half_width) if outside else ""
    said = f"{words[0].lower()}{words[1:]}, {n}{crashes(samples)}, {test}{tail}."
    flag = ("outside-prediction-interval",) if outside else ()
    return replace(
        base,
        verdict=verdict,
        details=(*value_details(interval, margin), *flag),
        rule_in_words=f"{_over(cells)}: {said}",
        interval=interval,
        theta=-margin,
        test=test,
        prediction_half_width=half_width,
        outside_prediction_interval=outside,
    )


def _mean_against_reported(cells: Mapping[str, tuple[Sample, Summary]], alpha: float) -> Interval:
    return mean_of(
        [
            against_reported(sample.finished, reported, alpha)
            for sample, reported in cells.values()
            if sample.finished is not None
        ],
        alpha,
    )


def _mean_margin(
    cells: Mapping[str, tuple[Sample, Summary]], claim: ValueClaim
) -> tuple[float, str]:
    if claim.margin is not None:
        return claim.margin, "as declared"
    usual = [uncollapsed(sample)[0].finished for sample, _ in cells.values()]
    squares = [(one.sd or 0.0) ** 2 for one in usual if one]
    spread = 2 * sum(squares) ** 0.5 / len(cells)
    if spread > claim.unit:
        return spread, "twice the spread over seeds of the average"
    return claim.unit, "one unit of the last reported digit"
