"""How a method is trained and evaluated: recipe, seeds, commands, budget."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from repcheck.claims.kinds import (
    NOTHING,
    Amount,
    Free,
    Hours,
    Megabytes,
    Names,
    Natural,
    Positive,
    Seconds,
    Whole,
    silent,
)
from repcheck.claims.sources import (
    Flops,
)
from repcheck.claims.stated import Section, Stated, section
from repcheck.units import Ge, Unit


@section
class Optimizer(Section):
    """The optimizer and its settings; `lr` is the peak learning rate."""

    short: ClassVar[str | None] = "type"
    type: Stated[str] = NOTHING
    lr: Stated[Amount] = NOTHING
    momentum: Stated[Amount] = NOTHING
    weight_decay: Stated[Amount] = NOTHING
    nesterov: Stated[bool] = NOTHING
    betas: Stated[tuple[float, ...]] = NOTHING
    eps: Stated[Amount] = NOTHING
    clip_norm: Stated[Amount] = NOTHING
    lookahead: Stated[bool] = NOTHING
    sam: Stated[bool] = NOTHING


@section
class LrSchedule(Section):
    """How the learning rate moves."""

    short: ClassVar[str | None] = "type"
    type: Stated[str] = NOTHING
    warmup_steps: Stated[Amount] = NOTHING
    final_lr: Stated[Amount] = NOTHING
    horizon: Stated[Any] = NOTHING
    step_per: Stated[Literal["iteration", "epoch"]] = NOTHING
    milestones: Stated[tuple[float, ...]] = NOTHING
    gamma: Stated[float] = NOTHING


@section
class Loss(Section):
    """One term of the training loss; `weight` is the literal factor in the sum."""

    short: ClassVar[str | None] = "name"
    name: Stated[str] = NOTHING
    weight: Stated[float] = NOTHING


@section
class Pretrained(Section):
    """Weights that training starts from, and what they saw."""

    short: ClassVar[str | None] = "weights"
    weights: Stated[str] = NOTHING
    data: Stated[str] = NOTHING
    images: Stated[Amount] = NOTHING
    labels: Stated[bool] = NOTHING


@section
class WeightAverage(Section):
    """An average of weights (EMA, SWA) that is evaluated in place of the last ones."""

    short: ClassVar[str | None] = "decay"
    decay: Stated[float] = NOTHING
    start: Stated[Amount] = NOTHING


@section
class TestTimeAugmentation(Section):
    """Several views of each test example, averaged."""

    short: ClassVar[str | None] = "views"
    views: Stated[Natural] = NOTHING
    kind: Stated[str] = NOTHING


@section
class Distillation(Section):
    """A teacher, and what it saw; `teacher_params` is a count."""

    short: ClassVar[str | None] = "teacher"
    teacher: Stated[str] = NOTHING
    kind: Stated[str] = NOTHING
    teacher_params: Stated[Annotated[float, Unit("count"), Ge(0)]] = NOTHING
    self_: Stated[bool] = NOTHING
    data: Stated[str] = NOTHING
    images: Stated[Amount] = NOTHING
    labels: Stated[bool] = NOTHING


@section
class Search(Section):
    """An architecture or hyperparameter search, and its cost."""

    kind: Stated[Literal["nas", "hpo"]] = NOTHING
    space: Stated[Any] = NOTHING
    trials: Stated[Whole] = NOTHING
    gpu_hours: Stated[Hours] = NOTHING
    split: Stated[str] = NOTHING
    controller: Stated[str] = NOTHING


@section
class Tuning(Section):
    """How the hyperparameters were found; `split` is the one that ranked the trials.

    `scores` are those of the trials, one each, in the metric of the claim; `scores_from` names a
    column of a file of the artifact that holds them (`sweep.csv:val_accuracy`). `sweep` asks for
    reruns at half and twice the value of each hyperparameter that it names, one at a time.
    """

    method: Stated[str] = NOTHING
    trials: Stated[Whole] = NOTHING
    space: Stated[Free] = NOTHING
    split: Stated[Literal["train", "val", "test"]] = NOTHING
    scores: Stated[tuple[float, ...]] = NOTHING
    scores_from: Stated[str] = NOTHING
    sweep: Stated[Any] = NOTHING


@section
class Chosen(Section):
    """How the reported seeds were chosen."""

    short: ClassVar[str | None] = "how"
    how: Stated[Literal["preset", "all-run", "best-of"]] = NOTHING
    best_of: Stated[Natural] = NOTHING


@section
class Seeds(Section):
    """The seeds of the reported runs; `fixes` names what a seed pins (and so allows pairing)."""

    short: ClassVar[str | None] = "train"
    train: Stated[Annotated[tuple[int, ...], Unit("seeds")]] = NOTHING
    split: Stated[tuple[int, ...]] = NOTHING
    chosen: Chosen = silent(Chosen)
    tried: Stated[Natural] = NOTHING
    fixes: Stated[tuple[Literal["split", "order", "init"], ...]] = NOTHING


@section
class ModelSelection(Section):
    """Which checkpoint is reported, and which split chose it."""

    short: ClassVar[str | None] = "checkpoint"
    checkpoint: Stated[Literal["last", "best"]] = NOTHING
    split: Stated[Literal["train", "val", "test"]] = NOTHING


@section
class Train(Section):
    """One training run: its command and its budget.

    `epochs`, `iterations`, `samples`, `tokens` and `env_steps` are alternative units of length;
    `batch_size` is per device and per step before accumulation; `repeats` is how often a sample is
    used per epoch.
    """

    short: ClassVar[str | None] = "command"
    command: Stated[str | tuple[str, ...]] = NOTHING
    cwd: Stated[str] = NOTHING
    epochs: Stated[Amount] = NOTHING
    iterations: Stated[Amount] = NOTHING
    samples: Stated[Amount] = NOTHING
    tokens: Stated[Amount] = NOTHING
    env_steps: Stated[Amount] = NOTHING
    steps_per_epoch: Stated[Positive] = NOTHING
    batch_size: Stated[Natural] = NOTHING
    devices: Stated[Natural] = NOTHING
    grad_accum: Stated[Natural] = NOTHING
    repeats: Stated[Positive] = NOTHING
    views: Stated[Natural] = NOTHING
    sequence_length: Stated[Natural] = NOTHING
    subset: Stated[Any] = NOTHING
    amp: Stated[bool] = NOTHING
    early_stopping: Stated[Any] = NOTHING
    resumed_from: Stated[str] = NOTHING
    hardware: Stated[str] = NOTHING
    wall_clock: Stated[Seconds] = NOTHING
    gpu_hours: Stated[Hours] = NOTHING
    peak_memory: Stated[Megabytes] = NOTHING
    time_limit: Stated[Seconds] = NOTHING


@section
class Eval(Section):
    """One evaluation; it runs after training in the same output folder."""

    short: ClassVar[str | None] = "command"
    command: Stated[str | tuple[str, ...]] = NOTHING
    cwd: Stated[str] = NOTHING
    predictions: Stated[str] = NOTHING
    mode: Stated[Literal["eval", "train"]] = NOTHING
    batch_size: Stated[Natural] = NOTHING
    uses_labels: Stated[Literal["none", "support", "test"]] = NOTHING
    time_limit: Stated[Seconds] = NOTHING


@section
class Scaled(Section):
    """A cheaper rerun that the author vouches for, for protocol rules only."""

    set: Stated[Free] = NOTHING
    for_: Stated[Names] = NOTHING


@section
class TrainCost(Section):
    """What training costs in all."""

    gpu_hours: Stated[Hours] = NOTHING
    train_flops: Flops = silent(Flops)
    wall_clock: Stated[Seconds] = NOTHING
