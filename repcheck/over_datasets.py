"""A claim over several datasets: the mean over all of them is judged, and never over fewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from repcheck.answer import DatasetPart, Reproduction, answered
from repcheck.claims.model import Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.facts.gains import last_digit, stated_gain
from repcheck.question import Question, published
from repcheck.stats.collapse import Arms, changes, collapsed, surviving, told
from repcheck.stats.compare import Summary, differences, one_sample
from repcheck.stats.decision import RERUN, Decision, GainClaim, Sample, ValueClaim
from repcheck.stats.gain import OURS, THEIRS
from repcheck.stats.overall import Cell, Overall, decide_mean_value, decide_over_cells

AVERAGE = "the value is read as the average over these datasets"
RELATIVE = "gains are in percent of the baseline's value on each dataset, and so is their mean"
# A dataset that failed says more than one that nobody ran.
_GRAVEST = (Reason.COMMAND_FAILED, Reason.NO_COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """What is claimed of the mean: a gain, or with `claim` None only a direction."""

    claim: GainClaim | None
    unit: float
    text: str
    said: tuple[str, ...] = ()


def gain_over_datasets(question: Question, baseline: Method) -> Reproduction:
    """Return the verdict on the mean difference over a claim's datasets, a gain or a direction.

    Raises:
        Missing: if a dataset was not rerun, or a value that the gain is relative to is not stated.
        Inapplicable: if no gain is claimed.
    """
    asked, given, said = _asked(question, baseline)
    stated, arms = _stated(question, baseline, given)

    def decide(both: Mapping[str, Arms]) -> Overall:
        cells = {name: _cell(one) for name, one in both.items()}
        return decide_over_cells(cells, stated.claim, question.criteria, unit=stated.unit)

    over = decide(arms)
    counts = {name: collapsed(*one.given) for name, one in arms.items()}
    seen = [
        words
        for name, one in arms.items()
        for words in told(one, counts[name], _names(name, OURS, THEIRS))
    ]
    others = (
        (words, decide(both).decision) for words, both in _changed(arms, counts, OURS, THEIRS)
    )
    decision = surviving(over.decision, seen, others)
    cut = tuple(words for one in asked for words in one.cut_short(question.method, baseline))
    found = answered(
        decision,
        question,
        tuple(dict.fromkeys((*stated.said, *said, *cut))),
        collapsed=tuple(sum(counts[name][arm] for name in arms) for arm in (0, 1)),
        seeds=sum(one.ours.n for one in arms.values()),
    )
    return replace(
        found,
        axis="gain",
        baseline=baseline.id,
        claimed=stated.claim.claimed if stated.claim else 0.0,
        claimed_text=stated.text,
        observed=_mean([_observed(one) for one in arms.values()]),
        datasets=tuple(_part(name, one, over) for name, one in arms.items()),
    )


def _asked(
    question: Question, baseline: Method
) -> tuple[list[Question], dict[str, Arms], tuple[str, ...]]:
    """Return both arms on every dataset, or raise `Missing` naming those that lack one."""
    asked = [question.on(name) for name in question.datasets]
    arms: dict[str, Arms] = {}
    gaps: dict[str, Missing] = {}
    said: list[str] = []
    for one in asked:
        try:
            arms[one.dataset], words = one.arms(baseline)
        except Missing as missing:
            gaps[one.dataset] = missing
        else:
            said += words
    _whole(question, gaps)
    return asked, arms, tuple(said)


def _whole(question: Question, gaps: Mapping[str, Missing]) -> None:
    """Raise unless every dataset was run: a mean over those that were is another claim's."""
    if not gaps:
        return
    reasons = [gap.reason for gap in gaps.values()]
    reason = next((one for one in _GRAVEST if one in reasons), reasons[0])
    missing = "; ".join(f"`{name}`: {gap.would_decide}" for name, gap in gaps.items())
    raise Missing(
        reason,
        f"the claim is about {len(question.datasets)} datasets and {len(gaps)} of them"
        f" {'is' if len(gaps) == 1 else 'are'} missing ({missing}); the mean over the others"
        " would be another claim's",
    )


