"""What an artifact would need to run its own commands, and does not hold."""

from __future__ import annotations

import ast
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repcheck.confined import open_below
from repcheck.named.reach import in_command, resolved
from repcheck.named.tree import Tree

_SCRIPT = re.compile(r"[\w./-]+\.(?:py|sh|bash)", re.ASCII)
WEIGHTS = re.compile(
    r"[\w./-]+\.(?:pt|pth|ckpt|safetensors|bin|h5|npz|onnx|pkl|joblib|msgpack)", re.ASCII
)
_BUILT = re.compile(r"(?:^|[._])(?:version|_?C|ext|cuda|cpp|ops|pb2|pb2_grpc|kernels?)$")
"""Modules that a build makes."""
DEEPEST = 6
MOST = 20
Modules = Callable[[str], ast.Module | None]
Presence = Literal["there", "missing", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that is not there: in words, where it is seen, and what would mend it."""

    said: str
    fix: str
    where: str = ""


def presence(root: Path, path: str) -> Presence:
    """Return whether a file stands below a folder; links on the way are not followed: unknown."""
    if path.startswith(("/", "../", "~")) or path == "..":
        return "unknown"
    try:
        os.close(open_below(root, path.split("/")))
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError):
        return "unknown"
    return "there"


def script_of(cwd: str, argv: Sequence[str]) -> str:
    """Return the script that a command starts, by its path in the artifact; "" for a module."""
    for before, word in zip(("", *argv), argv, strict=False):
        if before == "-m":
            return ""
        if _SCRIPT.fullmatch(word):
            return posixpath.normpath(posixpath.join(cwd or ".", word))
    return ""


def entry(tree: Tree, cwd: str, argv: Sequence[str]) -> tuple[str, Gap | None]:
    """Return the file of the artifact that a command starts, "" for none, or that it is missing."""
    script = script_of(cwd, argv)
    if not script:
        named = in_command(cwd, argv, set(tree.paths))
        return (named[0] if named else ""), None
    found = presence(tree.root, script)
    if found == "missing":
        return "", Gap(said=f"`{script}` is not there", fix=f"add `{script}`")
    return (script if found == "there" else ""), None


def weights_missing(tree: Tree, cwd: str, argv: Sequence[str]) -> Iterator[Gap]:
    """Yield the files of weights that a command names and the artifact does not hold."""
    for word in argv:
        name = word.rpartition("=")[2]
        if WEIGHTS.fullmatch(name):
            path = posixpath.normpath(posixpath.join(cwd or ".", name))
            if presence(tree.root, path) == "missing":
                yield Gap(
                    said=f"the weights `{path}` are not there",
                    fix=f"add `{path}`, or say in `artifact.env.setup` where they come from",
                )


# --- what a script reaches without asking -------------------------------------------------------


def ends_in(tree: Tree, start: str, modules: Modules) -> Gap | None:
    """Return where a script surely raises NotImplementedError, if it does.

    Followed are statements that are executed whatever the arguments are: at the top of the file,
    below `if __name__ == "__main__"`, and in functions of the artifact that these call.
    """
    return _Reach(tree, modules).of_module(start, 0)


@dataclass(frozen=True, slots=True)
class _Reach:
    tree: Tree
    modules: Modules

    def of_module(self, path: str, depth: int) -> Gap | None:
        module = self.modules(path)
        return self._of(module.body, path, depth) if module is not None else None

    def _of(self, body: Sequence[ast.stmt], path: str, depth: int) -> Gap | None:
        for line in body[:1_000]:
            if isinstance(line, ast.Return | ast.Break | ast.Continue):
                break
            if isinstance(line, ast.Raise):
                return self._raised(line, path)
            inner: Sequence[ast.stmt] = []
            if isinstance(line, ast.With | ast.AsyncWith) or _is_main(line):
                inner = getattr(line, "body", [])
            found = self._of(inner, path, depth) if inner else self._called(line, path, depth)
            if found is not None:
                return found
        return None

    def _raised(self, line: ast.Raise, path: str) -> Gap | None:
        if raised(line) == "NotImplementedError":
            at = f"{path}:{line.lineno}"
            said = f"`{path}` raises NotImplementedError at line {line.lineno}"
            return Gap(said=said, fix=f"write what `{at}` leaves out", where=at)
        return None

    def _called(self, line: ast.stmt, path: str, depth: int) -> Gap | None:
        if depth >= DEEPEST or not isinstance(line, ast.Expr | ast.Assign | ast.AnnAssign):
            return None
        for name in list(_calls(line.value))[:MOST]:
            place = self._function(path, name)
            if place is not None:
                found = self._of(place[1].body, place[0], depth + 1)
                if found is not None:
                    return found
        return None

    def _function(self, path: str, name: str) -> tuple[str, ast.FunctionDef] | None:
        """Return the function of this name of a file, or of one that it imports it from."""
        module = self.modules(path)
        for node in module.body if module else []:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return path, node
            if isinstance(node, ast.ImportFrom):
                real = next((a.name for a in node.names if (a.asname or a.name) == name), "")
                where = "." * node.level + (node.module or "")
                files = resolved(path, [where], set(self.tree.paths)) if real else ()
                for file in files:
                    other = self.modules(file)
                    for inner in other.body if other else []:
                        if isinstance(inner, ast.FunctionDef) and inner.name == real:
                            return file, inner
        return None


def raised(line: ast.stmt) -> str:
    """Return the name of the error that a statement raises, "" for one that raises none."""
    error = line.exc if isinstance(line, ast.Raise) else None
    what = error.func if isinstance(error, ast.Call) else error
    return what.id if isinstance(what, ast.Name) else ""


def _is_main(line: ast.stmt) -> bool:
    test = line.test if isinstance(line, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )


def _calls(node: ast.expr | None) -> Iterator[str]:
    """Yield the names of functions that an expression calls whatever its parts are."""
    todo = [node] if node is not None else []
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Lambda | ast.IfExp | ast.BoolOp | ast.GeneratorExp | ast.ListComp):
            continue
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
            yield one.func.id
        todo += [c for c in ast.iter_child_nodes(one) if isinstance(c, ast.expr)]
        todo += [k.value for k in one.keywords] if isinstance(one, ast.Call) else []


# --- what is imported and not there -------------------------------------------------------------


def imports_missing(tree: Tree, path: str, module: ast.Module) -> Iterator[Gap]:
    """Yield imports of the artifact's own modules that it does not hold.

    Its own are relative ones, and those below a package (with `__init__.py`) beside the script or
    at the root; what is tried, or imported inside a function, need not be there.
    """
    for node in module.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            target = _lost(tree, path, name)
            if target:
                yield Gap(
                    said=f"`{path}` imports `{name}`, and there is no `{target}`",
                    fix=f"add `{target}.py`",
                    where=f"{path}:{node.lineno}",
                )


def _lost(tree: Tree, path: str, name: str) -> str:
    """Return where an own module should stand and does not, "" where it does or is not own."""
    bare, folder = name.lstrip("."), posixpath.dirname(path)
    up = len(name) - len(bare)
    if not bare or (not up and "." not in bare) or _BUILT.search(bare):
        return ""
    bases = [posixpath.join(folder, *[".."] * (up - 1))] if up else ["", folder]
    for base in bases:
        target = posixpath.normpath(posixpath.join(base, bare.replace(".", "/")))
        if target.startswith(".."):
            return ""
        head = posixpath.normpath(posixpath.join(base, bare.partition(".")[0]))
        own = up or f"{head}/__init__.py" in tree.paths
        if (
            own
            and not any(one.startswith((f"{target}.", f"{target}/")) for one in tree.paths)
            and _parent_is_plain(tree, target)
        ):
            return target
    return ""


def _parent_is_plain(tree: Tree, target: str) -> bool:
    """Return whether a module can only be a file: its package makes none of its own."""
    parent = posixpath.dirname(target)
    first = presence(tree.root, target) == "missing"
    inits = [p for p in (f"{parent}/__init__.py", f"{parent}.py".lstrip("/")) if p in tree.paths]
    texts = [tree.text(one) for one in inits]
    return first and not any("sys.modules" in text or "__path__" in text for text in texts)
