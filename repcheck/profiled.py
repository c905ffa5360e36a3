"""What one model of an artifact costs, as it was counted in the artifact's interpreter.

All costs are FLOPs: two for each multiply-accumulate (MAC) of matrix operations. Element-wise
operations are apart and never added. Unless a field says otherwise, a cost is that of one call
with the whole input that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repcheck.observation import OpSeen

MAC = 2
"""FLOPs of one multiply-accumulate."""
AGREEING = 0.01
"""Two counts of one pass may differ by this share before it is said."""
COMPLETE = 0.99
"""A count covers its pass where this share of the calls of matrix operations has a formula."""
SAME_OUTPUT = 1e-4
"""A deploy form gives the same outputs up to this share of the largest one."""


class Look(StrEnum):
    """What is looked at beside the counts, each at a price.

    The modules' share of the time; the operations in order, and the strides; whether other inputs
    cost the same; a second count on other roads; the deploy form; what other counters say.
    """

    TIMES = "times"
    OPERATIONS = "operations"
    INPUTS = "inputs"
    SECOND = "second"
    DEPLOY = "deploy"
    RIVALS = "rivals"


class Failing(StrEnum):
    """Why a model cannot be profiled. The list is closed."""

    NO_ENTRY = "no-entry"
    ARGUMENTS = "arguments"
    NOT_A_MODEL = "not-a-model"
    NO_TENSOR = "no-tensor"
    INPUT = "input"
    NO_TORCH = "no-torch"
    OPTIMIZER = "optimizer"
    RAISES = "raises"
    NEEDS_GPU = "needs-gpu"
    MEMORY = "memory"
    TIME_LIMIT = "time-limit"
    DIED = "died"


class Remark(StrEnum):
    """What has to be known to read a profile's numbers. The list is closed."""

    UNWRAPPED = "unwrapped"
    ZERO_FLOPS = "zero-flops"
    NO_TRAINING = "no-training"
    TWO_SAMPLES = "two-samples"
    DEPENDS_ON_INPUT = "depends-on-input"
    RANDOM = "random"
    COUNTS_DISAGREE = "counts-disagree"
    UNCOUNTED = "uncounted"
    OTHER_OUTPUT = "other-output"
    INCOMPLETE = "incomplete"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong, how to mend it, and FILE:LINE below the artifact's folder ("": unknown)."""

    kind: Failing
    what: str
    mend: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark, in words."""

    kind: Remark
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSeen:
    """A tensor that goes in or comes out; `name` of a named input."""

    shape: tuple[int, ...]
    dtype: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """An operation without a formula: its calls and the elements that came out of them."""

    op: str
    calls: int
    elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A forward pass in evaluation mode with gradients enabled, so that no fused path is taken.

    `counted` of `matrix` calls of matrix operations had a formula.
    """

    flops: float
    elementwise: float = 0.0
    counted: int = 0
    matrix: int = 0
    uncounted: tuple[Uncounted, ...] = ()

    @property
    def coverage(self) -> float:
        """Return the share of the calls of matrix operations that have a formula."""
        return self.counted / self.matrix if self.matrix else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainStep:
    """Forward and backward pass in training mode.

    `recompute` is what the backward pass computes again (checkpointing); `optimizer` is None where
    no optimizer was named. `samples` is the batch it was counted with.
    """

    forward: float
    backward: float
    recompute: float = 0.0
    optimizer: float | None = None
    elementwise: float = 0.0
    counted: int = 0
    matrix: int = 0
    uncounted: tuple[Uncounted, ...] = ()
    samples: int = 1

    @property
    def coverage(self) -> float:
        """Return the share of the calls of matrix operations that have a formula."""
        return self.counted / self.matrix if self.matrix else 1.0

    @property
    def flops(self) -> float:
        """Return the FLOPs of forward, backward and recomputation, without the optimizer's."""
        return self.forward + self.backward + self.recompute


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Numbers of elements; `stored` counts each piece of memory once (weights tied by data)."""

    total: int
    trainable: int
    buffers: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """One module: `flops` with all below it, `own` without; `share` of the time of a call."""

    path: str
    cls: str
    params: int
    flops: float
    own: float
    shape: tuple[int, ...] = ()
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A map of another size than the one before; `stride` is the input's size over the map's."""

    path: str
    op: str
    size: tuple[int, ...]
    stride: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondCount:
    """The same forward pass counted on another road: `meta` device or `math` attention."""

    how: str
    flops: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """The model's form for deployment, made by `how`.

    `difference` is the largest difference of the outputs over the largest output, None where
    they cannot be compared: `why`. Without `parameters` the form could not be made.
    """

    how: str
    parameters: Parameters | None = None
    flops: float | None = None
    difference: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What another counter says of the same model, as a paper would have got it.

    `says` is in the rival's own unit, `counts`; `flops` is that in FLOPs. `ignored` are the
    operations that it says it left out; `why` it says nothing.
    """

    name: str
    version: str = ""
    says: float | None = None
    counts: str = "FLOPs"
    ignored: tuple[str, ...] = ()
    why: str = ""

    @property
    def flops(self) -> float | None:
        """Return the count in FLOPs."""
        if self.says is None:
            return None
        return self.says * (MAC if self.counts == "MACs" else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything that was counted of one model; what was not is None or empty.

    `forward_range` are the least and the most that a forward pass costs over inputs of the same
    shape; `saved_bytes` is what autograd keeps for the backward pass beside the parameters.
    `stride` is that of the last map. `stopped` says why the profile is not whole.
    """

    forward: Count
    parameters: Parameters
    entry: str = ""
    place: str = ""
    cls: str = ""
    torch: str = ""
    python: str = ""
    device: str = "cpu"
    inputs: tuple[TensorSeen, ...] = ()
    outputs: tuple[TensorSeen, ...] = ()
    modules: tuple[ModuleRow, ...] = ()
    train: TrainStep | None = None
    saved_bytes: int | None = None
    without_gradient: int | None = None
    forward_range: tuple[float, float] | None = None
    second: tuple[SecondCount, ...] = ()
    ops: tuple[OpSeen, ...] = ()
    ops_cut: bool = False
    stages: tuple[Stage, ...] = ()
    stride: float | None = None
    deploy: Deploy | None = None
    rivals: tuple[Rival, ...] = ()
    notes: tuple[Note, ...] = ()
    stopped: str = ""

    @property
    def batch(self) -> int:
        """Return the first size of the first input."""
        shape = self.inputs[0].shape if self.inputs else ()
        return shape[0] if shape else 1

    @property
    def macs(self) -> float:
        """Return the multiply-accumulates of a forward pass."""
        return self.forward.flops / MAC

    @property
    def train_ratio(self) -> float | None:
        """Return the FLOPs of a training step over those of a forward pass in evaluation mode."""
        if self.train is None or not self.forward.flops:
            return None
        return self.train.flops / self.forward.flops

    @property
    def disagreement(self) -> SecondCount | None:
        """Return a second count that is more than 1 % away from the first."""
        apart = AGREEING * self.forward.flops
        return next(
            (
                other
                for other in self.second
                if other.flops is not None and abs(other.flops - self.forward.flops) > apart
            ),
            None,
        )

    def note(self, kind: Remark) -> Note | None:
        """Return the first remark of a kind."""
        return next((note for note in self.notes if note.kind is kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How far a profile came: the last stage it began, and why it failed if it did."""

    stage: str = ""
    done: bool = False
    failure: Failure | None = None
    rival: Rival | None = None
