"""Methods: the rows of the table, what they are made of and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal

from repcheck.claims.data import (
    Prompt,
)
from repcheck.claims.kinds import (
    NOTHING,
    Amount,
    Free,
    Names,
    Natural,
    Role,
    Score,
    silent,
)
from repcheck.claims.sources import (
    Flops,
    Source,
)
from repcheck.claims.stated import Section, Stated, section
from repcheck.claims.training import (
    Distillation,
    Eval,
    Loss,
    LrSchedule,
    ModelSelection,
    Optimizer,
    Pretrained,
    Scaled,
    Search,
    Seeds,
    TestTimeAugmentation,
    Train,
    TrainCost,
    Tuning,
    WeightAverage,
)
from repcheck.units import Ge, Unit


@section
class Model(Section):
    """The network as it can be built, and what the paper says of its size."""

    short: ClassVar[str | None] = "entry"
    entry: Stated[str] = NOTHING
    kwargs: Stated[Free] = NOTHING
    input_shape: Stated[tuple[int, ...]] = NOTHING
    dtype: Stated[str] = NOTHING
    params: Stated[Annotated[float, Unit("count"), Ge(0)]] = NOTHING
    flops: Flops = silent(Flops)
    flops_convention: Stated[Literal["flops", "macs"]] = NOTHING
    train_flops_per_sample: Flops = silent(Flops)
    deploy_entry: Stated[str] = NOTHING
    variant: Stated[str] = NOTHING
    variants_available: Stated[Names] = NOTHING


@section
class Component(Section):
    """A part that the paper names."""

    short: ClassVar[str | None] = "name"
    name: Stated[str] = NOTHING
    claimed_novel: Stated[bool] = NOTHING
    flag: Stated[str] = NOTHING
    equivalent_to: Stated[str] = NOTHING
    kind: Stated[Literal["module", "recipe", "data"]] = NOTHING
    differs_in: Stated[Names] = NOTHING


@section
class Published(Section):
    """A number of the baseline's own paper; its definition must match before it is compared."""

    short: ClassVar[str | None] = "value"
    value: Stated[Score] = NOTHING
    definition: Stated[str] = NOTHING
    where: Stated[str] = NOTHING


@section
class Reference(Section):
    """What a method's own paper and code say of it."""

    paper: Stated[str] = NOTHING
    published: Mapping[str, Published] = field(default_factory=dict)
    lr: Stated[Amount] = NOTHING
    code: Stated[str] = NOTHING


@section
class Method(Section):
    """One row of the paper's table."""

    id: str = ""
    extends: Stated[str] = NOTHING
    role: Stated[Role] = NOTHING
    source: Source = silent(Source)
    dataset: Stated[str] = NOTHING
    train_data: Stated[str] = NOTHING
    model: Model = silent(Model)
    components: tuple[Component, ...] | None = None
    activation: Stated[str] = NOTHING
    norm: Stated[str] = NOTHING
    attention: Stated[str] = NOTHING
    resampling: Stated[Free] = NOTHING
    skips: Stated[Any] = NOTHING
    dropout: Stated[Amount] = NOTHING
    losses: tuple[Loss, ...] | None = None
    hyperparameters: Stated[Free] = NOTHING
    optimizer: Optimizer = silent(Optimizer)
    lr_schedule: LrSchedule = silent(LrSchedule)
    augmentation: Stated[tuple[Any, ...]] = NOTHING
    pretrained: Pretrained = silent(Pretrained)
    ema: WeightAverage = silent(WeightAverage)
    swa: WeightAverage = silent(WeightAverage)
    ensemble_size: Stated[Natural] = NOTHING
    tta: TestTimeAugmentation = silent(TestTimeAugmentation)
    distillation: Distillation = silent(Distillation)
    curriculum: Stated[Any] = NOTHING
    reparam: Stated[bool] = NOTHING
    rl: Stated[Any] = NOTHING
    search: Search = silent(Search)
    tuning: Tuning = silent(Tuning)
    reference: Reference = silent(Reference)
    prompt: Prompt = silent(Prompt)
    seeds: Seeds = silent(Seeds)
    model_selection: ModelSelection = silent(ModelSelection)
    train: Train = silent(Train)
    train_cost: TrainCost = silent(TrainCost)
    eval: Eval = silent(Eval)
    scaled: Scaled = silent(Scaled)
    read: Mapping[str, Stated[str]] = field(default_factory=dict)


@section
class DeclaredArm(Section):
    """A counterfactual arm that the artifact supports."""

    id: Stated[str] = NOTHING
    of: Stated[str] = NOTHING
    factor: Stated[str] = NOTHING
    kind: Stated[Literal["add", "remove", "swap", "align", "eval-only", "data"]] = NOTHING
    override: Stated[Free] = NOTHING
