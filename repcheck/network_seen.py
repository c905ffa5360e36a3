"""What a probe saw of the network within one run: its operations, their costs, what they equal.

Parts of an observation (`repcheck.observation`), which says what they are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scalar = float | int | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopsSeen:
    """What one call of a module cost, counted while the artifact ran.

    `phase` is train (with what followed: backward, recomputation in it, optimizer step), eval or
    teacher. All costs are FLOPs (two for each multiply-accumulate) of the whole call on `rows`
    rows; `elementwise` is apart and never added. `coverage` is the share of the calls of matrix
    operations that have a formula; `uncounted` names the others.
    """

    root: int
    cls: str
    phase: Literal["train", "eval", "teacher"]
    rows: int
    shape: tuple[int, ...] = ()
    forward: float = 0.0
    backward: float = 0.0
    recompute: float = 0.0
    optimizer: float = 0.0
    elementwise: float = 0.0
    coverage: float = 1.0
    uncounted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurgerySeen:
    """A change that repcheck made in the process: `times` 0 means never, such an arm is invalid."""

    kind: str
    what: str = ""
    times: int = 0
    places: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSeen:
    """One operation of a forward pass, in call order.

    `op` is the operation's plain name (conv2d, linear, relu, silu, batch_norm, add, cat, mul,
    sigmoid, softmax, avg_pool2d, interpolate ...); `module` the dotted path of the innermost
    module and `cls` its class ("" outside any). `inputs` are indices of the operations whose
    outputs it took (-1: the model's input or a constant of it). `shape` is the output's without
    the batch dimension; `params` counts the elements of parameters it used for the first time.
    `parts` are numbers that tell variants apart (stride, kernel, groups, p, negative slope ...).
    """

    op: str
    module: str = ""
    cls: str = ""
    inputs: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    params: int = 0
    parts: Mapping[str, Scalar | tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSeen:
    """What one forward pass of a trained module did; `cut` says that operations are missing.

    `digest` is of all calls with their arguments, wiring and shapes: two modules of one digest
    compute one function up to their parameters. "" where not all of it could be read.
    """

    root: int
    cls: str
    params: int
    trainable: int
    shape: tuple[int, ...] = ()
    ops: tuple[OpSeen, ...] = ()
    cut: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualSeen:
    """A module class of the artifact beside a catalogue of known functions.

    `known` names the nearest function of `of` in the catalogue, `diff` the largest difference of
    both on `n` random inputs, relative to the largest output at that scale; None: it was not asked,
    for the reason in `why`. `fitted` says that a scale and an offset were fitted to it; `training`
    that both are also one in training mode. `cls` is the class's full name, `module` the dotted
    path of one of its instances, `params` the elements of its own parameters.
    """

    cls: str
    module: str = ""
    params: int = 0
    known: str = ""
    diff: float | None = None
    n: int = 0
    of: int = 0
    scales: tuple[float, ...] = ()
    fitted: bool = False
    training: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermSeen:
    """One operand of a sum that gradients were taken of.

    `share` is the median of its share of the gradient norms of all operands (over the parameters
    that an optimizer holds), `mean` the mean; `small` is the share of the samples in which neither
    that nor its share on any single parameter (`top`, the largest median) reached 1 %.
    """

    share: float
    mean: float
    top: float
    small: float
    op: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSeen:
    """A loss that was a sum, sampled evenly over the training; operands in the order of the sum.

    `constants` are operands that no gradient flows into: plain numbers, or detached terms.
    `steps` is the first and the last step that was looked at, `calls` the backward passes of its
    form in all.
    """

    n: int
    calls: int
    terms: tuple[TermSeen, ...]
    constants: int = 0
    steps: tuple[int, ...] = ()
