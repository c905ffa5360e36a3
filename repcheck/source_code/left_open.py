"""What an artifact leaves open: releases that it announces, functions that are written later."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from repcheck.named.tree import Tree
from repcheck.source_code.complete import Gap, raised

_PROMISE = re.compile(
    r"coming soon|(?:will|to) be (?:released|made (?:publicly )?available|uploaded|published)"
    r"|upon acceptance|release soon",
    re.IGNORECASE,
)
_WORK = frozenset({"train", "evaluate", "eval", "fit", "test", "forward", "loss", "model", "build",
                   "predict", "main", "run"})  # fmt: skip


def promises(tree: Tree) -> Iterator[Gap]:
    """Yield lines of the pages at the root that announce a release."""
    for path in tree.paths:
        if "/" in path or not path.lower().endswith((".md", ".rst", ".txt")):
            continue
        for number, line in enumerate(tree.text(path).splitlines()[:5_000], start=1):
            found = _PROMISE.search(line[:1_000])
            if found:
                at = f"{path}:{number}"
                yield Gap(said=f"`{at}` says \"{found[0]}\"", fix=f"release what `{at}` announces",
                          where=at)  # fmt: skip


def stubs(parsed: Mapping[str, ast.Module]) -> Iterator[Gap]:
    """Yield functions that are called and only raise NotImplementedError, or do nothing.

    Methods other than `forward` are not looked at: a class may leave them to its children.
    """
    called, parents = _used(parsed.values())
    for path, module in parsed.items():
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name in called:
                yield from _stub(path, node, node.name)
            elif isinstance(node, ast.ClassDef) and node.name in called - parents:
                for one in node.body:
                    if isinstance(one, ast.FunctionDef) and one.name == "forward":
                        yield from _stub(path, one, f"{node.name}.forward")


def _used(modules: Iterable[ast.Module]) -> tuple[set[str], set[str]]:
    """Return the names that are called anywhere, and those of classes that others derive from."""
    called: set[str] = set()
    parents: set[str] = set()
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                called.add(_last(node.func))
            elif isinstance(node, ast.ClassDef):
                parents |= set(map(_last, node.bases))
    return called, parents


def _last(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _stub(path: str, node: ast.FunctionDef, name: str) -> Iterator[Gap]:
    texts = (ast.Expr, ast.Constant)
    body = [one for one in node.body
            if not (isinstance(one, texts[0]) and isinstance(one.value, texts[1]))]  # fmt: skip
    raises = bool(body) and raised(body[0]) == "NotImplementedError"
    empty = all(isinstance(one, ast.Pass) for one in body)
    words = {*re.split(r"[_.]", name.lower())}
    if raises or (empty and words & _WORK):
        what = "raises NotImplementedError" if raises else "does nothing"
        at = f"{path}:{body[0].lineno if raises else node.lineno}"
        yield Gap(said=f"`{name}` in `{at}` is called and {what}", fix=f"write `{name}`", where=at)