def _stated(
    question: Question, baseline: Method, arms: Mapping[str, Arms]
) -> tuple[_Stated, Mapping[str, Arms]]:
    """Return what is claimed of the mean, and both arms in the unit in which it is claimed.

    A relative gain over several datasets is the mean of the relative gains on each: else the
    dataset with the largest numbers would carry it alone.
    """
    claim = question.claim
    if not claim.improvement.known:
        unit = last_digit(claim.value.text)
        return _Stated(claim=None, unit=unit, text=f"better than {baseline.id}"), arms
    gains = []
    for name, one in arms.items():
        rerun = one.theirs.finished.mean if one.theirs and one.theirs.finished else None
        gains.append(stated_gain(question.claims, claim, baseline, name, rerun))
    claimed, unit = fmean(one.value for one in gains), max(one.unit for one in gains)
    if claimed <= 0:
        raise Inapplicable(f"`{claim.improvement.path}` is {claim.improvement}: no gain is claimed")
    tolerance = claim.tolerance.value if claim.tolerance.known else None
    said = tuple(f"on `{n}` {w}" for n, one in zip(arms, gains, strict=True) for w in one.said)
    if claim.relative:
        percent = claim.improvement.value
        if none := [name for name, one in zip(arms, gains, strict=True) if one.value <= 0]:
            raise Inapplicable(f"a gain relative to 0 (`{baseline.id}` on {', '.join(none)})")
        times = [percent / one.value for one in gains]
        arms = {n: _times(one, by) for (n, one), by in zip(arms.items(), times, strict=True)}
        claimed, unit = percent, last_digit(claim.improvement.text)
        tolerance, said = None, (*said, RELATIVE)
    stated = _Stated(
        claim=GainClaim(claimed=claimed, unit=unit, tolerance=tolerance),
        unit=unit,
        text=claim.improvement.text,
        said=said,
    )
    return stated, arms


def _times(arms: Arms, by: float) -> Arms:
    pairs = None if arms.pairs is None else [(a * by, b * by) for a, b in arms.pairs]
    theirs = _scaled(arms.theirs, by) if arms.theirs else None
    return Arms(ours=_scaled(arms.ours, by), theirs=theirs, pairs=pairs)


def _scaled(sample: Sample, by: float) -> Sample:
    done = sample.finished
    finished = done and replace(
        done, mean=done.mean * by, sd=None if done.sd is None else done.sd * by
    )
    return replace(sample, finished=finished, values=tuple(one * by for one in sample.values))


def _cell(arms: Arms) -> Cell:
    pairs = None
    if arms.pairs is not None and len(arms.pairs) > 1:
        pairs = differences([a for a, _ in arms.pairs], [b for _, b in arms.pairs])
    return Cell(ours=arms.ours, theirs=arms.theirs or Sample(finished=None), pairs=pairs)


