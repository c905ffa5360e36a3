"""What happens between the layers of a network: activations, norms, gates, joins and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from math import prod
from typing import Self

from repcheck.op_graph import CONVOLUTIONS, INPUT, PRODUCTS, Graph
from repcheck.op_kinds import GATES, activation_named, norm_named, norm_written_out, written_out

NORMS = frozenset(
    {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"}
)
OF_WEIGHTS = frozenset({"weight_norm", "spectral_norm", "weight_standardized"})
_DROPS = frozenset(
    {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"}
)
_JOINS = frozenset({"add", "cat", "stack", "set", "lerp"})
_SQUASHED = GATES | {"softmax", "relu6", "clamp"}
_LIGHT = frozenset({"add", "sub", "rsub", "mul", "div", "dropout", "neg", "masked_fill"})
_POOLS = frozenset(f"{kind}_pool{n}d" for kind in ("avg", "max", "lp") for n in (1, 2, 3))
_ADAPTIVE = frozenset(f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3))
_FREE = _POOLS | _ADAPTIVE | {"interpolate", "pixel_shuffle", "pixel_unshuffle", "mean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something at an operation, behind a layer (`anchor`, -1: the input).

    `by` is the layer that learns in it; `over` the layers that a join reaches over, `channels`
    what a concatenation adds.
    """

    at: int
    kind: str
    anchor: int
    params: int = 0
    learnt: bool = False
    by: int | None = None
    over: tuple[int, ...] = ()
    channels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """All events of one network, in call order."""

    activations: tuple[Event, ...]
    norms: tuple[Event, ...]
    dropouts: tuple[Event, ...]
    attention: tuple[Event, ...]
    resamplings: tuple[Event, ...]
    joins: tuple[Event, ...]

    def tally(self, category: str) -> str:
        """Return what there is of a category in words: `7 silu, 1 relu`, or `none`."""
        held = {
            "activation": self.activations,
            "norm": self.norms,
            "dropout": self.dropouts,
            "attention": self.attention,
            "resampling": self.resamplings,
            "skips": self.joins,
        }
        return tally(held.get(category, ()))

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Find all that a graph holds."""
        norms, of_norms = _norms(graph)
        activations, of_activations = _activations(graph, of_norms)
        return cls(
            activations=activations,
            norms=norms,
            dropouts=_dropouts(graph),
            attention=_attention(graph),
            resamplings=_resamplings(graph),
            joins=_joins(graph, of_norms | of_activations),
        )


def tally(events: Iterable[Event]) -> str:
    """Return how often each kind is among events, the four most frequent first."""
    counts = Counter(event.kind for event in events)
    return ", ".join(f"{n} {kind}" for kind, n in counts.most_common(4)) or "none"


def _event(graph: Graph, at: int, kind: str, params: int = 0) -> Event:
    return Event(at=at, kind=kind, anchor=graph.anchor[at], params=params)


def _activations(graph: Graph, taken: set[int]) -> tuple[tuple[Event, ...], set[int]]:
    """Return the activations, named and written out, and what the latter are made of.

    An activation that no layer follows is the output's; one that only scales another output is
    the gate of a unit.
    """
    found: dict[int, str] = {}
    parts: set[int] = set()
    for at in range(len(graph.ops)):
        if at in taken:
            continue
        name, _, region = written_out(graph, at)
        if name:
            parts |= region
            for inner in region:
                found.pop(inner, None)
            found[at] = name
        elif (name := activation_named(graph.ops[at])) and not _is_gate(graph, at, name):
            found[at] = name
    events = tuple(
        _event(graph, at, name, graph.ops[at].params)
        for at, name in sorted(found.items())
        if not graph.ends[at] and name != "glu"
    )
    return events, parts


def _is_gate(graph: Graph, at: int, name: str) -> bool:
    if name not in GATES:
        return False
    source = graph.inputs[at][0] if graph.inputs[at] else INPUT
    if source != INPUT and graph.size(source) != graph.size(at):
        return True
    users = graph.users[at]
    return bool(users) and all(
        graph.ops[user].op in {"mul", "lerp", "rsub", "sub"} for user in users
    )


def _norms(graph: Graph) -> tuple[tuple[Event, ...], set[int]]:
    """Return the norms (of weights too), and what those are made of that are written out."""
    found: list[Event] = []
    parts: set[int] = set()
    whole: set[str] = set()
    for at, op in enumerate(graph.ops):
        how = op.parts.get("weight")
        if op.op in NORMS:
            found.append(_event(graph, at, op.op, op.params))
        elif graph.weighted[at]:
            if how in OF_WEIGHTS:
                found.append(Event(at=at, kind=str(how), anchor=at))
        elif name := norm_named(op):
            parts.add(at)
            if op.module not in whole:
                whole.add(op.module)
                found.append(_event(graph, at, name, op.params))
        else:
            name, region = norm_written_out(graph, at)
            if name and not region & parts:
                parts |= region
                found.append(_event(graph, at, name, sum(graph.ops[one].params for one in region)))
    return tuple(found), parts


def _dropouts(graph: Graph) -> tuple[Event, ...]:
    found = []
    for at, op in enumerate(graph.ops):
        p = op.parts.get("p")
        if op.op in _DROPS and isinstance(p, int | float) and p > 0:
            found.append(_event(graph, at, f"{op.op} {p:g}"))
    return tuple(found)


def _attention(graph: Graph) -> tuple[Event, ...]:
    """Return gates that scale a feature map from a part of itself, and products with a softmax."""
    found = []
    for at, op in enumerate(graph.ops):
        if op.op == "attention":
            anchor = at if graph.weighted[at] else graph.anchor[at]
            found.append(Event(at=at, kind="attention", anchor=anchor, params=op.params))
        elif op.op in PRODUCTS and _mixes_by_softmax(graph, at):
            found.append(Event(at=at, kind="attention", anchor=graph.anchor[at]))
        elif op.op == "mul" and (gate := _gate(graph, at)) is not None:
            found.append(gate)
    return tuple(found)


def _mixes_by_softmax(graph: Graph, at: int) -> bool:
    sources = [graph.source(one, _LIGHT) for one in graph.inputs[at]]
    soft = [one for one in sources if one != INPUT and graph.ops[one].op == "softmax"]
    return bool(soft) and len(graph.inputs[at]) > 1


def _gate(graph: Graph, at: int) -> Event | None:
    """Return the gate of a product: smaller than what it scales, and made of it by layers."""
    if len(graph.inputs[at]) < 2:
        return None
    for one in graph.inputs[at]:
        squashed = graph.source(one, _LIGHT)
        if squashed == INPUT or graph.ops[squashed].op not in _SQUASHED:
            continue
        if graph.size(squashed) >= graph.size(at):
            continue
        scaled = next(other for other in graph.inputs[at] if other != one)
        made = graph.between(one, scaled)
        layers = [part for part in made if graph.weighted[part]]
        if not layers:
            continue
        anchor = graph.anchor[scaled] if scaled != INPUT else INPUT
        if scaled != INPUT and graph.weighted[scaled]:
            anchor = scaled
        params = sum(graph.ops[part].params for part in made)
        return Event(at=at, kind="gate", anchor=anchor, params=params, by=layers[-1])
    return None


def _resamplings(graph: Graph) -> tuple[Event, ...]:
    """Return where the scale changes, but not the pools that gates are made of."""
    gates = [at for at, op in enumerate(graph.ops) if op.op == "mul" and _gate(graph, at)]
    squeezed = {
        part
        for at in gates
        for one, other in permutations(graph.inputs[at], 2)
        for part in graph.between(one, other)
    }
    found = (_resampling(graph, at) for at in range(len(graph.ops)) if at not in squeezed)
    return tuple(event for event in found if event is not None)


def _resampling(graph: Graph, at: int) -> Event | None:
    op = graph.ops[at]
    before, after = op.parts.get("from"), op.shape
    if op.op in _FREE:
        if not isinstance(before, tuple) or len(before) < 2:
            return None
        if op.op == "mean" and (len(before) < 3 or len(after) > 1):
            return None
        return _free(graph, at)
    stride = op.parts.get("stride", 1)
    steps = stride if isinstance(stride, tuple) else (stride,)
    wide = prod(float(one) for one in steps if isinstance(one, int | float)) > 1
    if op.op not in CONVOLUTIONS or not wide or graph.depth[at] <= 1:
        return None
    kind = "transposed convolution" if "transpose" in op.op else "strided convolution"
    return Event(at=at, kind=kind, anchor=graph.anchor[at], params=op.params, learnt=True, by=at)


def _free(graph: Graph, at: int) -> Event:
    op = graph.ops[at]
    kind = "global mean" if op.op == "mean" else op.op
    power = next((one for one in graph.inputs[at] if one != INPUT), INPUT)
    if power != INPUT and graph.ops[power].op == "pow" and "exponent" not in graph.ops[power].parts:
        params = graph.ops[power].params
        kind = "pool with a learnt exponent"
        return Event(at=at, kind=kind, anchor=graph.anchor[at], params=params, learnt=True)
    layer = _neighbour(graph, at) if op.op in {"interpolate", "pixel_shuffle"} else None
    if layer is None:
        return _event(graph, at, kind)
    learnt = op.op == "pixel_shuffle"
    params = graph.ops[layer].params
    name = f"{kind} with a convolution"
    anchor = graph.anchor[at]
    return Event(at=at, kind=name, anchor=anchor, params=params, learnt=learnt, by=layer)


def _neighbour(graph: Graph, at: int) -> int | None:
    """Return the convolution whose output is resampled as it is, or that takes the resampled."""
    near = [*graph.inputs[at], *graph.users[at]]
    layers = (one for one in near if one != INPUT and graph.ops[one].op in CONVOLUTIONS)
    return next(layers, None)


def _joins(graph: Graph, taken: set[int]) -> tuple[Event, ...]:
    """Return sums and concatenations of features of different depth."""
    found = []
    for at, op in enumerate(graph.ops):
        operands = graph.inputs[at]
        if op.op not in _JOINS or len(operands) < 2 or at in taken or graph.size(at) <= 1:
            continue
        deep = max(operands, key=graph.depth_of)
        shallow = min(operands, key=graph.depth_of)
        if graph.depth_of(deep) == graph.depth_of(shallow):
            continue
        layers = [one for one in graph.between(deep, shallow) if graph.weighted[one]]
        if not layers:
            continue
        found.append(
            Event(
                at=at,
                kind="concatenation" if op.op in {"cat", "stack", "set"} else "sum",
                anchor=graph.anchor[at],
                over=tuple(layers),
                channels=_channels(graph, at, shallow) if op.op == "cat" else 0,
            )
        )
    return tuple(found)


def _channels(graph: Graph, at: int, shallow: int) -> int:
    """Return how many channels came with the shallow operand, for features at one scale."""
    op = graph.ops[at]
    if shallow == INPUT or not op.shape or not graph.ops[shallow].shape:
        return 0
    return min(graph.ops[shallow].shape[0], op.shape[0])
