"""What a Python source file names: its constants, attributes, parameters and options."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_OPTION_MAKERS = frozenset({"add_argument", "option"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One place where a name gets a value; `value` is None where it is not that name's own."""

    name: str
    line: int
    value: ast.expr | None = None
    why: str = ""


def bindings(tree: ast.Module) -> Iterator[Binding]:
    """Return every binding of modules, classes, parameters with a default and options."""
    yield from _scope(tree, "")
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _options(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _global(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in classes:
                why = f"`{owner.id}.{node.attr}` is assigned from outside of the class"
                yield Binding(name=f"{owner.id}.{node.attr}", line=node.lineno, why=why)


def _scope(scope: ast.AST, above: str) -> Iterator[Binding]:
    """Return what is bound in a module or class, and what its functions take."""
    plainly: set[ast.AST] = set()
    for node in _within(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target, value in _pairs(node):
                plainly.add(target)
                yield Binding(name=above + target.id, line=target.lineno, value=value)
    for node in _within(scope):
        if node in plainly:
            continue
        if found := _otherwise(node):
            yield Binding(name=above + found[0], line=getattr(node, "lineno", 0), why=found[1])
        if isinstance(node, ast.ClassDef):
            yield from _scope(node, f"{above}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _parameters(node, f"{above}{node.name}.")


def _otherwise(node: ast.AST) -> tuple[str, str] | None:
    """Return the name that a node binds to anything but a value of its own, and how."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id, f"`{node.id}` does not stand alone before its `=`"
    if isinstance(node, ast.alias):
        name = (node.asname or node.name).split(".")[0]
        return name, f"`{name}` is imported"
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return node.name, f"`{node.name}` is caught"
    if isinstance(node, _SCOPES):
        return node.name, f"`{node.name}` is defined"
    return None


def _within(scope: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes of a scope, the inner scopes themselves but nothing inside of them."""
    body = scope.body if isinstance(scope, ast.Module | ast.ClassDef) else []
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_SCOPES, *_COMPREHENSIONS, ast.Lambda)):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _pairs(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Return the names that have a value of their own: `a = 1`, `a: int = 1`, `a, b = 1, 2`."""
    if isinstance(node, ast.AnnAssign):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target, node.value
        return
    if len(node.targets) != 1:
        return
    [target], value = node.targets, node.value
    if isinstance(target, ast.Name):
        yield target, value
    elif (
        isinstance(target, ast.Tuple)
        and isinstance(value, ast.Tuple)
        and len(target.elts) == len(value.elts)
        and all(isinstance(one, ast.Name) for one in target.elts)
    ):
        for one, its in zip(target.elts, value.elts, strict=True):
            if isinstance(one, ast.Name):
                yield one, its


def _parameters(function: _Function, above: str) -> Iterator[Binding]:
    given = function.args
    places = [*given.posonlyargs, *given.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(places[len(places) - len(given.defaults) :], given.defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None:
            yield Binding(name=above + argument.arg, line=argument.lineno, value=default)
    for node in _within(ast.Module(body=function.body, type_ignores=[])):
        if isinstance(node, ast.ClassDef):
            yield from _scope(node, f"{above}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _parameters(node, f"{above}{node.name}.")


def _global(function: _Function) -> Iterator[Binding]:
    names = {name for node in ast.walk(function) if isinstance(node, ast.Global)
             for name in node.names}  # fmt: skip
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in names and not isinstance(node.ctx, ast.Load):
            why = f"`{node.id}` is assigned in the function `{function.name}`"
            yield Binding(name=node.id, line=node.lineno, why=why)


def _options(call: ast.Call) -> Iterator[Binding]:
    """Return the options that argparse or click make: `add_argument("--width", default=8)`."""
    named = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if named == "set_defaults":
        for keyword in call.keywords:
            if keyword.arg is not None:
                for name in dict.fromkeys((keyword.arg, keyword.arg.replace("_", "-"))):
                    yield Binding(name=f"--{name}", line=keyword.value.lineno, value=keyword.value)
    if named not in _OPTION_MAKERS:
        return
    defaults = [keyword.value for keyword in call.keywords if keyword.arg == "default"]
    for argument in call.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            for name in argument.value.split("/"):
                if name.startswith("-"):
                    value = defaults[0] if defaults else None
                    why = "" if value else f"`{name}` has no `default=`; give it on the command"
                    line = value.lineno if value else argument.lineno
                    yield Binding(name=name, line=line, value=value, why=why)
