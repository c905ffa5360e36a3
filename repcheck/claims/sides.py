"""Leaves of which the paper and the artifact say different things (the long form's two sides)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from repcheck.claims.stated import Stated


def contradicted(leaves: Iterable[Stated[Any]]) -> Iterator[tuple[Stated[Any], str]]:
    """Yield each leaf that the artifact contradicts, with what the artifact says and where."""
    for leaf in leaves:
        other = leaf.disclosure.artifact
        if other is not None and leaf.known and other.value != leaf.content:
            at = f" ({other.where})" if other.where else ""
            yield leaf, f"{other.text or other.value}{at}"
