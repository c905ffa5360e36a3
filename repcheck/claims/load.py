"""Load a claims file: all of its problems at once, each with its place, or frozen `Claims`."""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path

from repcheck.claims.customs import read_section
from repcheck.claims.finish import name_claims
from repcheck.claims.model import Claims, Method
from repcheck.claims.problems import ClaimsError, Problem
from repcheck.claims.references import check_references
from repcheck.claims.resolve import resolve
from repcheck.claims.source import Scalar, Tree, decode, read_bytes, read_tree
from repcheck.claims.values import BAD, Desk
from repcheck.where import Where

__all__ = ["ClaimsError", "Problem", "load", "parse"]


def load(path: Path | str) -> Claims:
    """Return what a claims file says.

    Raises:
        ClaimsError: with every problem of the file.
    """
    shown = str(path)
    data = read_bytes(Path(path), shown)
    return parse(decode(data, shown), shown, hashlib.sha256(data).hexdigest())


def parse(text: str, file: str = "<text>", sha256: str = "") -> Claims:
    """Return what the text of a claims file says; `file` is the name that errors show.

    Raises:
        ClaimsError: with every problem of the text.
    """
    digest = sha256 or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    collecting = gc.isenabled()
    gc.disable()  # a large file makes a million small objects and no rubbish
    try:
        return _read(read_tree(text, file), Desk(file), digest)
    finally:
        if collecting:
            gc.enable()


def _read(tree: Tree, desk: Desk, digest: str) -> Claims:
    _check_version(tree, desk)
    defaults = tree.entries.get("defaults")
    if isinstance(defaults, Tree):  # once by itself: its problems belong to no method
        read_section(Method, defaults, "defaults", desk)
    elif defaults is not None and getattr(defaults, "text", "") not in ("none", "undeclared"):
        desk.refuse(defaults, "defaults", "expected a mapping of what all methods share")
    claims = read_section(Claims, resolve(tree, desk), "", desk)
    if claims is not BAD:
        name_claims(claims)
        check_references(claims, tree, desk)
    if desk.problems or claims is BAD:
        raise ClaimsError(desk.problems)
    object.__setattr__(claims, "sha256", digest)
    return claims  # type: ignore[no-any-return]


def _check_version(tree: Tree, desk: Desk) -> None:
    """Refuse a file of another format at once: its keys may mean other things."""
    node = tree.entries.get("repcheck")
    if node is None:
        place = Where(desk.file, tree.line, tree.column, "repcheck")
        desk.note(Problem(place, "is missing", "begin the file with `repcheck: 1`"))
    elif (
        isinstance(node, Scalar) and node.text.isdecimal() and node.text.strip("0") not in ("", "1")
    ):
        desk.refuse(
            node,
            "repcheck",
            f"format {node.text[:20]} is newer than this repcheck, which reads format 1",
            "upgrade repcheck",
        )
        raise ClaimsError(desk.problems)
