"""What a method's model was fed in training and in its test, and how the two differ.

Of what was seen on the CPU alone. That a test set differs from the training set is no finding by
itself: what matters is that it does for one side of a comparison and not for the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.leak import Tested, Tests

if TYPE_CHECKING:
    from repcheck.observation import InputSeen, NearDuplicates, Observation, TwoSample

APART = 0.25
"""Standard deviations by which a channel's mean may differ."""
RANGE = 2.0
TWICE = 2.0
"""A permutation has to fit the training means so many times as well."""
CLEAR = 0.1
"""Standard deviations below which the channels are alike whatever their order."""
ALIKE = 0.1
NOISE = 3.0
NEARER = 0.10
"""AUC by which the method's training has to be nearer to the test set than the baseline's."""
SEVERAL = 2
KEPT = 2000
FEWEST_ROWS = 32
MOST_CHANNELS = 4
Why = Literal["order", "mean", "range"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How the input in evaluation differs from that in training.

    `size` is in standard deviations (order, mean) or a ratio of ranges; `order` is the permutation
    of channels that fits best, `transform` the change of the `input` surgery that would undo it;
    `moved` says that beside another range the mean is another too.
    """

    why: Why
    size: float
    words: str
    order: tuple[int, ...] = ()
    transform: str = ""
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What one run of a method was fed: in training, and in the last pass over its test set."""

    method: str
    tested: Tested
    train: InputSeen | None
    test: InputSeen | None
    two_sample: TwoSample | None
    near: NearDuplicates | None

    def apart(self) -> Apart | None:
        """Return how training and evaluation differ; None where they do not.

        Raises:
            Missing: if the numbers of both were not seen.
        """
        if self.train is None or self.test is None:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"a rerun of `{self.method}` on the CPU, whose input the probe can look at",
            )
        return apart(self.train, self.test)

    def quantities(self) -> tuple[Quantity, ...]:
        """Return the means of both, as evidence."""
        found = []
        for phase, seen in (("training", self.train), ("evaluation", self.test)):
            if seen is not None and seen.mean:
                value = f"means {_listed(seen.mean)}, sds {_listed(seen.sd)}"
                value += f", from {seen.low:.3g} to {seen.high:.3g} (n = {seen.rows} rows)"
                found.append(self.tested.quantity(f"input in {phase}", value, ""))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds(Fact):
    """What the models of every method were fed."""

    label: ClassVar[str] = "what entered the models"
    tests: Tests

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the test sets that were seen."""
        return cls(tests=evidence.get(Tests))

    def of(self, method: Method, dataset: str = "") -> Feed:
        """Return what a method was fed on a dataset (an empty one matches any).

        Raises:
            Missing: if it was not rerun in sight, or its test set cannot be told from others.
        """
        for tested in self.tests.of(method):
            if not dataset or tested.run.dataset in {"", dataset}:
                return feed(method.id, tested)
        raise Missing(Reason.NOT_OBSERVED, f"a rerun of `{method.id}` on `{dataset}`")


def feed(method: str, tested: Tested) -> Feed:
    """Return what the model of one run was fed."""
    seen: Observation = tested.seen
    trained = [one for one in seen.fed.inputs if one.phase == "train" and one.mean]
    train = max(trained, key=lambda one: one.rows, default=None)
    mine = [one for one in seen.fed.inputs if one.set == tested.set.id and one.mean]
    mine.sort(key=lambda one: (train is not None and one.root == train.root, one.at))
    of_set = tested.set.id
    two = [one for one in seen.fed.two_sample if one.set == of_set]
    near = [one for one in seen.fed.near_duplicates if one.set == of_set]
    return Feed(
        method=method,
        tested=tested,
        train=train,
        test=mine[-1] if mine else None,
        two_sample=two[0] if two else None,
        near=near[0] if near else None,
    )


def apart(train: InputSeen, test: InputSeen) -> Apart | None:
    """Return how two inputs differ beyond what a sample of their size leaves open."""
    if len(train.mean) != len(test.mean) or min(train.rows, test.rows) < FEWEST_ROWS:
        return None
    order = _order(train, test)
    if order is not None:
        return order
    moved = _mean(train, test)
    scaled = _range(train, test)
    return moved if scaled is None else replace(scaled, moved=moved is not None)


def _noise(train: InputSeen, test: InputSeen) -> float:
    return NOISE * math.sqrt(1 / train.rows + 1 / test.rows)


def _distance(train: InputSeen, test: InputSeen, order: tuple[int, ...]) -> float:
    """Return how far the means lie from those of training, in its standard deviations."""
    gaps = [
        (test.mean[there] - train.mean[here]) / max(train.sd[here], 1e-9)
        for here, there in enumerate(order)
    ]
    return math.sqrt(sum(gap * gap for gap in gaps) / len(gaps))


def _order(train: InputSeen, test: InputSeen) -> Apart | None:
    """Find another order of channels that fits the means of training twice as well."""
    count = len(train.mean)
    if train.by != "channel" or not 1 < count <= MOST_CHANNELS or not all(train.sd):
        return None
    same = tuple(range(count))
    as_is = _distance(train, test, same)
    best = min(permutations(same), key=lambda order: _distance(train, test, order))
    fitting = _distance(train, test, best)
    if best == same or as_is <= CLEAR or as_is < TWICE * fitting:
        return None
    if as_is - fitting <= _noise(train, test) / 2:
        return None
    named = "-".join(map(str, best))
    words = (
        f"on its channels in another order (channel means fit after permutation {named}: "
        f"{_listed(train.mean)} in training, {_listed(test.mean)} in evaluation)"
    )
    if best == tuple(reversed(same)):
        words = words.replace("on its channels in another order", "on its channels reversed", 1)
    return Apart(
        why="order",
        size=as_is,
        words=words,
        order=best,
        transform="reverse-channels" if best == tuple(reversed(same)) else "",
    )


def _mean(train: InputSeen, test: InputSeen) -> Apart | None:
    gaps = [
        abs(there - here) / max(sd, 1e-9)
        for here, there, sd in zip(train.mean, test.mean, train.sd, strict=True)
        if sd > 0
    ]
    most = max(gaps, default=0.0)
    if most <= APART + _noise(train, test):
        return None
    at = gaps.index(most)
    words = (
        f"on another distribution: a mean {most:.2g} standard deviations away "
        f"({_listed(train.mean[at : at + 1])} in training, {_listed(test.mean[at : at + 1])} in "
        "evaluation)"
    )
    return Apart(why="mean", size=most, words=words, transform=_normalising(train, test))


def _range(train: InputSeen, test: InputSeen) -> Apart | None:
    """Find another scale: the range and the standard deviation are both other."""
    ranges = [one.high - one.low for one in (train, test)]
    spreads = [math.sqrt(sum(sd * sd for sd in one.sd) / len(one.sd)) for one in (train, test)]
    if min(*ranges, *spreads) <= 0:
        return None
    ratio, spread = ranges[1] / ranges[0], spreads[1] / spreads[0]
    outside = not 1 / RANGE <= ratio <= RANGE
    if not outside or 2 / 3 <= spread <= 3 / 2 or (ratio > 1) != (spread > 1):
        return None
    words = (
        f"on another range of values: {train.low:.3g} to {train.high:.3g} in training, "
        f"{test.low:.3g} to {test.high:.3g} in evaluation (×{ratio:.3g})"
    )
    return Apart(
        why="range",
        size=max(ratio, 1 / ratio),
        words=words,
        transform=_scaling(ratio, train, test) or _normalising(train, test),
    )


def _scaling(ratio: float, train: InputSeen, test: InputSeen) -> str:
    """Return the plain factor of 255 where that is all that differs."""
    factor = 1 / 255 if 200 < ratio < 320 else 255.0 if 200 < 1 / ratio < 320 else 0.0
    pairs = zip(train.mean, test.mean, train.sd, strict=True)
    if not factor or any(abs(there * factor - here) > APART * sd for here, there, sd in pairs):
        return ""
    return "scale:1/255" if factor < 1 else "scale:255"


def _normalising(train: InputSeen, test: InputSeen) -> str:
    """Return the linear change of each channel that gives the mean and spread of training."""
    if train.by == "feature" or not all((*train.sd, *test.sd)):
        return ""
    sds = [there / here for here, there in zip(train.sd, test.sd, strict=True)]
    means = [there - here * sd for here, there, sd in zip(train.mean, test.mean, sds, strict=True)]
    told = [",".join(f"{one:.6g}" for one in part) for part in (means, sds)]
    return f"normalise:{told[0]}/{told[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A baseline that meets in its test what it never met in training, where the method does not.

    `shared` says that both are evaluated on inputs alike, so that the difference lies in what they
    were trained on.
    """

    apart: Apart
    ours: Feed
    theirs: Feed
    shared: bool


