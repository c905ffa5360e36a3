"""Names of datasets in Python source, by its syntax alone."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from repcheck.named.found import OPTION, SURE, Named

_OPTION = re.compile(rf"-{{0,2}}(?:{OPTION})", re.IGNORECASE)
_REGISTRY = re.compile(r"(?:[A-Z]+_)?DATA_?SETS?(?:_[A-Z]+)?|(?:DATA_?)?LOADERS")
_LIBRARIES = ("sklearn.datasets", "torchvision.datasets")
_LOADING = re.compile(r"(?:load|fetch)_(\w+)")
_WRAPPERS = {"sorted", "list", "tuple", "set", "frozenset", "dict"}


def parsed(text: str) -> ast.Module | None:
    """Return a file's syntax, None if it has none that this Python knows."""
    try:
        with warnings.catch_warnings():  # `"\d"` in a foreign file is no news of ours
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def named(module: ast.Module, path: str) -> list[Named]:
    """Return the datasets that a file names: choices of options, registries, calls of loaders."""
    look = _Look(path)
    nodes = list(ast.walk(module))
    for node in nodes:
        look.note(node)
    for node in nodes:
        look.visit(node)
    return look.found


def imported(module: ast.Module) -> Iterator[str]:
    """Yield the modules that a file imports, dotted; relative ones with their dots in front."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            head = "." * node.level + (node.module or "")
            yield head
            between = "" if head.endswith(".") or not head else "."
            yield from (f"{head}{between}{alias.name}" for alias in node.names)


@dataclass(frozen=True, slots=True)
class _Look:
    path: str
    found: list[Named] = field(default_factory=list)
    constants: dict[str, ast.expr] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)

    def note(self, node: ast.AST) -> None:
        """Remember what later names stand for: constants, and what libraries are called here."""
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            if isinstance(node.targets[0], ast.Name):
                self.constants.setdefault(node.targets[0].id, node.value)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.libraries[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                self.libraries[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit(self, node: ast.AST) -> None:
        """Take the names that a node gives."""
        match node:
            case ast.Call():
                self._options(node)
                self._hub(node)
            case ast.Assign(targets=[ast.Name(id=name)]) if _REGISTRY.fullmatch(name):
                self._add(self._strings(node.value), node, f"`{name}`", sure=False)
            case ast.AnnAssign(target=ast.Name(id=name)) if _OPTION.fullmatch(name):
                self._literal(node.annotation, name)
            case ast.arg(arg=name, annotation=ast.expr()) if _OPTION.fullmatch(name):
                self._literal(node.annotation, name)
            case ast.Compare(left=left, comparators=[ast.Constant(value=str() as value)]):
                name = getattr(left, "attr", getattr(left, "id", ""))
                if _OPTION.fullmatch(name):
                    self._add([value], node, f"a case of `{name}`", name, sure=_is_sure(name))
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                self._loader(node)

    def _add(
        self, names: list[str], node: ast.AST, how: str, group: str = "", *, sure: bool
    ) -> None:
        line = getattr(node, "lineno", 0)
        at = f"{self.path}:{line}"
        place = f"{self.path}, {group}" if group else at
        self.found.extend(
            Named(name=name, where=at, how=how, group=place, sure=sure) for name in names
        )

    def _options(self, call: ast.Call) -> None:
        flags = [a.value for a in call.args if isinstance(a, ast.Constant)]
        option = next((f for f in flags if isinstance(f, str) and _OPTION.fullmatch(f)), "")
        if not option:
            return
        for word in call.keywords:
            value = word.value
            if word.arg == "type" and isinstance(value, ast.Call) and value.args:
                value = value.args[0]  # click.Choice([...])
            elif word.arg != "choices":
                continue
            self._add(self._strings(value), call, f"choices of {option}", sure=_is_sure(option))

    def _literal(self, annotation: ast.expr | None, name: str) -> None:
        if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith(
            "Literal"
        ):
            self._add(self._strings(annotation.slice), annotation, f"`{name}`", sure=_is_sure(name))

    def _hub(self, call: ast.Call) -> None:
        called = self._dotted(call.func)
        first = call.args[0] if call.args else None
        known = called in {"datasets.load_dataset", "tensorflow_datasets.load"}
        if known and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self._add([first.value.partition(":")[0]], call, f"a call of {called}", sure=True)

    def _loader(self, node: ast.Name | ast.Attribute) -> None:
        library, _, last = self._dotted(node).rpartition(".")
        if library not in _LIBRARIES:
            return
        found = _LOADING.fullmatch(last) if library == _LIBRARIES[0] else None
        name = found[1] if found else last
        if found or (library == _LIBRARIES[1] and last[:1].isupper() and "Folder" not in last):
            self._add([name], node, f"{library}.{last}", "loaders", sure=True)

    def _dotted(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        full = ".".join([node.id, *reversed(parts)])
        head = next((h for h in (full, node.id) if h in self.libraries), "")
        return self.libraries[head] + full.removeprefix(head) if head else full

    def _strings(self, node: ast.expr, depth: int = 0) -> list[str]:
        """Return the texts of a list that is written out, or of a constant that is one."""
        if depth > 5:
            return []
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [i.value for i in items
                        if isinstance(i, ast.Constant) and isinstance(i.value, str)]  # fmt: skip
            case ast.Dict(keys=keys):
                return [k.value for k in keys
                        if isinstance(k, ast.Constant) and isinstance(k.value, str)]  # fmt: skip
            case ast.Name(id=name) if name in self.constants:
                return self._strings(self.constants[name], depth + 1)
            case ast.Call(func=ast.Attribute(value=inner, attr="keys")):
                return self._strings(inner, depth + 1)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _WRAPPERS:
                return self._strings(first, depth + 1)
            case ast.BinOp(left=left, right=right, op=ast.Add()):
                return self._strings(left, depth + 1) + self._strings(right, depth + 1)
            case ast.List() | _:
                return []


def _is_sure(option: str) -> bool:
    return SURE.fullmatch(option.lstrip("-")) is not None
