"""Whether a baseline was evaluated as it was trained, by what its model was fed and in which mode.

The part of RC503 that rests on runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Dataset
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.feeds import CLEAR, Feed, Feeds, Hit, hit
from repcheck.facts.rescued import Change, Rescue, Rescued
from repcheck.rule import Cleared, Flagged, Kind, Outcome, Severity, Undetermined
from repcheck.units import decimals_for

MODES = frozenset(
    {
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"),
        "batch_norm",
    }
)
LIMIT = (
    "a mean 0.25 standard deviations away, or a range off by a factor of 2; not what happens within"
    " the model"
)


def protocol_seen(
    comparison: Comparison, claims: Claims, feeds: Feeds, rescued: Rescued
) -> list[Outcome]:
    """Return what the runs say of how the baseline was evaluated; nothing where none tells."""
    try:
        theirs = feeds.of(comparison.baseline, comparison.dataset)
    except Missing:
        return []
    found: list[Outcome] = [*_mode(comparison, feeds, theirs)]
    try:
        struck = hit(comparison, feeds)
    except Missing as missing:
        return [*found, *_unseen(comparison, theirs, missing)]
    stated = _shift_stated(claims.datasets.get(comparison.dataset)) or _trained_elsewhere(
        comparison
    )
    if struck is not None and not (struck.shared and stated):
        return [*found, *_struck(comparison, struck, rescued)]
    if not found:
        found.append(_as_trained(comparison, feeds, theirs))
    return found


def _unseen(comparison: Comparison, theirs: Feed, missing: Missing) -> Iterator[Undetermined]:
    """Yield that the method was not seen, where the baseline was seen to be evaluated otherwise."""
    try:
        apart = theirs.apart()
    except Missing:
        return
    if apart is not None:
        yield Undetermined(
            message=f"`{comparison.baseline.id}` is evaluated {apart.words}; whether"
            f" `{comparison.method.id}` is hit alike was not seen",
            reason=missing.reason,
            would_decide=missing.would_decide,
            seen=theirs.quantities(),
        )


def _shift_stated(dataset: Dataset | None) -> bool:
    if dataset is None:
        return False
    ood = dataset.ood.get(False) or dataset.protocol.get("standard") == "ood"
    return dataset.known_shift.known or ood


def _trained_elsewhere(comparison: Comparison) -> bool:
    """Return whether the baseline is stated to be trained on other data than it is tested on."""
    where = comparison.dataset
    return bool(where) and comparison.baseline.train_data.get(where) != where


def _as_trained(comparison: Comparison, feeds: Feeds, theirs: Feed) -> Cleared:
    seen = theirs.quantities()
    if theirs.apart() is None:
        words = f"`{comparison.baseline.id}` is evaluated on the input that it is trained on"
        return Cleared(message=words, seen=seen, limit=f"{_order_limit(theirs)}; {LIMIT}")
    ours = feeds.of(comparison.method, comparison.dataset)
    return Cleared(
        message=f"the test input differs from that of training for `{comparison.baseline.id}` as it"
        f" does for `{comparison.method.id}`, or as the test set is stated to",
        seen=(*seen, *ours.quantities()),
        limit=f"{_order_limit(theirs)}; {LIMIT}",
    )


def _order_limit(feed: Feed) -> str:
    """Return whether another order of channels would have been seen."""
    train = feed.train
    if train is None or train.by != "channel" or len(train.mean) == 1:
        return "no order of channels (none were told apart)"
    if max(train.mean) - min(train.mean) <= 2 * CLEAR * max(train.sd):
        return "no order of channels (their means are alike)"
    return "channels in another order"


def _struck(comparison: Comparison, struck: Hit, rescued: Rescued) -> Iterator[Outcome]:
    """Yield the mismatch, and what the arms show that undo it."""
    baseline, method = comparison.baseline, comparison.method
    shown = rescued.of(comparison)
    decided = [one for one in shown if isinstance(one, Rescue)]
    harmless = bool(decided) and not any(one.raises and one.alone for one in decided)
    theirs_alone = struck.shared and struck.apart.why == "mean"
    weight = Severity.MINOR if harmless or theirs_alone else None
    beside = "the test inputs of both are alike" if struck.shared else "is not hit alike"
    words = beside if struck.shared else f"`{method.id}` {beside}"
    yield Flagged(
        message=f"`{baseline.id}` is trained on one form of the input and evaluated"
        f" {struck.apart.words}; {words}",
        kind=Kind.ASYMMETRY,
        severity=weight,
        seen=(*struck.theirs.quantities(), *struck.ours.quantities()),
        at=baseline.place,
    )
    for one in shown:
        yield _rescue(one)


def _rescue(shown: Rescue | Missing) -> Outcome:
    if isinstance(shown, Missing):
        return Undetermined(
            message="what the baseline would score on the input it was trained on is not decided:"
            f" {shown.would_decide}",
            reason=shown.reason,
            would_decide=shown.would_decide,
        )
    words = _scores(shown)
    if shown.raises and shown.alone:
        left = shown.ours.before - shown.theirs.after
        digits = decimals_for(shown.claimed)
        return Flagged(
            message=f"{words}; the claimed {shown.claimed:+.{digits}f} becomes {left:+.{digits}f}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=_quantities(shown),
            at=shown.claim.place,
            fix="Evaluate the baseline on the input that it is trained on, and compare with that.",
        )
    why = "as the method does" if shown.raises else "no more than chance or a quarter of the gain"
    return Cleared(
        message=f"{words}: the baseline gains {why}",
        seen=_quantities(shown),
        limit=f"would have seen more than {max(3 * shown.theirs.se, 0.25 * shown.claimed):.3g}",
    )


def _scores(shown: Rescue) -> str:
    """Return both scores of both methods in one clause."""
    metric = shown.claim.metric.get("")
    theirs, ours = shown.theirs, shown.ours
    return (
        f"evaluated with `{shown.transform}`, `{theirs.method}` scores"
        f" {_score(theirs.after, theirs.sd_after, shown)} instead of"
        f" {_score(theirs.before, theirs.sd_before, shown)} {metric} (n = {theirs.n} seeds), and"
        f" `{ours.method}` {_score(ours.after, ours.sd_after, shown)} instead of"
        f" {_score(ours.before, ours.sd_before, shown)}"
    )


def _score(value: float, sd: float, shown: Rescue) -> str:
    return f"{shown.sign * value:.4g} ± {sd:.2g}"


def _quantities(shown: Rescue) -> tuple[Quantity, ...]:
    return tuple(_quantity(one, shown) for one in (shown.theirs, shown.ours))


def _quantity(one: Change, shown: Rescue) -> Quantity:
    return Quantity(
        name=f"{one.method}.gain by {shown.transform}",
        value=round(one.gain, 6),
        unit=shown.claim.metric.get(""),
        level=Level.RERUN,
        source=", ".join(f"run {key[:12]}" for key in one.keys[:3]),
    )


def _mode(comparison: Comparison, feeds: Feeds, theirs: Feed) -> Iterator[Outcome]:
    """Find a baseline alone that is evaluated in training mode."""
    if not _in_training(theirs):
        return
    baseline, method = comparison.baseline, comparison.method
    seen = theirs.tested.quantity("mode of the final evaluation", "training", "")
    parts = _parts(theirs)
    if parts == "":
        return
    words = f"`{baseline.id}` is evaluated in training mode"
    try:
        ours = feeds.of(method, comparison.dataset)
    except Missing as missing:
        yield Undetermined(
            message=f"{words}; whether `{method.id}` is too was not seen",
            reason=missing.reason,
            would_decide=missing.would_decide,
            seen=seen,
        )
        return
    if _in_training(ours):
        return
    if parts is None:
        yield Undetermined(
            message=f"{words} and `{method.id}` is not; whether its network has dropout or batch"
            " normalisation was not seen",
            reason=Reason.NOT_OBSERVED,
            would_decide=f"a rerun of `{baseline.id}` whose operations the probe sees",
            seen=seen,
        )
        return
    if _again(theirs):
        yield Undetermined(
            message=f"{words} ({parts} active) and `{method.id}` is not; each example is fed more"
            " than once, as where the mean of such passes is the method (Monte Carlo dropout)",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"is `{baseline.id}` by its own paper evaluated with {parts} active?",
            seen=seen,
        )
        return
    yield Flagged(
        message=f"{words} ({parts} active), `{method.id}` is not",
        kind=Kind.ASYMMETRY,
        seen=(seen, ours.tested.quantity("mode of the final evaluation", "evaluation", "")),
        at=baseline.place,
        fix="Call `model.eval()` before the baseline is evaluated.",
    )


def _again(feed: Feed) -> bool:
    """Return whether the final evaluation feeds each example several times."""
    final, examples = feed.tested.final, feed.tested.set.examples
    return final is not None and examples is not None and final.rows >= 2 * examples


def _in_training(feed: Feed) -> bool:
    final = feed.tested.final
    return final is not None and final.in_training_mode


def _parts(feed: Feed) -> str | None:
    """Return what of a network acts otherwise in training: "" if nothing, None if not seen."""
    networks = feed.tested.seen.networks
    if not networks:
        return None
    found: dict[str, None] = {}
    for network in networks:
        for op in network.ops:
            p = op.parts.get("p")
            if op.op in MODES and (op.op == "batch_norm" or (isinstance(p, int | float) and p > 0)):
                found.setdefault(f"{op.op} {p:g}" if isinstance(p, int | float) else op.op)
    return ", ".join(found)
