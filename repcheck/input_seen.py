"""What entered a model in training and in evaluation, in numbers: a part of an observation.

Of a bounded sample, on the CPU alone: the first batches, then ever fewer. What went in elsewhere,
and words or other whole numbers, are not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSeen:
    """Statistics of one module's input, in training or in the last pass over one evaluated set.

    `root` is the module's number in `Observation.models`, `set` that of the evaluated set (None in
    training), `at` the steps before that pass. `mean` and `sd` are of each channel or feature where
    there are at most 16 (`by`), else of all values; both are empty for whole numbers. `shape` is
    without the rows, `zeros` and `undefined` are shares of the values. `rows` is how many rows were
    looked at, `different` how many different ones of them were kept, at most 2,000.
    """

    root: int
    phase: Literal["train", "eval"]
    set: int | None = None
    at: int = 0
    shape: tuple[int, ...] = ()
    dtype: str = ""
    by: Literal["channel", "feature", "all"] = "all"
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    zeros: float = 0.0
    undefined: float = 0.0
    rows: int = 0
    batches: int = 0
    different: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSample:
    """How well rows fed in training and rows of an evaluated set are told apart.

    The AUC of a logistic regression in five folds, with its 95 % interval; 0.5 is chance.
    """

    root: int
    set: int
    auc: float
    low: float
    high: float
    n_train: int
    n_eval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """Rows of an evaluated set that have a near, and no exact, copy among rows trained on.

    `near` of `n_eval` rows have one among `n_train` different rows; `natural` of these have one
    among the others. `exact` rows have an exact copy. A near copy correlates by 0.995 or more;
    where rows are images (`shifted`) also after a circular shift of up to 2 pixels each way, or
    mirrored.
    """

    root: int
    set: int
    n_train: int
    n_eval: int
    near: int
    natural: int
    exact: int
    shifted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """Everything that is known of what was fed in one run."""

    inputs: tuple[InputSeen, ...] = ()
    two_sample: tuple[TwoSample, ...] = ()
    near_duplicates: tuple[NearDuplicates, ...] = ()
