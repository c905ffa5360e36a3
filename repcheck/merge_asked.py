"""One number of a claim put to several sites: each site's seeds, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from repcheck.claims.model import Claim, Claims, Method
from repcheck.errors import Inapplicable, Missing
from repcheck.facts.gains import last_digit, stated_gain
from repcheck.facts.reruns import SeedScores
from repcheck.merge_sites import Site
from repcheck.question import SHARED, Question, has_command
from repcheck.reproduction import question_of, reported_value
from repcheck.stats.compare import Summary, pooled_sd
from repcheck.stats.criteria import DEFAULT
from repcheck.stats.decision import Sample
from repcheck.stats.sites import SiteArm
from repcheck.stats.wording import Numbers

Kind = Literal["gain", "value", "at_least", "at_most", "better"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One number of a claim: what is claimed, and over which baseline."""

    kind: Kind
    claim: Claim
    baseline: Method | None = None

    @property
    def gain(self) -> bool:
        """Whether a difference of two arms is asked for."""
        return self.baseline is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One site's seeds for one number: values by seed, of the method and of the baseline.

    `paired` holds the differences seed by seed where the file declares what a seed fixes in both.
    `out` says why the site is kept out of this number; it is empty for those that count. `same_as`
    names an earlier site all of whose values this one repeats.
    """

    site: str
    ours: dict[int, float]
    theirs: dict[int, float] | None
    paired: dict[int, float] | None
    crashed: tuple[int, ...]
    out: str = ""
    same_as: str = ""

    @property
    def n(self) -> tuple[int, ...]:
        """Finished seeds, an arm each."""
        return (len(self.ours),) if self.theirs is None else (len(self.ours), len(self.theirs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a number is held against.

    Seeds' values times `sign` are such that more is better; `theta` is the threshold for them, less
    `reported`, which is what no site ran. `said` is the threshold in words, `unit` one unit of the
    last printed digit.
    """

    sign: int
    theta: float
    said: str
    unit: float
    claimed: float
    claimed_text: str
    reported: Summary | None = None
    caveats: tuple[str, ...] = ()


def asked_of(claims: Claims, claim: Claim) -> Iterator[Asked]:
    """Yield a claim's numbers in the order in which a single check judges them."""
    baselines = [claims.methods[name] for name in claim.baselines.get(())]
    if claim.improvement.known:
        yield from (Asked(kind="gain", claim=claim, baseline=one) for one in baselines)
    if claim.value.known:
        yield Asked(kind="value", claim=claim)
    if claim.at_least.known:
        yield Asked(kind="at_least", claim=claim)
    if claim.at_most.known:
        yield Asked(kind="at_most", claim=claim)
    if not claim.improvement.known:
        yield from (Asked(kind="better", claim=claim, baseline=one) for one in baselines)


def cell_of(asked: Asked, site: Site, index: int) -> tuple[Question | None, Cell]:
    """Return the question as a site could ask it, and its seeds; `out` says what is amiss."""
    claim = site.claims.claims[index]
    try:
        question = question_of(site.claims, claim, site.evidence)
        ours = question.fresh(question.method)
        theirs = None
        if asked.baseline is not None:
            baseline = site.claims.methods[asked.baseline.id]
            theirs = question.fresh(baseline) if has_command(baseline) else None
    except (Missing, Inapplicable) as gap:
        said = gap.would_decide if isinstance(gap, Missing) else str(gap)
        return None, Cell(site=site.name, ours={}, theirs=None, paired=None, crashed=(), out=said)
    mine, other = _by_seed(ours), _by_seed(theirs) if theirs else None
    cell = Cell(
        site=site.name,
        ours=mine,
        theirs=other,
        paired=_paired(asked, question, mine, other),
        crashed=tuple(len(arm.failed) for arm in (ours, theirs) if arm is not None),
    )
    return question, replace(cell, out=_shortfall(cell))


def _by_seed(scores: SeedScores) -> dict[int, float]:
    return dict(zip(scores.seeds, scores.values, strict=True))


def _shortfall(cell: Cell) -> str:
    """Return why a site's seeds can carry no estimate with an error; "" where they can."""
    named = [("the method", cell.ours), ("the baseline", cell.theirs)]
    said = [
        Sample.of([*values.values()], crashed=crashed).shortfall(name, DEFAULT)
        for (name, values), crashed in zip(named, cell.crashed, strict=False)
        if values is not None
    ]
    return "; ".join(one for one in said if one)


def _paired(
    asked: Asked, question: Question, ours: dict[int, float], theirs: dict[int, float] | None
) -> dict[int, float] | None:
    """Return the differences seed by seed where the file declares what a seed fixes in both."""
    if asked.baseline is None or theirs is None:
        return None
    fixed = [set(one.seeds.fixes.get(())) for one in (question.method, asked.baseline)]
    if not fixed[0] & fixed[1] & SHARED:
        return None
    both = {seed: value - theirs[seed] for seed, value in ours.items() if seed in theirs}
    return both if len(both) > 1 else None