def hit(comparison: Comparison, feeds: Feeds) -> Hit | None:
    """Return how a comparison's baseline, and not its method, is evaluated unlike its training.

    Noise in training is an augmentation's, not a protocol's: where both are evaluated alike,
    another range around the same mean is none.

    Raises:
        Missing: if the inputs of either were not seen.
    """
    theirs = feeds.of(comparison.baseline, comparison.dataset)
    found = theirs.apart()
    if found is None:
        return None
    ours = feeds.of(comparison.method, comparison.dataset)
    own = ours.apart()
    if own is not None and own.why == found.why and own.size >= found.size / 2:
        return None
    shared = alike(ours.test, theirs.test)
    if shared and found.why == "range" and not found.moved:
        return None
    return Hit(apart=found, ours=ours, theirs=theirs, shared=shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How well each side's training rows, as fed, are told apart from its test rows.

    By the AUC of a classifier two-sample test: 0.5 where they are alike.
    """

    ours: Feed
    theirs: Feed
    our_auc: TwoSample
    their_auc: TwoSample

    @property
    def gap(self) -> float:
        """Return by how much better the baseline's are told apart."""
        return self.their_auc.auc - self.our_auc.auc

    @property
    def nearer(self) -> bool:
        """Whether the method alone is trained on what its test set looks like."""
        return self.gap >= NEARER and self.their_auc.low > self.our_auc.high

    @property
    def words(self) -> str:
        """Return both AUCs: `two-sample AUC 0.91 for `base`, 0.49 for `ours``."""
        theirs, ours = self.their_auc, self.our_auc
        return (
            f"two-sample AUC {theirs.auc:.2f} [{theirs.low:.2f}, {theirs.high:.2f}] for"
            f" `{self.theirs.method}`, {ours.auc:.2f} [{ours.low:.2f}, {ours.high:.2f}] for"
            f" `{self.ours.method}` (95 %, n = {ours.n_train} training and {ours.n_eval} test rows)"
        )

    def quantities(self) -> tuple[Quantity, ...]:
        """Return both AUCs as evidence."""
        name = "AUC of fed training rows against test rows"
        return (
            self.ours.tested.quantity(name, self.our_auc.auc, ""),
            self.theirs.tested.quantity(name, self.their_auc.auc, ""),
        )


def nearness(comparison: Comparison, feeds: Feeds) -> Nearness | None:
    """Return how near both sides' training is to the test set; None where it was not seen.

    Nor where they are stated to be trained on different data: it is these that differ then.
    """
    where = comparison.dataset
    if comparison.method.train_data.get(where) != comparison.baseline.train_data.get(where):
        return None
    try:
        ours = feeds.of(comparison.method, comparison.dataset)
        theirs = feeds.of(comparison.baseline, comparison.dataset)
    except Missing:
        return None
    if ours.two_sample is None or theirs.two_sample is None:
        return None
    return Nearness(ours=ours, theirs=theirs, our_auc=ours.two_sample, their_auc=theirs.two_sample)


def augmented(feed: Feed) -> bool | None:
    """Return whether examples came changed from epoch to epoch; None where that was not seen."""
    training, fed = feed.tested.training, feed.train
    if training is None or not training.unique or not training.samples:
        return None
    if training.unique_by == "content":
        rounds = training.rounds
        if rounds is None or rounds < SEVERAL:
            return None
        return training.samples / training.unique < rounds / 2
    if training.unique_by != "indices" or fed is None or not fed.different:
        return None
    if fed.different > (1 + ALIKE) * training.unique:
        return True
    # The first epoch alone may have filled what is kept.
    return None if fed.different >= KEPT else False


def kept(feed: Feed) -> int:
    """Return how many different rows of training were kept, at most 2,000."""
    return feed.train.different if feed.train is not None else 0


def alike(first: InputSeen | None, second: InputSeen | None) -> bool:
    """Return whether two inputs have the same means and spreads, within a tenth of a spread."""
    if first is None or second is None or len(first.mean) != len(second.mean):
        return False
    slack = ALIKE + _noise(first, second) / NOISE if first.rows and second.rows else ALIKE
    return all(
        abs(a - b) <= slack * max(sa, sb, 1e-9) and abs(sa - sb) <= slack * max(sa, sb, 1e-9)
        for a, b, sa, sb in zip(first.mean, second.mean, first.sd, second.sd, strict=True)
    )


def _listed(values: tuple[float, ...]) -> str:
    return "/".join(f"{one:.3g}" for one in values[:MOST_CHANNELS])
