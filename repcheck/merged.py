"""What several sites say of each claim together: estimates a site, one summary, one verdict.

The site stays a factor: seeds are never pooled into one sample. Sites whose seeds carry no verdict
are kept out of a claim by name. The three-way rule is that of a single check, with the bounds of
`stats.sites` in place of Welch's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from repcheck.answer import NOT_RUN, ORIENTED, Reproduction
from repcheck.errors import Inapplicable, Missing
from repcheck.merge_asked import FRAMES, Asked, Cell, Frame, arms_of, asked_of, cell_of
from repcheck.merge_sites import Site
from repcheck.question import Question, unruled
from repcheck.reproduction import question_of, reproduce
from repcheck.stats.compare import Interval, Summary, one_sample, welch
from repcheck.stats.criteria import DEFAULT
from repcheck.stats.decision import GainClaim, snapped, three_way
from repcheck.stats.gain import GAIN_TAILS, gain_details
from repcheck.stats.sites import PREDICTION, OverSites, over_sites
from repcheck.stats.wording import Numbers, percent

Json = dict[str, Any]
WORST_FIRST = ("not-reproduced", NOT_RUN, "inconclusive", "reproduced")
TEST = "Hartung-Knapp t"
FEWEST_FOR_SPREAD = 3


def merged_claim(sites: Sequence[Site], index: int, twins: Mapping[str, str]) -> Json:
    """Return what the sites say of one claim, each of its numbers by itself.

    `twins` are sites all of whose values are those of another: beside others they count once.
    """
    first = sites[0].claims
    claim = first.claims[index]
    metric = first.metrics.get(claim.metric.get(""))
    parts = _parts(sites, index, twins)
    return {
        "id": claim.id.get(""),
        "text": claim.text.get(""),
        "type": claim.kind,
        "method": claim.method.get(""),
        "baselines": list(claim.baselines.get(())),
        "dataset": claim.dataset.get(""),
        "metric": claim.metric.get(""),
        "unit": metric.unit.get("") if metric else "",
        "higher_is_better": metric.higher_is_better.get(True) if metric else None,
        "where": claim.place.to_json(),
        "paper_where": claim.where.get(""),
        "verdict": min((part["verdict"] for part in parts), key=WORST_FIRST.index),
        "parts": parts,
    }


def _parts(sites: Sequence[Site], index: int, twins: Mapping[str, str]) -> list[Json]:
    first = sites[0]
    claim = first.claims.claims[index]
    single = [reproduce(site.claims, site.claims.claims[index], site.evidence) for site in sites]
    asked = list(asked_of(first.claims, claim))
    try:
        what = _unmerged(question_of(first.claims, claim, first.evidence))
        reason = f"no verdict rule yet for {what}" if what else ""
    except (Missing, Inapplicable) as gap:
        reason = gap.would_decide if isinstance(gap, Missing) else str(gap)
    if reason or not asked:
        told = asked[:1] if claim.improvement.known else []
        asked = told or [Asked(kind="value", claim=claim)]
        reason = reason or "no number of this claim can be compared between sites"
        return [_unjudged(asked[0], sites, [each[0] for each in single], reason)]
    made = []
    for nth, one in enumerate(asked):
        found = [cell_of(one, site, index) for site in sites]
        cells = [replace(cell, same_as=twins.get(cell.site, "")) for _, cell in found]
        question = next((known for known, _ in found if known is not None), None)
        own = [_of(each, nth, len(asked)) for each in single]
        if question is None:
            made.append(_unjudged(one, sites, own, cells[0].out))
        else:
            made.append(_part(one, sites, (question, cells), own))
    return made


def _unmerged(question: Question) -> str | None:
    """Return what is judged at no site, or at each site but not over them."""
    if len(question.datasets) > 1:
        return f"a claim over several datasets ({', '.join(question.datasets)}) at several sites"
    if question.claim.kind == "equivalence":
        return "an equivalence at several sites"
    return unruled(question)


def _of(parts: Sequence[Reproduction], nth: int, count: int) -> Reproduction:
    """Return a site's own verdict on a number; a site that could ask nothing has one for all."""
    return parts[nth] if len(parts) >= count else parts[0]


def _part(
    asked: Asked,
    sites: Sequence[Site],
    found: tuple[Question, Sequence[Cell]],
    single: Sequence[Reproduction],
) -> Json:
    question, cells = found
    counted = [cell for cell in cells if not cell.out]
    try:
        frame = FRAMES[asked.kind](asked, question, counted)
    except (Missing, Inapplicable) as gap:
        why = gap.would_decide if isinstance(gap, Missing) else str(gap)
        return _unjudged(asked, sites, single, why)
    listed = [_site(cell, asked, frame, one) for cell, one in zip(cells, single, strict=True)]
    caveats = [*frame.caveats]
    if asked.gain and question.sign < 0:
        caveats.append(ORIENTED)
    caveats += [_crashed(cell) for cell in counted if any(cell.crashed)]
    return (
        _head(asked, frame)
        | _judged(asked, frame, cells)
        | {
            "sites": listed,
            "caveats": caveats,
        }
    )


