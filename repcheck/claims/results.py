"""Metrics, results, claims, and the other things that a paper reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from repcheck.claims.kinds import (
    NOTHING,
    Amount,
    ClaimType,
    Free,
    Megabytes,
    Names,
    Natural,
    Positive,
    PValue,
    Score,
    StdKind,
    Whole,
    silent,
)
from repcheck.claims.sources import (
    Flops,
    Source,
)
from repcheck.claims.stated import Section, Stated, section
from repcheck.units import Ge, Unit


@section
class Metric(Section):
    """One measure: its direction (never guessed), its unit, and where a run leaves it."""

    id: str = ""
    higher_is_better: Stated[bool] = NOTHING
    unit: Stated[str] = NOTHING
    primary: Stated[bool] = NOTHING
    from_: Stated[str] = NOTHING
    read_as: Stated[Literal["fraction", "percent"]] = NOTHING
    definition: Stated[str] = NOTHING
    average: Stated[str] = NOTHING
    n_test: Stated[Natural] = NOTHING
    aggregation: Stated[str] = NOTHING
    implementation: Stated[str] = NOTHING
    computed_on: Stated[str] = NOTHING
    colour_channel: Stated[str] = NOTHING
    crop_border: Stated[Whole] = NOTHING
    data_range: Stated[Positive] = NOTHING
    top_k: Stated[Natural] = NOTHING


@section
class NotReported(Section):
    """What was measured and left out; an empty list says that nothing was."""

    metrics: Stated[Names] = NOTHING
    datasets: Stated[Names] = NOTHING
    baselines: Stated[Names] = NOTHING
    seeds: Stated[Whole] = NOTHING
    reason: Stated[str] = NOTHING


@section
class Aggregate(Section):
    """The cells or datasets that a table average is made of."""

    mean_of: Stated[Names] = NOTHING


@section
class Result(Section):
    """One reported number: method x dataset x metric; exactly one of mean, median, best, single."""

    method: Stated[str] = NOTHING
    dataset: Stated[str] = NOTHING
    metric: Stated[str] = NOTHING
    mean: Stated[Score] = NOTHING
    median: Stated[Score] = NOTHING
    best: Stated[Score] = NOTHING
    single: Stated[Score] = NOTHING
    std: Stated[Annotated[float, Unit("score"), Ge(0)]] = NOTHING
    std_kind: Stated[StdKind] = NOTHING
    n: Stated[Natural] = NOTHING
    per_seed: Stated[tuple[Score, ...]] = NOTHING
    at: Stated[Free] = NOTHING
    source: Source = silent(Source)
    predictions: Stated[str] = NOTHING
    columns: Stated[Mapping[str, str]] = NOTHING
    table: Stated[str] = NOTHING
    overrides: Stated[Free] = NOTHING
    aggregate: Aggregate = silent(Aggregate)

    @property
    def centre(self) -> Stated[float]:
        """Return the reported number, whichever statistic it is."""
        for leaf in (self.mean, self.median, self.best, self.single):
            if leaf.known:
                return leaf
        return self.mean


@section
class Significance(Section):
    """The test that the paper reports."""

    test: Stated[str] = NOTHING
    p: Stated[PValue] = NOTHING
    statistic: Stated[float] = NOTHING
    df: Stated[float] = NOTHING


@section
class Claim(Section):
    """One sentence of the paper that can be checked.

    `improvement`, `margin` and `tolerance` are oriented: positive is better, whatever the metric.
    """

    id: Stated[str] = NOTHING
    text: Stated[str] = NOTHING
    type: Stated[ClaimType] = NOTHING
    method: Stated[str] = NOTHING
    baselines: Stated[Names] = NOTHING
    dataset: Stated[str] = NOTHING
    datasets: Stated[Names] = NOTHING
    metric: Stated[str] = NOTHING
    improvement: Stated[Annotated[float, Unit("gain")]] = NOTHING
    value: Stated[Score] = NOTHING
    at_least: Stated[Score] = NOTHING
    at_most: Stated[Score] = NOTHING
    ratio: Stated[Mapping[str, float]] = NOTHING
    margin: Stated[Annotated[float, Ge(0)]] = NOTHING
    at_step: Stated[Mapping[str, float]] = NOTHING
    tolerance: Stated[Amount] = NOTHING
    aligned_on: Stated[
        Literal[
            "epochs", "iterations", "samples", "tokens", "train_flops", "wall_clock", "params",
            "inference_flops",
        ]
    ] = NOTHING  # fmt: skip
    attributed_to: Stated[Names] = NOTHING
    significance: Significance = silent(Significance)
    where: Stated[str] = NOTHING

    @property
    def kind(self) -> ClaimType:
        """Return the claim's type: as declared, else the one its keys say (`improvement: 5`)."""
        if self.type.known:
            return self.type.value
        if self.improvement.known:
            return "improvement"
        if self.value.known or self.at_least.known or self.at_most.known:
            return "value"
        return "efficiency" if self.ratio.known else "existence"

    @property
    def relative(self) -> bool:
        """Whether the improvement is a share of the baseline (`improvement: "5 %"`)."""
        return "%" in self.improvement.unit


@section
class Efficiency(Section):
    """One measured or copied cost."""

    method: Stated[str] = NOTHING
    dataset: Stated[str] = NOTHING
    scope: Stated[str] = NOTHING
    form: Stated[Literal["train", "deploy"]] = NOTHING
    latency_ms: Stated[Annotated[float, Unit("ms"), Ge(0)]] = NOTHING
    throughput: Stated[Annotated[float, Unit("rate"), Ge(0)]] = NOTHING
    flops: Flops = silent(Flops)
    params: Stated[Annotated[float, Unit("count"), Ge(0)]] = NOTHING
    memory_mb: Stated[Megabytes] = NOTHING
    hardware: Stated[str] = NOTHING
    precision: Stated[str] = NOTHING
    batch_size: Stated[Natural] = NOTHING
    threads: Stated[Natural] = NOTHING
    framework: Stated[str] = NOTHING
    warmup: Stated[Whole] = NOTHING
    source: Source = silent(Source)
    components_excluded: Stated[Names] = NOTHING
    command: Stated[str | tuple[str, ...]] = NOTHING


@section
class Ablation(Section):
    """One row of the ablation table."""

    component: Stated[str] = NOTHING
    method: Stated[str] = NOTHING
    result: Stated[Free] = NOTHING


@section
class HumanEvaluation(Section):
    """A study with human raters."""

    raters: Stated[Natural] = NOTHING
    items: Stated[Natural] = NOTHING
    randomised: Stated[bool] = NOTHING
    blinded: Stated[bool] = NOTHING
    order_counterbalanced: Stated[bool] = NOTHING
    raw_ratings: Stated[str] = NOTHING
    affiliation: Stated[str] = NOTHING
    scale: Stated[str] = NOTHING
    instructions: Stated[str] = NOTHING


@section
class Qualitative(Section):
    """A figure of examples, and how they were picked."""

    figure: Stated[str] = NOTHING
    selection: Stated[Literal["random", "chosen", "worst"]] = NOTHING
    seed: Stated[int] = NOTHING
    indices: Stated[tuple[int, ...]] = NOTHING
    pool: Stated[str] = NOTHING
    n_pool: Stated[Natural] = NOTHING
    command: Stated[str | tuple[str, ...]] = NOTHING
