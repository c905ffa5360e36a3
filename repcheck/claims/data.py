"""Datasets: their splits, the form of an example, labels, prompts, environments."""

from __future__ import annotations

from typing import ClassVar, Literal

from repcheck.claims.kinds import (
    NOTHING,
    Amount,
    Free,
    Natural,
    Positive,
    Score,
    Share,
    Whole,
    silent,
)
from repcheck.claims.stated import Section, Stated, section


@section
class SplitPart(Section):
    """One split: train, val or test; `size` in examples."""

    short: ClassVar[str | None] = "path"
    path: Stated[str] = NOTHING
    size: Stated[Natural] = NOTHING
    sha256: Stated[str] = NOTHING


@section
class Split(Section):
    """How the splits were made."""

    short: ClassVar[str | None] = "by"
    by: Stated[str] = NOTHING
    seed: Stated[int] = NOTHING
    group_key: Stated[str] = NOTHING
    folds: Stated[Natural] = NOTHING


@section
class InputForm(Section):
    """What an example looks like where it enters the model."""

    shape: Stated[tuple[int, ...]] = NOTHING
    channel_order: Stated[str] = NOTHING
    colour_space: Stated[str] = NOTHING
    value_range: Stated[tuple[float, ...]] = NOTHING
    normalisation: Stated[Free] = NOTHING
    resolution: Stated[Positive] = NOTHING
    interpolation: Stated[str] = NOTHING


@section
class Labels(Section):
    """What is known of the labels."""

    classes: Stated[Natural] = NOTHING
    counts: Stated[Free | tuple[int, ...]] = NOTHING
    annotators: Stated[Whole] = NOTHING
    agreement: Stated[float] = NOTHING
    cleaned: Stated[str] = NOTHING
    guideline: Stated[str] = NOTHING


@section
class HumanBaseline(Section):
    """People's score on the same data."""

    short: ClassVar[str | None] = "value"
    value: Stated[Score] = NOTHING
    n: Stated[Natural] = NOTHING
    annotators: Stated[Natural] = NOTHING


@section
class Decoding(Section):
    """How text is generated."""

    temperature: Stated[Amount] = NOTHING
    n: Stated[Natural] = NOTHING
    max_tokens: Stated[Natural] = NOTHING
    top_p: Stated[Share] = NOTHING


@section
class Prompt(Section):
    """How a language model is asked.

    `call` is the artifact's own function that is given each prompt as its first text,
    `module:function`, so that a probe sees the prompts as they are put.
    """

    short: ClassVar[str | None] = "template"
    template: Stated[str] = NOTHING
    call: Stated[str] = NOTHING
    shots: Stated[Whole] = NOTHING
    cot: Stated[bool] = NOTHING
    system: Stated[str] = NOTHING
    exemplars_from: Stated[str] = NOTHING
    decoding: Decoding = silent(Decoding)


@section
class Environment(Section):
    """The environment of a reinforcement-learning task; `steps` in environment steps."""

    id: Stated[str] = NOTHING
    train_seeds: Stated[tuple[int, ...]] = NOTHING
    test_seeds: Stated[tuple[int, ...]] = NOTHING
    steps: Stated[Positive] = NOTHING
    frame_skip: Stated[Natural] = NOTHING


@section
class Dataset(Section):
    """One dataset with its splits; `train.size` is the full split."""

    id: str = ""
    name: Stated[str] = NOTHING
    config: Stated[str] = NOTHING
    revision: Stated[str] = NOTHING
    task: Stated[str] = NOTHING
    version: Stated[str] = NOTHING
    sha256: Stated[str] = NOTHING
    public: Stated[bool] = NOTHING
    licence: Stated[str] = NOTHING
    loader: Stated[str] = NOTHING
    data: SplitPart = silent(SplitPart)
    train: SplitPart = silent(SplitPart)
    val: SplitPart = silent(SplitPart)
    test: SplitPart = silent(SplitPart)
    standard_train_size: Stated[Natural] = NOTHING
    statistics_from: Stated[Literal["train", "all", "constants"]] = NOTHING
    split: Split = silent(Split)
    protocol: Stated[Literal["standard", "new", "low-data", "ood", "transductive"]] = NOTHING
    known_shift: Stated[str] = NOTHING
    input: InputForm = silent(InputForm)
    labels: Labels = silent(Labels)
    ood: Stated[bool] = NOTHING
    human_baseline: HumanBaseline = silent(HumanBaseline)
    prompt: Prompt = silent(Prompt)
    environment: Environment = silent(Environment)
    source: Stated[str] = NOTHING
    capture: Stated[str] = NOTHING
