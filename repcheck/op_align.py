"""Which layer of one network is which of the other: by order, kind, scale and kernel.

Widths do not count, so that a wider network has the same structure; names only break ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from repcheck.op_graph import CONVOLUTIONS, Graph

MOST_CELLS = 1_000_000
"""Above it (a thousand layers each) runs of equal layers are looked for instead."""
Token = tuple[str, tuple[int, ...], tuple[float, ...], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Two graphs; `pairs` gives the layer of theirs that one of ours is, `back` the other way.

    `share` is the share of all layers of both that have a like counterpart: of the same kind,
    scale, kernel and grouping.
    """

    ours: Graph
    theirs: Graph
    pairs: Mapping[int, int]
    back: Mapping[int, int]
    share: float


def align(ours: Graph, theirs: Graph) -> Alignment:
    """Pair the layers of two networks in order so that as much as possible is alike."""
    mine = [(at, _token(ours, at)) for at in ours.layers]
    other = [(at, _token(theirs, at)) for at in theirs.layers]
    if len(mine) * len(other) > MOST_CELLS:
        found = _blocks(mine, other)
    else:
        found = _best(ours, theirs, mine, other)
    tokens, others = dict(mine), dict(other)
    like = sum(tokens[a] == others[b] for a, b in found.items())
    total = len(mine) + len(other)
    return Alignment(
        ours=ours,
        theirs=theirs,
        pairs=found,
        back={b: a for a, b in found.items()},
        share=2 * like / total if total else 0.0,
    )


def _token(graph: Graph, at: int) -> Token:
    op = graph.ops[at]
    name = "linear" if op.op in {"matmul", "einsum"} else op.op
    if op.op not in CONVOLUTIONS:
        return (op.cls.lower() if op.parts.get("opaque") else name, (), (), False)
    groups, kernel = op.parts.get("groups", 1), op.parts.get("kernel", ())
    grouped = isinstance(groups, int | float) and groups > 1
    sizes = kernel if isinstance(kernel, tuple) else ()
    return (name, op.shape[1:], sizes, grouped)


def _blocks(mine: list[tuple[int, Token]], other: list[tuple[int, Token]]) -> dict[int, int]:
    matcher = SequenceMatcher(
        None, [token for _, token in mine], [token for _, token in other], autojunk=False
    )
    return {
        mine[block.a + step][0]: other[block.b + step][0]
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    }


def _best(
    ours: Graph,
    theirs: Graph,
    mine: list[tuple[int, Token]],
    other: list[tuple[int, Token]],
) -> dict[int, int]:
    """Return the pairs with the largest sum of scores (global alignment, gaps are free)."""
    rows = [[0.0] * (len(other) + 1)]
    scores: list[list[float]] = []
    for a, token in mine:
        line = [_score(ours, theirs, (a, token), one) for one in other]
        above, row = rows[-1], [0.0]
        for j, score in enumerate(line):
            best = max(above[j + 1], row[j])
            row.append(max(best, above[j] + score) if score else best)
        rows.append(row)
        scores.append(line)
    pairs: dict[int, int] = {}
    i, j = len(mine), len(other)
    while i and j:
        score = scores[i - 1][j - 1]
        if score and rows[i][j] == rows[i - 1][j - 1] + score:
            pairs[mine[i - 1][0]] = other[j - 1][0]
            i, j = i - 1, j - 1
        elif rows[i][j] == rows[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs


def _score(ours: Graph, theirs: Graph, a: tuple[int, Token], b: tuple[int, Token]) -> float:
    """Return how alike two layers are; 0 where they cannot be one."""
    mine, other = a[1], b[1]
    if mine[0] != other[0]:
        return 0.0
    one, two = ours.ops[a[0]], theirs.ops[b[0]]
    score = 2.0 + 2.0 * (mine[1] == other[1]) + (mine[2] == other[2]) + (mine[3] == other[3])
    score += 2.0 * (bool(one.module) and one.module == two.module)
    return score + 0.5 * (one.shape == two.shape) + 0.25 * (one.params == two.params)
