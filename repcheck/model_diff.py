"""What one network does that another does not, position by position.

Layers are paired first (`repcheck.op_align`); everything else is held against what stands at the
counterpart of the layer it follows. What stands behind a layer that has no counterpart belongs to
that layer. Output activations, sums of losses and sums with embeddings of positions do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from repcheck.op_align import Alignment, align
from repcheck.op_events import Event, Events, tally
from repcheck.op_graph import INPUT, Graph

if TYPE_CHECKING:
    from repcheck.observation import NetworkSeen

Category = Literal[
    "activation", "attention", "resampling", "skips", "norm", "dropout", "width", "depth"
]
NONE = "none"
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One place: the module's path, the classes known of it and what holds it, and both kinds."""

    path: str
    classes: tuple[str, ...] = ()
    ours: str = NONE
    theirs: str = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All differences of one category: how often each network has it, where, and what it costs.

    `ours` and `theirs` count the whole networks; `positions` are those that differ, in call order.
    `params` are the elements of parameters that came with it. `extra` says that ours has more.
    """

    category: Category
    ours: int
    theirs: int
    positions: tuple[Position, ...]
    params: int
    words: str
    extra: bool = True

    @property
    def places(self) -> tuple[str, ...]:
        """Return the module paths of the first five positions."""
        return tuple(one.path or "the model itself" for one in self.positions[:SHOWN])


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Two networks beside each other; `share` is the share of their layers that are alike."""

    differences: tuple[Difference, ...]
    share: float
    ours: Events
    theirs: Events

    def of(self, category: Category) -> Difference | None:
        """Return the difference of a category, or nothing."""
        return next((one for one in self.differences if one.category == category), None)


def differences(ours: NetworkSeen, theirs: NetworkSeen) -> tuple[Difference, ...]:
    """Return what differs between two networks, one difference a category."""
    return compare(ours, theirs).differences


def compare(ours: NetworkSeen, theirs: NetworkSeen) -> Diff:
    """Return what differs between two networks, and how alike they are."""
    pair = align(Graph.of(ours), Graph.of(theirs))
    mine, other = Events.of(pair.ours), Events.of(pair.theirs)
    found = [
        _typed(pair, "activation", mine.activations, other.activations),
        _more_attention(pair, mine.attention, other.attention),
        _learnt_resampling(pair, mine, other),
        _more_joins(pair, mine.joins, other.joins),
        _typed(pair, "norm", mine.norms, other.norms),
        _typed(pair, "dropout", mine.dropouts, other.dropouts),
        _widths(pair),
        _layers(pair),
    ]
    kept = tuple(one for one in found if one is not None)
    return Diff(differences=kept, share=pair.share, ours=mine, theirs=other)


def _typed(
    pair: Alignment, category: Category, mine: tuple[Event, ...], other: tuple[Event, ...]
) -> Difference | None:
    """Compare what follows each layer with what follows its counterpart, in order.

    What only one of them has counts as often as that one has more of its kind in all (elsewhere
    it merely stands behind a layer that has no counterpart), and not in front of added layers.
    """
    compared = _facing(pair, mine, other)
    left = Counter(one.kind for one in mine)
    left.subtract(Counter(one.kind for one in other))
    kept: list[tuple[Event | None, Event | None]] = []
    for a, b in compared:
        if a is not None and b is not None:
            if a.kind != b.kind:
                kept.append((a, b))
        elif a is not None and left[a.kind] > 0 and not _leads_to(pair.ours, a, pair.pairs):
            left[a.kind] -= 1
            kept.append((a, b))
        elif b is not None and left[b.kind] < 0 and not _leads_to(pair.theirs, b, pair.back):
            left[b.kind] += 1
            kept.append((a, b))
    if not kept:
        return None
    positions = tuple(_faced(pair, a, b) for a, b in kept)
    counts = Counter((one.ours, one.theirs) for one in positions)
    changes = [
        f"{a} in {n} of {len(compared)} positions where the baseline has {b}"
        for (a, b), n in counts.most_common()
    ]
    return Difference(
        category=category,
        ours=len(mine),
        theirs=len(other),
        positions=positions,
        params=sum((a.params if a else 0) - (b.params if b else 0) for a, b in kept),
        words="; ".join(changes),
        extra=any(a is not None for a, _ in kept),
    )


def _leads_to(graph: Graph, event: Event, pairs: Mapping[int, int]) -> bool:
    """Return whether something stands in front of layers without a counterpart alone."""
    behind = graph.next_layers(event.at)
    return bool(behind) and not any(layer in pairs for layer in behind)