def _crashed(cell: Cell) -> str:
    n = sum(cell.crashed)
    return f"{n} of {sum(cell.n) + n} runs at {cell.site} failed and are counted, not dropped"


def _head(asked: Asked, frame: Frame | None) -> Json:
    """Return what is asked; the claimed number is that of the file where nothing else is known."""
    claim = asked.claim
    leaf = claim.improvement if claim.improvement.known else claim.value
    return {
        "kind": asked.kind,
        "axis": "gain" if asked.gain else "value",
        "baseline": asked.baseline.id if asked.baseline else None,
        "claimed": frame.claimed if frame else leaf.get(None),  # type: ignore[arg-type]
        "claimed_text": frame.claimed_text if frame else leaf.text,
    }


def _unjudged(
    asked: Asked, sites: Sequence[Site], single: Sequence[Reproduction], why: str
) -> Json:
    listed = [
        _told(one) | {"site": site.name, "estimate": None, "se": None, "interval": None,
                      "level": None, "n": [], "crashed": [], "same_as": "", "kept_out": why}
        for site, one in zip(sites, single, strict=True)
    ]  # fmt: skip
    return _head(asked, None) | {
        "sites": listed,
        "over_sites": None,
        "verdict": NOT_RUN,
        "detail": "",
        "rule": f"Not run: {why}.",
        "caveats": [],
    }


def _told(own: Reproduction) -> Json:
    """Return a site's verdict as its own check gives it."""
    return {"verdict": own.verdict, "detail": own.detail, "rule": own.rule}


def _site(cell: Cell, asked: Asked, frame: Frame, own: Reproduction) -> Json:
    """Return a site's row: its estimate on the claim's axis, and its own verdict."""
    interval = None if cell.out else _own_interval(cell, frame, asked_gain=asked.gain)
    axis = 1 if asked.gain else frame.sign
    ends = sorted((axis * interval.low, axis * interval.high)) if interval else None
    return _told(own) | {
        "site": cell.site,
        "estimate": axis * interval.estimate if interval else None,
        "se": interval.se if interval else None,
        "interval": ends,
        "level": interval.level if interval else None,
        "n": list(cell.n),
        "crashed": list(cell.crashed),
        "kept_out": cell.out,
        "same_as": cell.same_as,
    }


def _own_interval(cell: Cell, frame: Frame, *, asked_gain: bool) -> Interval:
    """Return a site's own estimate: Welch's, or the paired t; less what no site ran for a gain."""
    alpha = DEFAULT.alpha
    if cell.paired is not None:
        return one_sample(_summary(cell.paired, frame.sign), alpha)
    ours = _summary(cell.ours, frame.sign)
    if cell.theirs is not None:
        return welch(ours, _summary(cell.theirs, frame.sign), alpha)
    if asked_gain and frame.reported is not None:
        return welch(ours, frame.reported, alpha)
    return one_sample(ours, alpha)


def _summary(values: dict[int, float], sign: int) -> Summary:
    return Summary.of([sign * value for value in values.values()])


# --- the verdict over sites ---------------------------------------------------------------------


def _judged(asked: Asked, frame: Frame, cells: Sequence[Cell]) -> Json:
    counted = _counted(cells)
    if len(counted) < 2:
        only = f"only {counted[0].site} has" if counted else "no site has"
        return {
            "over_sites": None,
            "verdict": "inconclusive" if counted else NOT_RUN,
            "detail": "",
            "rule": f"No verdict over sites: {only} seeds that can carry an estimate.",
        }
    over = over_sites(arms_of(counted, frame.sign), reported=frame.reported, alpha=DEFAULT.alpha)
    if over.interval.df is None:
        size = max(map(abs, (*over.estimates, frame.theta)))
        over = replace(over, interval=snapped(over.interval, (frame.theta, 0.0), size))
    verdict = _verdict(asked, over.interval, frame)
    details = _details(asked, verdict, over, frame)
    return {
        "over_sites": _over(asked, over, frame),
        "verdict": verdict,
        "detail": ", ".join(details),
        "rule": _rule(asked, verdict, over, frame, cells) + _tails(asked, details) + ".",
    }


def _counted(cells: Sequence[Cell]) -> list[Cell]:
    """Return the sites that enter the summary: twins once, unless nothing else is left."""
    able = [cell for cell in cells if not cell.out]
    once = [cell for cell in able if not cell.same_as]
    return once if len(once) > 1 else able


def _verdict(asked: Asked, interval: Interval, frame: Frame) -> str:
    # A threshold is reached by a bound that equals it, as in a single check; so is a margin by two
    # numbers without spread.
    exact = interval.df is None and asked.kind == "value"
    if (asked.kind in {"at_least", "at_most"} or exact) and interval.low >= frame.theta:
        return "reproduced"
    return three_way(interval, frame.theta)


