"""Which metrics the code that the commands start names, as text: nothing of it is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.claims.stated_commands import commands_of
from repcheck.fact import Evidence, Fact
from repcheck.metric_names import question
from repcheck.named import python
from repcheck.named.reach import reached
from repcheck.named.tree import tree

LONGEST = 60
_AVERAGES = frozenset({"macro", "micro", "weighted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsInCode(Fact):
    """Where the artifact's code first names each metric, by the words that say what it measures."""

    label: ClassVar[str] = "metrics that the code names"
    by_question: Mapping[frozenset[str], str]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Look at the files that the commands reach; empty where there are none."""
        commands = tuple((cwd, argv) for _, cwd, argv in commands_of(evidence.claims))
        here = tree(evidence.root) if commands else None
        if here is None:
            return cls(by_question={})
        found: dict[frozenset[str], str] = {}
        for path in reached(here, commands):
            module = python.parsed(here.text(path)) if path.endswith(".py") else None
            for name, line in _names(module) if module is not None else ():
                found.setdefault(question(name), f"{path}:{line}")
        return cls(by_question=found)

    def place(self, metric: str) -> str:
        """Return where a metric is named (`eval.py:12`), or nothing."""
        return self.by_question.get(question(metric), "")


def _names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what code calls its numbers: keys of mappings, names, functions, and F1's averages."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) <= LONGEST:
                yield node.value, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Call):
            average = next((one.value for one in node.keywords if one.arg == "average"), None)
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if isinstance(average, ast.Constant) and average.value in _AVERAGES:
                yield f"{average.value}_{name}", node.lineno
