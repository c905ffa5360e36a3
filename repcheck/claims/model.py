"""The claims of one paper, as frozen data: every key of the claims format, version 1.

Each leaf is a `Stated[...]`; numbers carry their unit in `Unit(...)`. A key that is not written is
`undeclared`, which is never the same as zero, false or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from repcheck.claims.data import (
    Dataset,
    Decoding,
    Environment,
    HumanBaseline,
    InputForm,
    Labels,
    Prompt,
    Split,
    SplitPart,
)
from repcheck.claims.kinds import (
    NOTHING,
    Amount,
    ClaimType,
    Flop,
    Free,
    Hours,
    Megabytes,
    Names,
    Natural,
    Positive,
    Role,
    Score,
    Seconds,
    Share,
    StdKind,
    Whole,
    silent,
)
from repcheck.claims.methods import (
    Component,
    DeclaredArm,
    Method,
    Model,
    Published,
    Reference,
)
from repcheck.claims.paper import (
    Artifact,
    ArtifactEnv,
    CheckBudget,
    Deployment,
    Hardware,
    Paper,
    RelatedCode,
    Weights,
)
from repcheck.claims.results import (
    Ablation,
    Aggregate,
    Claim,
    Efficiency,
    HumanEvaluation,
    Metric,
    NotReported,
    Qualitative,
    Result,
    Significance,
)
from repcheck.claims.sources import (
    Flops,
    Source,
)
from repcheck.claims.stated import Section, State, Stated, section
from repcheck.claims.training import (
    Chosen,
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
from repcheck.where import Where

__all__ = [
    "Ablation",
    "Aggregate",
    "Amount",
    "Artifact",
    "ArtifactEnv",
    "CheckBudget",
    "Chosen",
    "Claim",
    "ClaimType",
    "Claims",
    "Component",
    "Dataset",
    "DeclaredArm",
    "Decoding",
    "Deployment",
    "Distillation",
    "Efficiency",
    "Environment",
    "Eval",
    "Flop",
    "Flops",
    "Free",
    "Hardware",
    "Hours",
    "HumanBaseline",
    "HumanEvaluation",
    "InputForm",
    "Labels",
    "Loss",
    "LrSchedule",
    "Megabytes",
    "Method",
    "Metric",
    "Model",
    "ModelSelection",
    "Names",
    "Natural",
    "NotReported",
    "Optimizer",
    "Paper",
    "Positive",
    "Pretrained",
    "Prompt",
    "Published",
    "Qualitative",
    "Reference",
    "RelatedCode",
    "Result",
    "Role",
    "Scaled",
    "Score",
    "Search",
    "Seconds",
    "Section",
    "Seeds",
    "Share",
    "Significance",
    "Source",
    "Split",
    "SplitPart",
    "State",
    "Stated",
    "StdKind",
    "TestTimeAugmentation",
    "Train",
    "TrainCost",
    "Tuning",
    "WeightAverage",
    "Weights",
    "Where",
    "Whole",
]


@section
class Claims(Section):
    """Everything that one claims file says."""

    repcheck: Stated[Literal[1]] = NOTHING
    paper: Paper = silent(Paper)
    declared_by: Stated[Literal["author", "reviewer", "mixed"]] = NOTHING
    trust: Stated[Literal["own", "foreign"]] = NOTHING
    artifact: Artifact = silent(Artifact)
    hardware: Mapping[str, Hardware] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)
    arms: tuple[DeclaredArm, ...] = ()
    overrides: Mapping[str, Stated[str]] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    measured_not_reported: NotReported = silent(NotReported)
    results: tuple[Result, ...] = ()
    claims: tuple[Claim, ...] = ()
    efficiency: tuple[Efficiency, ...] = ()
    ablations: tuple[Ablation, ...] | None = None
    human_evaluation: HumanEvaluation = silent(HumanEvaluation)
    qualitative: tuple[Qualitative, ...] = ()
    deployment: Deployment = silent(Deployment)
    regression_set: Stated[str] = NOTHING
    negative_results: Stated[tuple[Any, ...]] = NOTHING
    limitations: Stated[str] = NOTHING
    budget: CheckBudget = silent(CheckBudget)
    sha256: str = ""
