"""The operations of one forward pass as a graph: what flows where, and how deep it is by then.

Indices that a forged or cut record may hold are dropped: an operation takes earlier ones only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Self

CONVOLUTIONS = frozenset(
    {f"conv{way}{dims}d" for way in ("", "_transpose") for dims in (1, 2, 3)}
)  # fmt: skip

if TYPE_CHECKING:
    from repcheck.observation import NetworkSeen, OpSeen
RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"})
WEIGHTED = CONVOLUTIONS | RECURRENT | {"linear", "bilinear", "embedding", "embedding_bag"}
PRODUCTS = frozenset({"matmul", "einsum", "tensordot"})
INPUT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One network's operations, with what is derived of each of them, index by index.

    `inputs` are the different earlier operations (or -1, the input) that it took. `weighted` says
    that it is a layer: it has weights and mixes features. `depth` is the largest number of layers
    from the input up to here; `anchor` the last layer before it that its values came through (-1:
    none; of a product the larger factor's, so that a gate changes nothing); `before` all that it
    depends on, as bits; `ends` says that no layer depends on it; `users` are the operations that
    took its output.
    """

    ops: tuple[OpSeen, ...]
    inputs: tuple[tuple[int, ...], ...]
    weighted: tuple[bool, ...]
    depth: tuple[int, ...]
    anchor: tuple[int, ...]
    before: tuple[int, ...]
    ends: tuple[bool, ...]
    users: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, network: NetworkSeen) -> Self:
        """Derive all that is asked of a network from its operations."""
        ops = network.ops
        inputs = tuple(_inputs(op, at) for at, op in enumerate(ops))
        weighted = tuple(_is_layer(op, of) for op, of in zip(ops, inputs, strict=True))
        depth: list[int] = []
        anchor: list[int] = []
        before: list[int] = []
        users: list[list[int]] = [[] for _ in ops]
        for at, of in enumerate(inputs):
            earlier = [one for one in of if one != INPUT]
            own = int(weighted[at])
            depth.append(own + max((depth[one] for one in earlier), default=0))
            wide = _wide(ops, at, earlier)
            nearest = (one if weighted[one] else anchor[one] for one in wide)
            anchor.append(max(nearest, default=INPUT))
            mask = 0
            for one in earlier:
                mask |= before[one] | 1 << one
                users[one].append(at)
            before.append(mask)
        return cls(
            ops=ops,
            inputs=inputs,
            weighted=weighted,
            depth=tuple(depth),
            anchor=tuple(anchor),
            before=tuple(before),
            ends=_ends(weighted, inputs),
            users=tuple(map(tuple, users)),
        )

    @property
    def layers(self) -> list[int]:
        """Return the indices of the layers, in call order."""
        return [at for at, is_layer in enumerate(self.weighted) if is_layer]

    def size(self, at: int) -> int:
        """Return the elements of an output for one example."""
        return prod(self.ops[at].shape)

    def depth_of(self, at: int) -> int:
        """Return the depth of an operation, 0 for the input."""
        return 0 if at == INPUT else self.depth[at]

    def within(self, at: int) -> int:
        """Return an operation and all it depends on, as bits."""
        return 0 if at == INPUT else self.before[at] | 1 << at

    def between(self, deep: int, shallow: int) -> list[int]:
        """Return what one output depends on and the other neither is nor depends on."""
        return list(_bits(self.within(deep) & ~self.within(shallow)))

    def next_layers(self, at: int) -> set[int]:
        """Return the layers that take an output without another layer between."""
        found: set[int] = set()
        waiting, known = [at], {at}
        while waiting:
            for user in self.users[waiting.pop()]:
                if self.weighted[user]:
                    found.add(user)
                elif user not in known:
                    known.add(user)
                    waiting.append(user)
        return found

    def source(self, at: int, through: frozenset[str], most: int = 6) -> int:
        """Return what an output was made of, seen through such operations of one input each."""
        for _ in range(most):
            if at == INPUT or self.ops[at].op not in through or len(self.inputs[at]) != 1:
                break
            at = self.inputs[at][0]
        return at


def _inputs(op: OpSeen, at: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(one for one in op.inputs if INPUT <= one < at))


def _is_layer(op: OpSeen, inputs: tuple[int, ...]) -> bool:
    if op.op in WEIGHTED:
        return True
    if op.op in PRODUCTS:
        return len(inputs) == 1 and len(op.inputs) == 1
    if "norm" in op.cls.lower():
        return False
    return op.params > 0 and (op.op == "attention" or bool(op.parts.get("opaque")))


def _wide(ops: tuple[OpSeen, ...], at: int, earlier: list[int]) -> list[int]:
    """Return the operands whose layers count as the last: a gate's do not."""
    if ops[at].op != "mul" or len(earlier) < 2:
        return earlier
    most = max(prod(ops[one].shape) for one in earlier)
    return [one for one in earlier if prod(ops[one].shape) == most]


def _ends(weighted: tuple[bool, ...], inputs: tuple[tuple[int, ...], ...]) -> tuple[bool, ...]:
    leads = [False] * len(weighted)
    for at in reversed(range(len(weighted))):
        if weighted[at] or leads[at]:
            for one in inputs[at]:
                if one != INPUT:
                    leads[one] = True
    return tuple(not any_layer for any_layer in leads)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