def _names(dataset: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{name} on {dataset}" for name in names)


def _changed(
    arms: Mapping[str, Arms], counts: Mapping[str, tuple[int, ...]], *names: str
) -> Iterator[tuple[str, dict[str, Arms]]]:
    for dataset, one in arms.items():
        for words, other in changes(one, counts[dataset], _names(dataset, *names)):
            yield words, {**arms, dataset: other}


def _observed(arms: Arms) -> float | None:
    ours, theirs = arms.ours.finished, arms.theirs.finished if arms.theirs else None
    return ours.mean - theirs.mean if ours and theirs else None


def _mean(values: list[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return fmean(known) if len(known) == len(values) else None


def _part(name: str, arms: Arms, over: Overall) -> DatasetPart:
    interval = over.intervals[name]
    p = over.gate.cells.get(name) if over.gate else None
    return DatasetPart(
        dataset=name,
        observed=_observed(arms),
        interval=(interval.low, interval.high) if interval else None,
        n_method=arms.ours.n,
        n_baseline=arms.theirs.n if arms.theirs else None,
        p=p,
        shown=None if p is None or over.gate is None else name in over.gate.shown,
    )


# --- a value that is an average ---------------------------------------------------------------


def value_over_datasets(question: Question) -> Reproduction:
    """Return the verdict on a value that is an average over a claim's datasets.

    Raises:
        Missing: if a dataset was not rerun.
    """
    claim, sign = question.claim, question.sign
    asked = [question.on(name) for name in question.datasets]
    samples: dict[str, Sample] = {}
    gaps: dict[str, Missing] = {}
    for one in asked:
        try:
            samples[one.dataset] = one.sample(question.method)
        except Missing as missing:
            gaps[one.dataset] = missing
    _whole(question, gaps)
    reported, said = _reported(question)
    value = claim.value.value
    bare = ValueClaim(
        reported=Summary(mean=sign * value, sd=None, n=1), unit=last_digit(claim.value.text)
    )

    def decide(given: Mapping[str, Sample], about: ValueClaim) -> Decision:
        cells = {name: (one, reported[name]) for name, one in given.items()}
        return decide_mean_value(cells, about, question.criteria)

    default = decide(samples, bare).theta
    margin = next((leaf.value for leaf in (claim.margin, claim.tolerance) if leaf.known), None)
    about = bare if margin is None or margin > -default else replace(bare, margin=margin)
    if margin is not None and about is bare:
        said += (f"the declared margin {margin:g} is wider than repcheck's and is not used",)
    arms = {name: Arms(ours=one) for name, one in samples.items()}
    counts = {name: collapsed(*one.given) for name, one in arms.items()}
    seen = [w for n, one in arms.items() for w in told(one, counts[n], _names(n, RERUN))]
    others = (
        (words, decide({name: one.ours for name, one in given.items()}, about))
        for words, given in _changed(arms, counts, RERUN)
    )
    decision = surviving(decide(samples, about), seen, others)
    ends = decision.interval and sorted(
        value + sign * end for end in (decision.interval.low, decision.interval.high)
    )
    means = [sign * one.finished.mean if one.finished else None for one in samples.values()]
    return replace(
        answered(
            decision,
            question,
            said + tuple(w for one in asked for w in one.cut_short(question.method)),
            collapsed=(sum(sum(one) for one in counts.values()),),
            seeds=sum(one.n for one in samples.values()),
        ),
        claimed=value,
        claimed_text=claim.value.text,
        observed=_mean(means),
        interval=(ends[0], ends[1]) if ends else None,
        n_baseline=None,
        datasets=tuple(_value_part(name, one, question) for name, one in samples.items()),
    )


def _reported(question: Question) -> tuple[dict[str, Summary], tuple[str, ...]]:
    """Return what the paper says of each dataset: its rows if their mean is the claimed value.

    Where rows are lacking the claimed average stands for each, as one seed.

    Raises:
        Missing: if the value is that of one row and no average of theirs: it may be about either.
    """
    value, sign = question.claim.value, question.sign
    rows = {name: question.on(name).row(question.method) for name in question.datasets}
    own = {n: row for n, row in rows.items() if row is not None and row.dataset.known}
    stated = [row.centre.value for row in own.values() if row.mean.known]
    unit = last_digit(value.text)
    if len(stated) == len(rows) and abs(fmean(stated) - value.value) <= unit:
        made = {name: published(row) for name, row in own.items()}
        said = tuple(dict.fromkeys(words for _, each in made.values() for words in each))
        oriented = {n: replace(one, mean=sign * one.mean) for n, (one, _) in made.items()}
        return oriented, (AVERAGE, *said)
    if len(stated) == len(rows) and any(abs(one - value.value) <= unit for one in stated):
        raise Missing(
            Reason.CONFLICTING_EVIDENCE,
            f"make `{value.path}` ({value.text}) the average of its rows ({fmean(stated):g}), or"
            " claim it on the one dataset whose row it is",
        )
    single = Summary(mean=sign * value.value, sd=None, n=1)
    words = "the paper's values on each dataset are not stated: its average is taken as one seed's"
    return dict.fromkeys(rows, single), (AVERAGE, words)


def _value_part(name: str, sample: Sample, question: Question) -> DatasetPart:
    done, sign = sample.finished, question.sign
    interval = one_sample(done, question.criteria.alpha) if done and done.sd is not None else None
    ends = sorted((sign * interval.low, sign * interval.high)) if interval else None
    return DatasetPart(
        dataset=name,
        observed=sign * done.mean if done else None,
        interval=(ends[0], ends[1]) if ends else None,
        n_method=sample.n,
    )
