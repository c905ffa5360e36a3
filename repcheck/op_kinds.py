"""What operations amount to: activations and norms, also where they are written out by hand.

A piece of a graph that has one source and is made of arithmetic alone is a function of one number:
it is worked out at a few points and compared with the known activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from repcheck.op_graph import INPUT, Graph

_ACTIVATIONS_WORDS = (
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh tanh "
    "sigmoid hardsigmoid softplus softsign tanhshrink hardshrink softshrink logsigmoid "
    "threshold"
)

if TYPE_CHECKING:
    from repcheck.observation import OpSeen
ACTIVATIONS = frozenset(_ACTIVATIONS_WORDS.split())
GATES = frozenset({"sigmoid", "hardsigmoid", "tanh"})
_CLASSES = {
    "swish": "silu", "silu": "silu", "swishme": "silu", "memoryefficientswish": "silu",
    "mish": "mish", "mishme": "mish", "gelu": "gelu", "newgelu": "gelu", "quickgelu": "gelu",
    "hardswish": "hardswish", "hswish": "hardswish", "relu": "relu", "prelu": "prelu",
}  # fmt: skip

_POINTS = (-4.0, -2.5, -1.0, -0.4, 0.3, 1.0, 2.0, 5.0)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


_UNARY: dict[str, Callable[[float], float]] = {
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "erf": math.erf,
    "neg": lambda x: -x,
    "abs": abs,
    "square": lambda x: x * x,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "softplus": _softplus,
    "hardsigmoid": lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    "logsigmoid": lambda x: -_softplus(-x),
}
_BINARY: dict[str, tuple[Callable[[float, float], float], float]] = {
    "mul": (lambda a, b: a * b, 1.0),
    "div": (lambda a, b: a / b, 1.0),
    "rdiv": (lambda a, b: b / a, 1.0),
    "add": (lambda a, b: a + b, 0.0),
    "sub": (lambda a, b: a - b, 0.0),
    "rsub": (lambda a, b: b - a, 0.0),
    "pow": (lambda a, b: a**b, 1.0),
    "maximum": (max, 0.0),
    "max": (max, 0.0),
    "gt": (lambda a, b: float(a > b), 0.0),
    "ge": (lambda a, b: float(a >= b), 0.0),
    "lt": (lambda a, b: float(a < b), 0.0),
}
_RANGE = frozenset({"clamp", "clamp_min", "clamp_max", "hardtanh"})
ARITHMETIC = frozenset(_UNARY) | frozenset(_BINARY) | _RANGE | {"where"}
_KNOWN: dict[str, tuple[Callable[[float], float], float]] = {
    "relu": (lambda x: max(x, 0.0), 2e-3),
    "relu6": (lambda x: min(max(x, 0.0), 6.0), 2e-3),
    "silu": (lambda x: x * _sigmoid(x), 2e-3),
    "gelu": (lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))), 2.2e-2),
    "softplus": (_softplus, 2e-3),
    "mish": (lambda x: x * math.tanh(_softplus(x)), 2e-3),
    "hardswish": (lambda x: x * min(max(x + 3, 0.0), 6.0) / 6, 2e-3),
    "elu": (lambda x: x if x > 0 else math.expm1(x), 2e-3),
    "softsign": (lambda x: x / (1 + abs(x)), 2e-3),
    "tanh": (math.tanh, 2e-3),
    "sigmoid": (_sigmoid, 2e-3),
}
_TOPS_WORDS = "mul add sub div log log1p clamp clamp_min maximum max where rsub"
_TOPS = frozenset(_TOPS_WORDS.split())  # fmt: skip
_GUARDS = frozenset({"pow", "log", "sqrt", "rsqrt", "div", "rdiv"})
_NORM_CLASSES = {
    "batchnorm": "batch_norm", "layernorm": "layer_norm", "rmsnorm": "rms_norm",
    "groupnorm": "group_norm", "instancenorm": "instance_norm",
}  # fmt: skip
_REDUCED = frozenset({"mean", "var", "std", "var_mean", "std_mean", "sum"})
STEPS = 24


def activation_named(op: OpSeen) -> str:
    """Return the activation an operation is by its name or its module's, or nothing."""
    if op.op in ACTIVATIONS:
        return op.op
    return _CLASSES.get(op.cls.lower(), "") if op.parts.get("opaque") else ""


def norm_named(op: OpSeen) -> str:
    """Return the norm that a module is by its class, whatever it is made of; else nothing."""
    name = op.cls.lower()
    return next((kind for word, kind in _NORM_CLASSES.items() if word in name), "")


