"""Numbers that stand in the code and act on a training.

Here is what such a number is, and which are stated outside; `sinks` finds them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from repcheck.source_code import words

ORDINARY = frozenset({
    0.0, 1.0, 2.0, 0.5, 10.0, 100.0, 0.9, 0.99, 0.999, 255.0,
    0.485, 0.456, 0.406, 0.229, 0.224, 0.225,
    *(float(f"1e-{power}") for power in range(5, 13)),
})  # fmt: skip
"""Constants of nature and of habit, which say nothing of one method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number of the code: where (`loss.py:41`), under what name, and what it reaches.

    `when` is the question about the dataset or the sample that it depends on, "" for none. `edit`
    is how an arm names it: `loss.py:41`, or `loss.py:41:2` for the second literal of a line.
    """

    value: float
    where: str
    sink: str
    name: str = ""
    when: str = ""
    edit: str = ""

    def said(self) -> str:
        """Return it in words: `loss.py:41: 0.173, a factor of a loss`."""
        when = f" where `{self.when}`" if self.when else ""
        return f"`{self.where}`: {self.value:g}, {self.sink}{when}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settable:
    """The names that a command line or a configuration class can set, and their defaults."""

    names: frozenset[str] = frozenset()
    values: frozenset[float] = frozenset()


def settable(module: ast.Module) -> Settable:
    """Return what a file lets be set from outside: its options, and fields of its settings."""
    names: set[str] = set()
    values: set[float] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            flags = [a.value for a in node.args if isinstance(a, ast.Constant)]
            options = [f.lstrip("-").replace("-", "_") for f in flags
                       if isinstance(f, str) and f.startswith("-")]  # fmt: skip
            names.update(options)
            if options:
                values.update(v for word in node.keywords if word.arg == "default"
                              for v in _numbers(word.value))  # fmt: skip
        elif isinstance(node, ast.ClassDef) and _is_settings(node):
            for line in node.body:
                if isinstance(line, ast.AnnAssign | ast.Assign) and line.value is not None:
                    target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0]
                    names.add(words.name_of(target))
                    values.update(_numbers(line.value))
    return Settable(names=frozenset(names - {""}), values=frozenset(values))


def _is_settings(node: ast.ClassDef) -> bool:
    named = words.parts(node.name)[-1:]
    decorated = [words.name_of(one) for one in node.decorator_list]
    settings = {"config", "cfg", "args", "arguments", "options", "params", "settings", "hparams"}
    return bool(settings & set(named)) or (
        "dataclass" in decorated and not words.has(words.LOSS, node.name)
    )


def number(node: ast.AST | None) -> float | None:
    """Return the number that a literal is, with its sign; None for what is none."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            found = number(inner) if isinstance(inner, ast.Constant) else None
            return None if found is None else -found
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return None
    return None


def _numbers(node: ast.AST | None) -> Iterator[float]:
    found = number(node)
    if found is not None:
        yield found
    elif isinstance(node, ast.Tuple | ast.List):
        yield from (value for item in node.elts if (value := number(item)) is not None)


def undeclared(
    found: list[Constant], declared: frozenset[float], outside: Settable
) -> list[Constant]:
    """Return the numbers whose value nobody states and whose name nobody can set from outside."""
    known = declared | outside.values
    return [
        replace(one, name=one.name or "constant")
        for one in found
        if not any(_same(one.value, other) for other in known)
        and not (one.name and one.name in outside.names and not one.when)
    ]


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