def arms_of(cells: Sequence[Cell], sign: int) -> list[SiteArm]:
    """Return the arms of the sites that count, as the statistics take them."""
    paired = [cell.paired for cell in cells if cell.paired is not None]
    if len(paired) == len(cells):
        return [SiteArm(sign=sign, sites=tuple(paired))]
    arms = [SiteArm(sign=sign, sites=tuple(cell.ours for cell in cells))]
    theirs = [cell.theirs for cell in cells if cell.theirs is not None]
    return [*arms, SiteArm(sign=-sign, sites=tuple(theirs))] if theirs else arms


# --- what it is held against --------------------------------------------------------------------


def _gain_frame(asked: Asked, question: Question, cells: Sequence[Cell]) -> Frame:
    claim, baseline = asked.claim, _baseline(asked)
    found = [_mean(cell.theirs) for cell in cells if cell.theirs]
    rerun = sum(found) / len(found) if found else None
    stated = stated_gain(question.claims, claim, baseline, question.dataset, rerun)
    if stated.value <= 0:
        raise Inapplicable(f"`{claim.improvement.path}` is {claim.improvement}: no gain is claimed")
    reported, said = _published(asked, question)
    half = DEFAULT.rho * stated.value
    numbers = Numbers(stated.unit)
    words = f"half the claimed gain ({numbers.signed(half)})"
    if stated.unit > half:
        words = f"one unit of the last reported digit ({numbers.signed(stated.unit)})"
    return Frame(
        sign=question.sign, theta=max(half, stated.unit), said=words, unit=stated.unit,
        claimed=stated.value, claimed_text=claim.improvement.text,
        reported=reported, caveats=(*stated.said, *said),
    )  # fmt: skip


def _better_frame(asked: Asked, question: Question, _: Sequence[Cell]) -> Frame:
    reported, said = _published(asked, question)
    return Frame(
        sign=question.sign, theta=0.0, said="zero", unit=last_digit(asked.claim.value.text),
        claimed=0.0, claimed_text=f"better than {_baseline(asked).id}", reported=reported,
        caveats=said,
    )  # fmt: skip


def _baseline(asked: Asked) -> Method:
    if asked.baseline is None:
        raise Inapplicable("a gain is claimed over no baseline")
    return asked.baseline


def _published(asked: Asked, question: Question) -> tuple[Summary | None, tuple[str, ...]]:
    """Return a baseline that no site could run, as the paper reports it."""
    if has_command(_baseline(asked)):
        return None, ()
    sample, said = question.baseline(_baseline(asked))
    return sample.finished, said


def _value_frame(asked: Asked, question: Question, cells: Sequence[Cell]) -> Frame:
    claim = asked.claim
    reported, said = reported_value(question)
    unit = last_digit(claim.value.text)
    known = [one for one in (*map(_summary, cells), reported) if one.sd is not None]
    spread = 2 * pooled_sd(*known)[0] if known else 0.0
    margin, origin = max(spread, unit), "twice the spread over seeds"
    if unit >= spread:
        origin = "one unit of the last reported digit"
    declared = next((leaf.value for leaf in (claim.margin, claim.tolerance) if leaf.known), None)
    if declared is not None and declared <= margin:
        margin, origin = declared, "as declared"
    elif declared is not None:
        said += (f"the declared margin {declared:g} is wider than repcheck's and is not used",)
    oriented = Summary(mean=question.sign * reported.mean, sd=reported.sd, n=reported.n)
    side = "less" if question.sign > 0 else "plus"
    words = f"the reported value {side} the margin ({Numbers(unit).plain(margin)}, {origin})"
    return Frame(
        sign=question.sign, theta=-margin, said=words, unit=unit, claimed=reported.mean,
        claimed_text=claim.value.text, reported=oriented, caveats=said,
    )  # fmt: skip


def _bound_frame(asked: Asked, _: Question, __: Sequence[Cell]) -> Frame:
    least = asked.kind == "at_least"
    leaf = asked.claim.at_least if least else asked.claim.at_most
    side = "at least" if least else "at most"
    sign = 1 if least else -1
    return Frame(
        sign=sign, theta=sign * leaf.value, said=f"the claimed {side} {leaf.text}",
        unit=last_digit(leaf.text), claimed=leaf.value, claimed_text=f"{side} {leaf.text}",
    )  # fmt: skip


FRAMES: dict[Kind, Callable[[Asked, Question, Sequence[Cell]], Frame]] = {
    "gain": _gain_frame,
    "value": _value_frame,
    "at_least": _bound_frame,
    "at_most": _bound_frame,
    "better": _better_frame,
}


def _summary(cell: Cell) -> Summary:
    return Summary.of([*cell.ours.values()])


def _mean(values: dict[int, float]) -> float:
    return Summary.of([*values.values()]).mean
