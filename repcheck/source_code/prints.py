"""Fingerprints of functions: what is left of two pieces of code once all names are erased.

A function is written down as the kinds of its syntax nodes in order. Names of the artifact's own
making, texts, comments, docstrings, annotations and all numbers but small whole ones are erased;
names of the libraries that it calls stay, because whoever copies code cannot rename those. Of each
run of K such tokens a hash is taken, and of each window of W hashes the smallest one is kept
(winnowing: any common run of K + W - 1 tokens is found).

Source: Schleimer, Wilkerson and Aiken 2003, Winnowing: local algorithms for document
fingerprinting.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from zlib import crc32

K = 8
W = 4
_MODULUS = (1 << 61) - 1
_BASE = 1_000_003
_SMALL = frozenset({-1, 0, 1, 2, 3})
_KEPT_METHODS_WORDS = (
    "view reshape permute transpose flatten unsqueeze squeeze expand repeat mean sum softmax matmul"
    " bmm mm einsum chunk split cat stack norm exp log sqrt pow clamp relu sigmoid tanh contiguous"
    " masked_fill argmax max min gather scatter roll pad interpolate size detach"
)
_KEPT_METHODS = frozenset(_KEPT_METHODS_WORDS.split())
# What trains, loads and prints looks alike everywhere, and so do its names.
_BOILERPLATE_WORDS = (
    "main train test evaluate validate eval fit train_epoch train_one_epoch run parse_args get_args"
    " arguments parse_arguments get_loader get_dataloader load_data save_checkpoint load_checkpoint"
    " set_seed seed_everything log report step training_step validation_step test_step"
    " configure_optimizers train_dataloader val_dataloader test_dataloader adjust_learning_rate"
    " accuracy __len__ __getitem__ __iter__ __repr__ extra_repr __str__ setup prepare_data"
)
_BOILERPLATE = frozenset(_BOILERPLATE_WORDS.split())
_LOOP_CALLS = frozenset({"backward", "zero_grad", "add_argument", "parse_args", "DataLoader"})
_MODEL_CALLS_WORDS = (
    "Conv1d Conv2d Conv3d Linear softmax relu cross_entropy matmul einsum cat stack Parameter"
    " ModuleList Sequential LayerNorm BatchNorm2d sigmoid bmm MultiheadAttention Dropout gelu"
    " interpolate mse_loss normalize log_softmax AvgPool2d MaxPool2d AdaptiveAvgPool2d mean sum exp"
    " Embedding ReLU GELU tanh conv2d linear"
)
_MODEL_CALLS = frozenset(_MODEL_CALLS_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One function's fingerprint: where it stands, how long it is, and its kept hashes."""

    name: str
    path: str
    line: int
    statements: int
    hashes: frozenset[int]

    @property
    def where(self) -> str:
        """Return where it stands: `reference/senet.py:SEBlock.forward`."""
        return f"{self.path}:{self.name}"


@dataclass(slots=True, frozen=True)
class Budget:
    """How many syntax nodes may still be gone through, and which files could not be."""

    left: list[int]
    lost: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, nodes: int) -> Budget:
        """Make a budget."""
        return cls([nodes])

    @property
    def spent(self) -> bool:
        """Return whether nothing is left."""
        return self.left[0] <= 0

    def take(self, nodes: int) -> None:
        """Spend some."""
        self.left[0] -= nodes


def prints(module: ast.Module, path: str, budget: Budget) -> Iterator[Print]:
    """Yield the fingerprint of every function of models and losses, methods by `Class.method`."""
    library = _library(module)
    for name, node, in_model in _functions(module):
        if budget.spent:
            return
        if node.name in _BOILERPLATE or not (in_model or _computes(node)):
            continue
        tokens, statements = _tokens(node, library)
        budget.take(len(tokens))
        yield Print(
            name=name,
            path=path,
            line=node.lineno,
            statements=statements,
            hashes=winnowed(tokens),
        )


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(module: ast.Module) -> Iterator[tuple[str, _Function, bool]]:
    """Yield functions and methods, outer ones first; what stands in one is a part of it."""
    todo: deque[tuple[str, ast.AST, bool]] = deque([("", module, False)])
    while todo:
        prefix, node, in_model = todo.popleft()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _Function):
                yield f"{prefix}{child.name}", child, in_model
            elif isinstance(child, ast.ClassDef):
                todo.append((f"{prefix}{child.name}.", child, _is_model(child)))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                todo.append((prefix, child, in_model))