def _facing(
    pair: Alignment, mine: tuple[Event, ...], other: tuple[Event, ...]
) -> list[tuple[Event | None, Event | None]]:
    """Return what stands behind each layer that both have, side by side, in call order."""
    ours, theirs = _by_anchor(mine), _by_anchor(other)
    anchors = {INPUT: INPUT, **dict(sorted(pair.pairs.items()))}
    return [
        both for a, b in anchors.items() for both in zip_longest(ours.get(a, []), theirs.get(b, []))
    ]


def _faced(pair: Alignment, a: Event | None, b: Event | None) -> Position:
    kinds = (a.kind if a else NONE, b.kind if b else NONE)
    if a is not None:
        return _position(pair.ours, a.at, *kinds)
    assert b is not None
    return _position(pair.theirs, b.at, *kinds)


def _by_anchor(events: Iterable[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.anchor, []).append(event)
    return found


def _position(graph: Graph, at: int, ours: str, theirs: str) -> Position:
    path = graph.ops[at].module
    classes = {op.module: op.cls for op in graph.ops}
    parts = path.split(".") if path else []
    holders = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    known = (classes.get(one, "") for one in holders)
    return Position(path=path, classes=tuple(one for one in known if one), ours=ours, theirs=theirs)


def _more_attention(
    pair: Alignment, mine: tuple[Event, ...], other: tuple[Event, ...]
) -> Difference | None:
    """Compare how often each attends; that of an added block of a kind both have is the block's."""
    excess = len(mine) - len(other)
    if not excess:
        return None
    more, fewer, graph = (mine, other, pair.ours) if excess > 0 else (other, mine, pair.theirs)
    beside = pair.theirs if excess > 0 else pair.ours
    mapped = pair.pairs if excess > 0 else pair.back
    lone = _unanswered(more, fewer, mapped)[: abs(excess)]
    known = {beside.ops[one.at].cls for one in fewer}
    lone = [one for one in lone if one.anchor in mapped or graph.ops[one.at].cls not in known]
    if not lone:
        return None
    params = sum(one.params for one in lone)
    return Difference(
        category="attention",
        ours=len(mine),
        theirs=len(other),
        positions=tuple(_alone(graph, one, ours=excess > 0) for one in lone),
        params=params if excess > 0 else -params,
        words=f"{tally(mine)} beside {tally(other)}",
        extra=excess > 0,
    )


def _unanswered(
    more: tuple[Event, ...], fewer: tuple[Event, ...], mapped: Mapping[int, int]
) -> list[Event]:
    left = Counter(one.anchor for one in fewer)
    lone: list[Event] = []
    for one in more:
        here = INPUT if one.anchor == INPUT else mapped.get(one.anchor)
        if here is not None and left[here] > 0:
            left[here] -= 1
        else:
            lone.append(one)
    return lone


def _alone(graph: Graph, event: Event, *, ours: bool) -> Position:
    kinds = (event.kind, NONE) if ours else (NONE, event.kind)
    return _position(graph, event.at, *kinds)


def _learnt_resampling(pair: Alignment, mine: Events, other: Events) -> Difference | None:
    """Compare where the scale changes: without parameters in theirs, learnt in ours."""
    free = Counter(one.anchor for one in mine.resamplings if not _is_new(pair, one))
    lost: list[Event] = []
    free_theirs = [one for one in other.resamplings if not one.learnt]
    for event in free_theirs:
        here = INPUT if event.anchor == INPUT else pair.back.get(event.anchor)
        if here is not None and free[here] > 0:
            free[here] -= 1
        else:
            lost.append(event)
    learnt = [one for one in mine.resamplings if _is_new(pair, one)]
    count = min(len(lost), len(learnt))
    if not count:
        return None
    made = Counter((a.kind, b.kind) for a, b in zip(learnt, lost, strict=False))
    changes = [
        f"{a} in {n} of {len(free_theirs)} places where the baseline has {b}"
        for (a, b), n in made.items()
    ]
    positions = tuple(
        _position(pair.ours, a.at, a.kind, b.kind) for a, b in zip(learnt, lost, strict=False)
    )
    return Difference(
        category="resampling",
        ours=sum(one.learnt for one in mine.resamplings),
        theirs=sum(one.learnt for one in other.resamplings),
        positions=positions,
        params=sum(one.params for one in learnt[:count]),
        words="; ".join(changes),
    )


def _is_new(pair: Alignment, event: Event) -> bool:
    """Return whether a resampling learns with what the other network has no counterpart of."""
    if event.kind.startswith("interpolate") and event.by is not None:
        return event.by not in pair.pairs
    if not event.learnt:
        return False
    return event.by is None or event.by not in pair.pairs


def _more_joins(
    pair: Alignment, mine: tuple[Event, ...], other: tuple[Event, ...]
) -> Difference | None:
    """Compare joins that reach over layers both have; those within an added block are its own."""
    ours = [one for one in mine if any(layer in pair.pairs for layer in one.over)]
    theirs = [one for one in other if any(layer in pair.back for layer in one.over)]
    excess = len(ours) - len(theirs)
    if not excess:
        return None
    more, fewer, graph = (ours, theirs, pair.ours) if excess > 0 else (theirs, ours, pair.theirs)
    mapped = pair.pairs if excess > 0 else pair.back
    known = Counter(one.over for one in fewer)
    lone = [one for one in more if not known[_mapped(one, mapped)]][: abs(excess)]
    channels = sum(one.channels for one in lone)
    added = f" (+{channels} concatenated channels)" if channels else ""
    return Difference(
        category="skips",
        ours=len(ours),
        theirs=len(theirs),
        positions=tuple(_alone(graph, one, ours=excess > 0) for one in lone),
        params=_widened(pair, lone) if excess > 0 else 0,
        words=f"features of different depth are joined {_times(len(ours))} beside "
        f"{_times(len(theirs))}{added}",
        extra=excess > 0,
    )


def _mapped(join: Event, mapped: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(sorted(mapped[one] for one in join.over if one in mapped))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _widened(pair: Alignment, joins: list[Event]) -> int:
    """Return the parameters that layers directly behind joins have more than counterparts."""
    graph, found = pair.ours, 0
    for join in joins:
        if not join.channels:
            continue
        for layer in graph.layers:
            partner = pair.pairs.get(layer)
            if partner is not None and join.at in _direct(graph, layer):
                found += max(0, graph.ops[layer].params - pair.theirs.ops[partner].params)
    return found


def _direct(graph: Graph, layer: int) -> set[int]:
    """Return what a layer takes without another layer between."""
    reached: set[int] = set()
    waiting = list(graph.inputs[layer])
    while waiting:
        at = waiting.pop()
        if at == INPUT or at in reached:
            continue
        reached.add(at)
        if not graph.weighted[at]:
            waiting += graph.inputs[at]
    return reached


def _widths(pair: Alignment) -> Difference | None:
    found = [
        (a, b) for a, b in pair.pairs.items() if _width(pair.ours, a) != _width(pair.theirs, b)
    ]
    if not found:
        return None
    ours, theirs = (
        sum(_width(pair.ours, a) for a, _ in found),
        sum(_width(pair.theirs, b) for _, b in found),
    )
    return Difference(
        category="width",
        ours=ours,
        theirs=theirs,
        positions=tuple(
            _position(pair.ours, a, str(_width(pair.ours, a)), str(_width(pair.theirs, b)))
            for a, b in found
        ),
        params=sum(pair.ours.ops[a].params - pair.theirs.ops[b].params for a, b in found),
        words=f"{len(found)} of {len(pair.pairs)} layers have another width",
        extra=ours > theirs,
    )


def _width(graph: Graph, at: int) -> int:
    op = graph.ops[at]
    if not op.shape:
        return 0
    return op.shape[0] if op.op.startswith("conv") else op.shape[-1]


def _layers(pair: Alignment) -> Difference | None:
    mine = [at for at in pair.ours.layers if at not in pair.pairs]
    other = [at for at in pair.theirs.layers if at not in pair.back]
    if not mine and not other:
        return None
    ours, theirs = len(pair.ours.layers), len(pair.theirs.layers)
    added = [_position(pair.ours, at, pair.ours.ops[at].op, NONE) for at in mine]
    dropped = [_position(pair.theirs, at, NONE, pair.theirs.ops[at].op) for at in other]
    params = sum(pair.ours.ops[at].params for at in mine)
    return Difference(
        category="depth",
        ours=ours,
        theirs=theirs,
        positions=(*added, *dropped),
        params=params - sum(pair.theirs.ops[at].params for at in other),
        words=f"{ours} layers beside {theirs}; {len(mine)} have no counterpart in the baseline "
        f"and {len(other)} of the baseline's none in the method",
        extra=bool(mine),
    )