def written_out(graph: Graph, at: int) -> tuple[str, int, set[int]]:
    """Return the activation that is written out and ends here, its source and what it is made of.

    The name is empty where there is none, and `glu` where it has halves of one output for source.
    """
    if graph.ops[at].op not in _TOPS or _is_guard(graph, at):
        return "", INPUT, set()
    for source, region in regions(graph, at, ARITHMETIC):
        name = _match(graph, at, source)
        if not name:
            continue
        if source != INPUT and graph.size(source) != graph.size(at):
            name = "glu"
        return name, source, region
    return "", INPUT, set()


def _is_guard(graph: Graph, at: int) -> bool:
    """Return whether values are only kept from zero before a root, a power or a division."""
    users = {graph.ops[user].op for user in graph.users[at]}
    return graph.ops[at].op in _RANGE and bool(users) and users <= _GUARDS


def regions(graph: Graph, at: int, through: frozenset[str]) -> Iterator[tuple[int, set[int]]]:
    """Yield each single source of an output, nearest first, and the operations up to it."""
    front, region = set(graph.inputs[at]), {at}
    for _ in range(STEPS):
        if len(front) == 1:
            yield next(iter(front)), set(region)
        last = max(front, default=INPUT)
        if last == INPUT or graph.ops[last].op not in through:
            return
        front.discard(last)
        front |= set(graph.inputs[last])
        region.add(last)


def _match(graph: Graph, at: int, source: int) -> str:
    try:
        values = [_value(graph, at, source, x, {}) for x in _POINTS]
    except (ArithmeticError, ValueError, TypeError):
        return ""
    for name, (known, slack) in _KNOWN.items():
        far = (abs(known(x) - value) for x, value in zip(_POINTS, values, strict=True))
        if all(gap <= slack for gap in far):
            return name
    slope = values[2] / _POINTS[2]
    leaky = (x if x > 0 else slope * x for x in _POINTS)
    bent = all(abs(one - value) < 1e-6 for one, value in zip(leaky, values, strict=True))
    return "leaky_relu" if bent and 0 < slope < 1 else ""


def _value(graph: Graph, at: int, source: int, x: float, known: dict[int, float]) -> float:
    """Work out an operation for one number as the value of its source."""
    if at == source:
        return x
    if at not in known:
        op = graph.ops[at]
        given = [_value(graph, one, source, x, known) for one in op.inputs]
        known[at] = _apply(op, given)
    return known[at]


def _apply(op: OpSeen, given: list[float]) -> float:
    if op.op in _UNARY:
        return _UNARY[op.op](given[0])
    if op.op in _RANGE:
        low, high = op.parts.get("min"), op.parts.get("max")
        least = float(low) if isinstance(low, int | float) else -math.inf
        most = float(high) if isinstance(high, int | float) else math.inf
        return min(max(given[0], least), most)
    if op.op == "where":
        return given[1] if given[0] else given[2] if len(given) > 2 else 0.0
    work, neutral = _BINARY[op.op]
    other = op.parts.get("exponent" if op.op == "pow" else "other", neutral)
    second = given[1] if len(given) > 1 else other
    if not isinstance(second, int | float):
        raise TypeError(op.op)
    result = work(given[0], float(second))
    if isinstance(result, complex):
        raise ArithmeticError(op.op)
    return result


def norm_written_out(graph: Graph, at: int) -> tuple[str, set[int]]:
    """Return the norm that is written out and ends here, and what it is made of; else nothing."""
    if graph.ops[at].op not in {"div", "mul"} or len(graph.inputs[at]) < 2:
        return "", set()
    for _, region in regions(graph, at, ARITHMETIC | _REDUCED):
        names = {graph.ops[one].op for one in region}
        spread = names & {"var", "std", "var_mean", "std_mean"}
        rooted = names & {"sqrt", "rsqrt", "std", "std_mean", "pow"}
        squared = spread or names & {"pow", "square", "mul"}
        if not (squared and rooted and names & _REDUCED):
            continue
        if not names & {"sub", "rsub"}:
            return ("rms_norm", region) if "mean" in names else ("", set())
        return _norm_over(graph, region), region
    return "", set()


def _norm_over(graph: Graph, region: set[int]) -> str:
    """Return the kind of a norm by the dimensions it averages over, of which 0 is the batch."""
    over: set[int] = set()
    for one in region:
        dims = graph.ops[one].parts.get("dim")
        if graph.ops[one].op in _REDUCED and dims is not None:
            listed = dims if isinstance(dims, tuple) else (dims,)
            over |= {int(dim) for dim in listed if isinstance(dim, int | float)}
    if 0 in over or not over:
        return "batch_norm"
    return "instance_norm" if over in ({2, 3}, {-1, -2}, {2}) else "layer_norm"
