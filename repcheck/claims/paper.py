"""The paper, its artifact, the machines, and how much a check may spend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from repcheck.claims.kinds import (
    NOTHING,
    Names,
    Natural,
    Positive,
    SeedCount,
    silent,
)
from repcheck.claims.stated import Section, Stated, section
from repcheck.units import Gt, Unit


@section
class Paper(Section):
    """The paper whose claims these are."""

    title: Stated[str] = NOTHING
    authors: Stated[Names] = NOTHING
    venue: Stated[str] = NOTHING
    version: Stated[str] = NOTHING
    url: Stated[str] = NOTHING
    pdf_sha256: Stated[str] = NOTHING


@section
class ArtifactEnv(Section):
    """The environment the artifact wants."""

    requirements: Stated[str] = NOTHING
    vars: Stated[Mapping[str, str]] = NOTHING
    setup: Stated[str] = NOTHING


@section
class Weights(Section):
    """A file of trained weights that the artifact ships."""

    file: Stated[str] = NOTHING
    sha256: Stated[str] = NOTHING
    for_: Stated[str] = NOTHING


@section
class RelatedCode(Section):
    """Somebody else's code inside the artifact; `entry` (`module:function`) builds its model."""

    path: Stated[str] = NOTHING
    licence: Stated[str] = NOTHING
    cited: Stated[bool] = NOTHING
    entry: Stated[str] = NOTHING


@section
class Artifact(Section):
    """The code that is said to produce the numbers; `root` is relative to the claims file."""

    short: ClassVar[str | None] = "root"
    root: Stated[str] = NOTHING
    commit: Stated[str] = NOTHING
    licence: Stated[str] = NOTHING
    python: Stated[str] = NOTHING
    env: ArtifactEnv = silent(ArtifactEnv)
    code_available: Stated[Literal["full", "partial", "eval-only", "none"]] = NOTHING
    weights: tuple[Weights, ...] = ()
    related_code: tuple[RelatedCode, ...] = ()


@section
class Hardware(Section):
    """A machine, named once and referred to."""

    id: str = ""
    device: Stated[str] = NOTHING
    cpu: Stated[str] = NOTHING
    cores: Stated[Natural] = NOTHING
    memory_gb: Stated[Annotated[float, Unit("GB"), Gt(0)]] = NOTHING
    peak_tflops: Stated[Positive] = NOTHING
    precision: Stated[str] = NOTHING


@section
class Deployment(Section):
    """Where the method is meant to work."""

    target: Stated[str] = NOTHING
    label_prior: Stated[Any] = NOTHING
    risk: Stated[Any] = NOTHING


@section
class CheckBudget(Section):
    """How much the check may spend."""

    max_minutes: Stated[Annotated[float, Unit("minutes"), Gt(0)]] = NOTHING
    max_trainings: Stated[Natural] = NOTHING
    seeds_per_arm: Stated[SeedCount] = NOTHING
    allow_surgery: Stated[bool] = NOTHING
    hardware: Stated[str] = NOTHING
