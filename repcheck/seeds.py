"""Which seeds a rerun uses: the paper's own, and fresh ones that nobody could choose."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from repcheck.claims.commands import split
from repcheck.claims.model import Claims, Method
from repcheck.claims.stated import Section

DECLARED_CAP = 5


def declared(method: Method) -> tuple[int, ...]:
    """Return the seeds that the paper names for a method, in its order, each once."""
    return tuple(dict.fromkeys(method.seeds.train.get(())))


def fresh(claims: Claims, count: int, *, salt: str = "") -> tuple[int, ...]:
    """Return `count` seeds below 2**31 that none of the methods declares.

    They derive from the commands and the datasets and not from the file's bytes: neither a comment
    nor a reported number changes them. A salt lets a reviewer draw others.
    """
    base = _canonical(claims)
    taken = {seed for method in claims.methods.values() for seed in declared(method)}
    found: list[int] = []
    index = 0
    while len(found) < count:
        digest = hashlib.sha256(f"{base}\0repcheck\0{salt}\0{index}".encode()).hexdigest()
        seed = int(digest[:8], 16) % 2**31
        index += 1
        if seed not in taken:
            taken.add(seed)
            found.append(seed)
    return tuple(found)


def _canonical(claims: Claims) -> str:
    commands = {
        name: [
            split(part.command.value) if part.command.known else ()
            for part in (method.train, method.eval)
        ]
        for name, method in claims.methods.items()
    }
    data = {name: dict(_said(dataset)) for name, dataset in claims.datasets.items()}
    content = {"commands": commands, "datasets": data}
    return json.dumps(content, sort_keys=True, default=str, ensure_ascii=True)


def _said(section: Section) -> Iterable[tuple[str, object]]:
    return ((path, leaf.content) for path, leaf in section.leaves() if leaf.known)
