"""Where numbers of the code act on a training, by its syntax alone.

A number counts if it reaches a loss, a comparison with an epoch or a score, an optimizer or a
schedule, or has the name of a setting; and every number in a branch that asks which dataset or
which sample this is. Found are literals and names that are given one literal, once in a file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from repcheck.source_code import words
from repcheck.source_code.constants import ORDINARY, Constant, number

DEEPEST = 40
MOST = 400


def constants(module: ast.Module, path: str, datasets: frozenset[str]) -> list[Constant]:
    """Return the numbers of a file that act on a training, each place once, by line.

    `datasets` are the declared names of datasets, in lower case.
    """
    look = _Look(path, datasets)
    look.names(module)
    look.walk(module)
    found: dict[tuple[str, float], Constant] = {}
    for one in look.found[:MOST]:
        key = (one.where, one.value)
        if key not in found or (one.when and not found[key].when):
            found[key] = one
    return sorted(found.values(), key=lambda c: int(c.where.rpartition(":")[2]))


@dataclass(frozen=True, slots=True)
class _Look:
    path: str
    datasets: frozenset[str]
    found: list[Constant] = field(default_factory=list)
    given: dict[str, ast.expr] = field(default_factory=dict)
    losses: set[str] = field(default_factory=set)
    literals: dict[int, list[int]] = field(default_factory=dict)

    def names(self, module: ast.Module) -> None:
        """Note which names are one number, and which are minimised."""
        twice: set[str] = set()
        for node in ast.walk(module):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in filter(None, map(words.name_of, targets)):
                    value = getattr(node, "value", None)
                    if name in self.given or number(value) is None:
                        twice.add(name)
                    elif isinstance(value, ast.expr):
                        self.given[name] = value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                minimised = isinstance(node.func.value, ast.Name)
                if node.func.attr == "backward" and minimised:
                    self.losses.add(words.name_of(node.func.value))
        for name in twice:
            self.given.pop(name, None)
        self.literals.update(_literals(module))

    def walk(self, module: ast.Module) -> None:
        """Visit every node with the question about the dataset under which it stands."""
        todo: list[tuple[ast.AST, str, str]] = [(module, "", "")]
        while todo:
            node, when, inside = todo.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if words.has(words.PLOTS, node.name):
                    continue
                inside = node.name
            if isinstance(node, ast.Call) and words.has(words.PLOTS, _root(node.func)):
                continue
            self._visit(node, when, inside)
            asked = self._asks(node.test) if isinstance(node, ast.If | ast.IfExp) else ""
            for child in ast.iter_child_nodes(node):
                branch = asked and child is not getattr(node, "test", None)
                todo.append((child, asked if branch else when, inside))

    # --- what a node gives ----------------------------------------------------------------------

    def _visit(self, node: ast.AST, when: str, inside: str) -> None:
        match node:
            case (
                ast.Assign(targets=[target], value=value)
                | ast.AnnAssign(target=target, value=ast.expr() as value)
            ):
                self._assigned(target, value, when)
            case ast.AugAssign(target=target, value=ast.expr() as value):
                self._assigned(target, value, when)
            case ast.Return(value=ast.expr() as value) if words.has(words.LOSS, inside):
                self._terms(value, when)
            case ast.Compare():
                self._compared(node, when)
            case ast.BinOp(op=ast.Mult()) as product:
                self._multiplied(product)
            case ast.Call():
                self._called(node, when)
            case ast.Dict():
                self._table(node)
            case ast.arguments():
                self._defaults(node, when)

    def _assigned(self, target: ast.expr, value: ast.expr, when: str) -> None:
        name = words.name_of(target)
        minimised = name in self.losses or words.has(words.LOSS, name)
        if minimised or any(map(_is_loss, _sum(value))):
            self._terms(value, when)
        if words.is_knob(name):
            self._add(value, f"`{name}`", when, name)
        elif when and words.may_be_setting(name):
            one_sample = words.SAMPLE.match(when) is not None
            self._add(value, f"`{name}`", when, name, whole=one_sample)
            for term in (*_sum(value), *_factors(value)):
                self._add(term, f"in `{name}`", when, name, whole=one_sample)

    def _multiplied(self, node: ast.BinOp) -> None:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(one, ast.Compare) and (asked := self._asks(one)):
                self._add(other, "a factor", asked)

    def _terms(self, value: ast.expr, when: str) -> None:
        """Take the factors of a sum that is minimised."""
        for term in _sum(value):
            factors = list(_factors(term))
            if len(factors) > 1:
                for one in factors:
                    self._add(one, "a factor of a loss", when, "loss_factor")

    def _compared(self, node: ast.Compare, when: str) -> None:
        sides = [node.left, *node.comparators]
        if self._asks(node):
            return
        for one, other in (*pairwise(sides), *pairwise(reversed(sides))):
            name = words.name_of(one)
            if words.has(words.PROGRESS, name) and words.may_be_setting(name):
                self._add(other, f"compared with `{name}`", when, f"{name}_limit")

    def _called(self, node: ast.Call, when: str) -> None:
        called = words.name_of(node.func)
        if words.OPTIMIZER.fullmatch(called):
            for value in node.args[1:]:
                self._add(value, f"an argument of `{called}`", when, called.lower())
            for word in node.keywords:
                name = word.arg or called.lower()
                self._add(word.value, f"`{name}` of `{called}`", when, name)
            return
        self._by_place(node, called, when)
        shuffled = any(one.arg in {"shuffle", "sampler"} for one in node.keywords)
        for given in node.keywords:
            # The batch size of an evaluation changes nothing.
            counts = given.arg != "batch_size" or shuffled
            if given.arg and counts and words.is_knob(given.arg):
                self._add(given.value, f"`{given.arg}` of `{called}`", when, given.arg)

    def _by_place(self, node: ast.Call, called: str, when: str) -> None:
        """Take what is given to well-known functions without its name."""
        if words.DROPOUT.fullmatch(called) and node.args:
            self._add(node.args[0 if called[:1].isupper() else -1], f"`{called}`", when, "dropout")
        if words.CLIP.fullmatch(called) and len(node.args) > 1:
            self._add(node.args[1], f"`{called}`", when, "clip_norm")
        if called == "backward" and isinstance(node.func, ast.Attribute):
            self._terms(node.func.value, when)
        if words.has(words.LOSS, called) or called == "cross_entropy":
            for one in node.args:
                if isinstance(one, ast.BinOp):
                    for factor in _factors(one):
                        self._add(factor, f"a scale inside `{called}`", when, "loss_scale")

    def _defaults(self, node: ast.arguments, when: str) -> None:
        named = [*node.posonlyargs, *node.args]
        pairs = [*zip(reversed(named), reversed(node.defaults), strict=False),
                 *zip(node.kwonlyargs, node.kw_defaults, strict=False)]  # fmt: skip
        for one, value in pairs:
            if words.is_knob(one.arg) and value is not None:
                self._add(value, f"the default of `{one.arg}`", when, one.arg)

    def _table(self, node: ast.Dict) -> None:
        keys = [words.text_of(one) for one in node.keys]
        if not any(map(self._is_dataset, keys)):
            return
        for key, value in zip(keys, node.values, strict=True):
            self._add(value, "in a table of datasets", f'"{key}"', whole=False)
            if isinstance(value, ast.Dict):
                for inner, deep in zip(value.keys, value.values, strict=True):
                    name = words.text_of(inner)
                    if words.is_knob(name):
                        self._add(deep, f"`{name}` in a table of datasets", f'"{key}"', name)

    # --- questions and values -------------------------------------------------------------------

    def _is_dataset(self, text: str) -> bool:
        return text.lower() in self.datasets

    def _asks(self, test: ast.expr) -> str:
        """Return a question about the dataset or the sample in words, "" for another one."""
        for node in ast.walk(test):
            if not isinstance(node, ast.Compare) or len(node.comparators) != 1:
                continue
            for one, other in ((node.left, node.comparators[0]),
                               (node.comparators[0], node.left)):  # fmt: skip
                name = words.name_of(one).lower()
                listed = (
                    other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else [other]
                )
                values = [o.value for o in listed[:50] if isinstance(o, ast.Constant)]
                texts = [v for v in values if isinstance(v, str)]
                about = words.DATASET.fullmatch(name) or any(map(self._is_dataset, texts))
                if texts and name and about:
                    return f'{name} is "{texts[0][:40]}"'
                if values and not texts and words.SAMPLE.fullmatch(name):
                    return f"{name} is {str(values[0])[:40]}"
        return ""

    def _add(
        self, value: ast.expr, sink: str, when: str, name: str = "", *, whole: bool = True
    ) -> None:
        """Take a number; without `whole`, only one that is no count."""
        for node in value.elts if isinstance(value, ast.Tuple | ast.List) else [value]:
            meant = node
            if isinstance(node, ast.Name | ast.Attribute):
                name = words.name_of(node)
                meant = self.given.get(name, node)
            worth = number(meant)
            if worth is None or abs(worth) in ORDINARY or (not whole and worth.is_integer()):
                continue
            at = f"{self.path}:{meant.lineno}"
            beside = self.literals.get(meant.lineno, [])
            many = len(beside) > 1 and meant.col_offset in beside
            edit = f"{at}:{beside.index(meant.col_offset) + 1}" if many else at
            self.found.append(
                Constant(value=worth, where=at, sink=sink, name=name, when=when, edit=edit)
            )


def _literals(module: ast.Module) -> dict[int, list[int]]:
    """Return the columns of the numbers and texts of each line, docstrings and f-strings apart."""
    found: dict[int, list[int]] = {}
    todo: list[ast.AST] = [module]
    while todo:
        node = todo.pop()
        doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if doc or isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.expr) and (number(node) is not None or words.text_of(node)):
            found.setdefault(node.lineno, []).append(node.col_offset)
            continue
        todo += ast.iter_child_nodes(node)
    return {line: sorted(columns) for line, columns in found.items()}


def _sum(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the terms of a sum; it has one if it is none."""
    todo, count = [node], 0
    while todo and count < MOST:
        one, count = todo.pop(), count + 1
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Add | ast.Sub):
            todo += [one.right, one.left]
        elif isinstance(one, ast.IfExp):
            todo += [one.orelse, one.body]
        else:
            yield one


def _is_loss(term: ast.expr) -> bool:
    """Return whether a term is called a loss, or has a factor that is."""
    return any("loss" in words.parts(words.name_of(one)) for one in _factors(term))


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the factors of a product and its divisors; inner sums count as one factor each."""
    todo, count = [node], 0
    while todo and count < MOST:
        one, count = todo.pop(), count + 1
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult | ast.Div):
            todo += [one.right, one.left]
        else:
            yield one


def _root(node: ast.expr) -> str:
    """Return the first name of a chain: `plt` of `plt.plot`."""
    for _ in range(DEEPEST):
        if isinstance(node, ast.Attribute):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            break
    return node.id if isinstance(node, ast.Name) else ""