def _details(asked: Asked, verdict: str, over: OverSites, frame: Frame) -> tuple[str, ...]:
    if asked.kind == "gain":
        claim = GainClaim(claimed=frame.claimed, unit=frame.unit)
        return gain_details(verdict, over.interval, claim)  # type: ignore[arg-type]
    found = ["reversed"] if asked.kind == "better" and verdict == "not-reproduced" else []
    return (*found, "deterministic") if over.interval.df is None else tuple(found)


def _tails(asked: Asked, details: Sequence[str]) -> str:
    if asked.kind != "gain":
        return ""
    return "".join(GAIN_TAILS.get(one, "") for one in details)  # type: ignore[call-overload]


def _axis(asked: Asked, frame: Frame, value: float) -> float:
    """Return a number of the summary, which is oriented, on the claim's own axis."""
    return value if asked.gain else frame.sign * value


def _span(
    asked: Asked, frame: Frame, ends: tuple[float, float] | None, back: float = 0.0
) -> list[float] | None:
    if ends is None:
        return None
    return sorted(_axis(asked, frame, end + back) for end in ends)


def _over(asked: Asked, over: OverSites, frame: Frame) -> Json:
    interval, between = over.interval, over.between
    # A value is shown as it is and not as its difference from what the paper reports.
    back = frame.reported.mean if frame.reported and not asked.gain else 0.0
    away = frame.reported.mean if frame.reported and asked.gain else 0.0
    seen = over.prediction and (over.prediction[0] - away, over.prediction[1] - away)
    told = between.k >= FEWEST_FOR_SPREAD
    prediction = _span(asked, frame, seen)
    return {
        "k": over.k,
        "estimate": _axis(asked, frame, interval.estimate + back),
        "se": interval.se,
        "df": interval.df,
        "interval": _span(asked, frame, (interval.low, interval.high), back),
        "level": interval.level,
        "test": TEST if interval.df is not None else "exact comparison",
        "tau": between.tau if told else None,
        "tau_interval": [between.tau_low, between.tau_high] if told else None,
        "tau_level": 0.95 if told else None,
        "i2": between.i2 if told else None,
        "q": between.q,
        "q_df": between.k - 1,
        "q_p": between.p,
        "prediction": prediction,
        "prediction_level": PREDICTION if prediction else None,
        "claimed_within_prediction": (
            prediction[0] <= frame.claimed <= prediction[1] if prediction else None
        ),
        "seeds": over.shared,
        "shares": dict(over.shares),
    }


def _rule(asked: Asked, verdict: str, over: OverSites, frame: Frame, cells: Sequence[Cell]) -> str:
    """Return the verdict's sentence: what over how many sites, its interval, the spread."""
    numbers, made = Numbers(frame.unit), _over(asked, over, frame)
    show = numbers.signed if asked.gain else numbers.plain
    what = f"the gain over `{asked.baseline.id}`" if asked.baseline else "the mean"
    ends = ", ".join(show(end) for end in made["interval"])
    basis = f"{percent(made['level'])}, {made['test']}, {_degrees(made['df'])}"
    basis += ", with the error of the reported number" if frame.reported else ""
    counted = _counted(cells)
    sites = f"{over.k} sites" if len(counted) == len(cells) else f"{over.k} of {len(cells)} sites"
    said = f"Over {sites} ({_counts(counted)}) {what} is {show(made['estimate'])}"
    said += f" [{ends}] ({basis}): {_place(asked, verdict, frame)}"
    return f"{said}; {spread_words(made, show, numbers.plain)}"


def _degrees(df: float | None) -> str:
    return "no spread at all" if df is None else f"{df:.3g} df"


def _place(asked: Asked, verdict: str, frame: Frame) -> str:
    if verdict == "inconclusive":
        return f"it may lie on either side of {frame.said}"
    better = verdict == "reproduced"
    if asked.kind in {"at_least", "at_most"}:
        return f"the whole interval {'meets' if better else 'misses'} {frame.said}"
    above = better if frame.sign > 0 or asked.gain else not better
    return f"the whole interval lies {'above' if above else 'below'} {frame.said}"


def spread_words(over: Json, show: Any, plain: Any) -> str:  # noqa: ANN401
    """Return how far sites are apart, and what a new one would see."""
    if over["tau"] is None:
        return f"the spread between sites cannot be told from {over['k']} of them"
    low, high = over["tau_interval"]
    ends = ", ".join(show(end) for end in over["prediction"])
    return (
        f"between-site sd {plain(over['tau'])} [{plain(low)}, {plain(high)}] (95 %, Q profile);"
        f" a new site would see [{ends}] (95 %)"
    )


def _counts(cells: Sequence[Cell]) -> str:
    """Return `n = 5 + 5 each`, or every site's own count."""
    each = [" + ".join(map(str, cell.n)) for cell in cells]
    if len(set(each)) == 1:
        return f"n = {each[0]} each"
    return "n = " + ", ".join(f"{n} at {cell.site}" for n, cell in zip(each, cells, strict=True))