def _is_model(node: ast.ClassDef) -> bool:
    bases = [_last(base) for base in node.bases]
    known = any("Module" in base or base in {"Layer", "Function", "Model"} for base in bases)
    return known or any(isinstance(c, _Function) and c.name == "forward" for c in node.body)


def _last(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _computes(node: _Function) -> bool:
    """Return whether a function outside a model computes with tensors and trains nothing."""
    called = {_last(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in ast.walk(node))
    return returns and bool(called & _MODEL_CALLS) and not called & _LOOP_CALLS


def _library(module: ast.Module) -> dict[str, str]:
    """Return what names of a file stand for in a library: `F` for functional, `nn` for nn."""
    found: dict[str, str] = {}
    todo: list[ast.AST] = [*module.body]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in _LIBRARIES:
                    known = alias.asname or alias.name.partition(".")[0]
                    found[known] = alias.name.rpartition(".")[2]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            theirs = (node.module or "").partition(".")[0] in _LIBRARIES
            found |= {a.asname or a.name: a.name for a in node.names} if theirs else {}
        elif isinstance(node, ast.If | ast.Try | ast.ExceptHandler):
            todo += node.body
    return found


_LIBRARIES = frozenset({"torch", "numpy", "jax", "flax", "tensorflow", "keras", "einops", "timm"})


def _tokens(function: _Function, library: dict[str, str]) -> tuple[list[str], int]:
    """Return a function in preorder, names erased, and how many statements it has.

    Its name, decorators and hints do not count.
    """
    found: list[str] = []
    statements = 0
    todo: list[ast.AST] = [*reversed(_body(function.body)), function.args]
    while todo:
        node = todo.pop()
        statements += isinstance(node, ast.stmt)
        token, below = _token(node, library)
        found.append(token)
        todo += reversed(below)
    return found, statements


def _token(node: ast.AST, library: dict[str, str]) -> tuple[str, list[ast.AST]]:
    """Return what a node is written as, and the nodes below it that are written too."""
    match node:
        case ast.Name(id=name):
            return (f".{library[name]}" if name in library else "N"), []
        case ast.Constant(value=value):
            small = type(value) is int and value in _SMALL
            return (repr(value) if small else type(value).__name__), []
        case ast.Attribute(attr=name, value=owner):
            if _root(owner) in library:
                return f".{name}", []
            called = name in _KEPT_METHODS and not _is_self(owner)
            return (f".{name}" if called else "A"), [owner]
        case ast.arg() | ast.JoinedStr():
            return type(node).__name__, []
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return "Assign", [target, value]
    return type(node).__name__, _children(node)


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes below a node; twice as quick as `ast.iter_child_nodes`."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
            found.append(value)
    return found


def _body(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements without a docstring."""
    first = body[0] if body else None
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if doc else body


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def winnowed(tokens: Iterable[str]) -> frozenset[int]:
    """Return the kept hashes of a text of tokens; none of one that is shorter than K."""
    codes = [crc32(token.encode("utf-8", errors="replace")) for token in tokens]
    if len(codes) < K:
        return frozenset()
    top = pow(_BASE, K - 1, _MODULUS)
    value = 0
    hashes: list[int] = []
    for place, code in enumerate(codes):
        if place >= K:
            value = (value - codes[place - K] * top) % _MODULUS
        value = (value * _BASE + code) % _MODULUS
        if place >= K - 1:
            hashes.append(value)
    last = max(1, len(hashes) - W + 1)
    return frozenset(min(hashes[start : start + W]) for start in range(last))
