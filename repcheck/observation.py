"""What a probe saw of one run, counted and summed up; facts are drawn from this alone.

A lower bound by nature: at least these steps, samples, files and weights were there, in the
processes that the probe was in. What it did not see stands in `gaps` and is never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from repcheck.agent_seen import PolicySeen as PolicySeen
from repcheck.agent_seen import PromptsSeen as PromptsSeen
from repcheck.agent_seen import ResetsSeen as ResetsSeen
from repcheck.input_seen import Fed as Fed
from repcheck.input_seen import InputSeen as InputSeen
from repcheck.input_seen import NearDuplicates as NearDuplicates
from repcheck.input_seen import TwoSample as TwoSample
from repcheck.network_seen import EqualSeen as EqualSeen
from repcheck.network_seen import FlopsSeen as FlopsSeen
from repcheck.network_seen import LossSeen as LossSeen
from repcheck.network_seen import NetworkSeen as NetworkSeen
from repcheck.network_seen import OpSeen as OpSeen
from repcheck.network_seen import Scalar as Scalar
from repcheck.network_seen import SurgerySeen as SurgerySeen
from repcheck.network_seen import TermSeen as TermSeen

OBSERVATION_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that was not seen, and why.

    `what` is one of: everything, process, training, samples, rows, weights, loss, tampering.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSeen:
    """One process of the artifact; `ended` is false if it was killed before its end."""

    base: str
    argv: tuple[str, ...]
    python: str
    torch: str = ""
    rank: int | None = None
    world: int | None = None
    steps: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_rss_mb: float = 0.0
    ended: bool = True
    exception: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A curve, thinned to at most 400 points that keep its corners.

    `step` counts optimizer steps from 1, `samples` the training samples seen up to there.
    """

    step: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    value: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSeen:
    """One optimizer, or several that held the same parameters one after the other.

    `fields` are those of the group with the most elements after step 1 (weight_decay, momentum,
    betas ...); `changed` names fields other than lr that took other values later.
    """

    cls: str
    steps: int
    elements: int
    groups: int
    fields: Mapping[str, Scalar | tuple[float, ...]] = field(default_factory=dict)
    no_decay_share: float = 0.0
    changed: tuple[str, ...] = ()
    peak_lr: float = 0.0
    first_lr: float = 0.0
    last_lr: float = 0.0
    distinct_lrs: int = 0
    lr: Points = field(default_factory=Points)
    lr_digest: str = ""
    low_lr_share: float = 0.0
    """Share of the steps with a learning rate below 1 % of the peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What was trained, of all ranks together; only the main optimizer's steps count as steps.

    `samples` are rows that were trained through (None: rows could not be seen), `drawn` indices
    drawn from loaders for training; `unique` different training samples by `unique_by` (indices,
    content or nothing). `batch` is the median of samples a step over all ranks, `accumulation`
    the median of backward passes a step. `loss` is the sampled training loss.
    """

    steps: int
    samples: int | None = None
    drawn: int | None = None
    unsure: int = 0
    unique: int | None = None
    unique_by: Literal["indices", "content", ""] = ""
    repeated_batches: float = 0.0
    """Share of the steps that trained on the very rows of the step before."""
    most_draws: int = 0
    rounds: int | None = None
    """How often the training loader was run through: the epochs of the script. None: not known."""
    batch: float | None = None
    accumulation: float | None = None
    forwards: float | None = None
    """Median of the training forwards for each backward pass: loops over time, several parts."""
    world: int = 1
    samplers: tuple[str, ...] = ()
    optimizer: OptimizerSeen
    others: tuple[OptimizerSeen, ...] = ()
    amp: tuple[str, ...] = ()
    clip_norm: float | None = None
    compiled: bool = False
    first_loss: float | None = None
    first_loss_chain: tuple[str, ...] = ()
    first_output: tuple[int, ...] = ()
    never_got_gradient: float = 0.0
    loss: Points = field(default_factory=Points)
    loss_digest: str = ""
    loss_trend: float | None = None
    """Last over first training loss, each the median of a tenth of the sampled steps."""
    loss_not_finite: int = 0
    order_digest: str = ""
    """Of the rows of the first 50 hashed training batches, in order."""
    wall_s: float = 0.0
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedSet:
    """Samples that were evaluated, the same ones in each pass.

    `examples` are the different examples (by indices drawn, else by content); `by` says how sets
    were told apart. `digest` names the set by content, across runs; "" if that is unknown.
    `trained_*` count examples of this set that were also trained on: by index of one dataset, by
    content of the datasets' storage, by content of what entered the model. None: not known.
    `share` is the smallest share of rows, of training and of this set, that was hashed.
    `duplicates_in_training` counts training samples that another one is equal to.
    """

    id: int
    examples: int | None
    by: Literal["indices", "content", "rows", ""]
    digest: str = ""
    passes: int = 1
    rows: int = 0
    trained_index: int | None = None
    trained_storage: int | None = None
    trained_input: int | None = None
    duplicates_in_training: int = 0
    share: float = 1.0

    @property
    def trained(self) -> int | None:
        """Return the largest count of trained examples over the layers; None: not known."""
        known = [
            count
            for count in (self.trained_index, self.trained_storage, self.trained_input)
            if count is not None
        ]
        return max(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation pass: a run of forwards that nothing was trained through.

    `views` is rows over examples (test-time augmentation, ensembles); `models` counts the
    different modules that were forwarded, `weights` names the evaluated values. `held` says that
    they belong to the optimizer, `swapped` that they were changed without a step; `known` that
    the optimizer held these very values at some moment that was looked at, `made_at` after how
    many steps of the main optimizer that was (None: not known). `saved` says that weights were
    saved after this pass and before the next step or evaluation.
    """

    n: int
    at: int
    set: int | None
    rows: int
    forwards: int
    views: float | None = None
    models: int = 1
    modules: tuple[str, ...] = ()
    """The classes of all modules that were called, encoders and the like too."""
    params: int = 0
    in_training_mode: bool = False
    held: bool | None = None
    swapped: bool | None = None
    known: bool | None = None
    made_at: int | None = None
    weights: str = ""
    saved: bool = False
    sanity: bool = False
    """Before the first step, or undone: a check of the framework's, not a result."""
    final: bool = False
    """The last pass over this set after the last step."""
    other_views: bool = False
    """After the same step the same weights met these examples again, fed in another form."""
    other_models: bool = False
    """Other weights after the same step, or another module alike, met these examples apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """A module that was called from outside any module."""

    id: int
    cls: str
    params: int
    trainable: int
    trained: bool
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """A module forwarded inside training steps that nothing was trained through."""

    cls: str
    params: int
    rows: int
    forwards: int
    in_optimizer: bool
    same_class_as_trained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """Weights that followed the trained ones as an average; `r2` of the fit.

    `how` is AveragedModel for torch's equal average over steps; `decay` is None there, and where
    the fitted one changes from step to step. `evaluated` is of the last evaluations.
    """

    cls: str
    decay: float | None
    r2: float | None
    evaluated: bool
    how: Literal["fitted", "AveragedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLoad:
    """Weights read from outside; `changed` is the share of the module's elements they changed.

    `own` says that this run wrote the file itself; `resumes` that it holds the state of an
    optimizer or an epoch; `trained` that an optimizer holds the module (None: not known).
    """

    how: str
    what: str
    at: int
    changed: float | None = None
    own: bool = False
    resumes: bool = False
    trained: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSet:
    """A random generator that was seeded; `value` as text."""

    lib: str
    value: str
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUse:
    """A file that was opened; `sha256` as it was after the run, "" if it was not read then."""

    path: str
    written: bool
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Calls of one estimator's method; `rows` of all calls together."""

    cls: str
    method: str
    calls: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a probe saw of one run.

    `training` is None where no optimizer step was seen. `cpu_s` is what the processes took as
    counted from outside, `cpu_seen_s` what those with a probe in them took. `final_weights`
    names the values that the last step left, `hashed` is the share of rows that the governor
    let hash. `libraries` are the well-known numerical libraries that were imported (None: not
    known).
    """

    schema: int = OBSERVATION_SCHEMA
    seen: bool = False
    gaps: tuple[Gap, ...] = ()
    processes: tuple[ProcessSeen, ...] = ()
    cpu_s: float = 0.0
    cpu_seen_s: float = 0.0
    training: Training | None = None
    sets: tuple[EvaluatedSet, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    models: tuple[ModelSeen, ...] = ()
    teachers: tuple[Teacher, ...] = ()
    averages: tuple[Average, ...] = ()
    loads: tuple[WeightLoad, ...] = ()
    saves: int = 0
    seeds: tuple[SeedSet, ...] = ()
    files: tuple[FileUse, ...] = ()
    network: tuple[str, ...] = ()
    subprocesses: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()
    initial_weights: str = ""
    final_weights: str = ""
    hashed: float = 1.0
    flops: tuple[FlopsSeen, ...] = ()
    networks: tuple[NetworkSeen, ...] = ()
    surgery: tuple[SurgerySeen, ...] = ()
    equals: tuple[EqualSeen, ...] = ()
    losses: tuple[LossSeen, ...] = ()
    libraries: tuple[str, ...] | None = None
    prompts: PromptsSeen | None = None
    policies: tuple[PolicySeen, ...] = ()
    resets: tuple[ResetsSeen, ...] = ()
    fed: Fed = field(default_factory=Fed)
    probe_errors: tuple[str, ...] = ()

    def gap(self, *what: str) -> Gap | None:
        """Return the first gap of these kinds; one of `everything` or `process` is of all."""
        wanted = {*what, "everything"}
        return next((gap for gap in self.gaps if gap.what in wanted), None)

    @property
    def unseen_cpu(self) -> float | None:
        """Return the share of CPU time that no probe saw; None where nothing was measured."""
        if self.cpu_s <= 0:
            return None
        return max(0.0, 1.0 - self.cpu_seen_s / self.cpu_s)
