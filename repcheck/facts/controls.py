"""Whether a score depends on the data: what a run read and computed, and what a control scores.

A control is one more run of a method, with the seed of a declared run, in which the trained model
is fed other examples when it is evaluated. Of the way from chance to the score as declared it
*keeps* the share (control - chance) / (declared - chance), which is next to nothing for a score
that is counted from the model's outputs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.comparison import dataset_named
from repcheck.claims.metrics import is_share
from repcheck.claims.model import Claim, Claims, Dataset, Method, Metric, SplitPart
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.evaluation_seen import finals, set_of
from repcheck.facts.observed import DOUBTS
from repcheck.facts.predicted import Predicted
from repcheck.metric_names import meaning
from repcheck.needs import datasets_of
from repcheck.runs import Run, SeedKind, Status

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.observation import Observation

KIND = "control"
SURGERY = "unpair"
SURE = 6.0
"""Standard deviations of chance above chance, from which on a score is no chance's."""
NUMERIC = frozenset(
    {
        *("accelerate", "catboost", "cupy", "cv2", "datasets", "deepspeed", "diffusers", "flax"),
        *("h5py", "jax", "keras", "lightgbm", "lightning", "mlxtend", "mxnet", "numpy"),
        *("onnxruntime", "paddle", "pandas", "peft", "polars", "pyarrow", "pytorch_lightning"),
        *("scipy", "sklearn", "tensorflow", "timm", "torch", "torchvision", "transformers"),
        "xgboost",
    }
)
OPAQUE = NUMERIC - {"numpy", "scipy", "pandas", "torch"}
"""Libraries that read files or run networks where no probe looks."""
CODE = frozenset({".py", ".pyc", ".pyi", ".cfg", ".ini", ".toml", ".yaml", ".yml", ".md", ".lock"})
CARRIED = frozenset({".onnx", ".pt2", ".engine", ".tflite", ".plan", ".mlmodel"})
"""Forms of a network in which something else than torch runs it."""
LITTLE_CPU_S = 2.0
"""More than a script needs that computes nothing."""
MUCH_CPU_S = 30.0
"""More than it takes to import the libraries."""
_WHOLE = {"percent": 100.0, "%": 100.0, "fraction": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What a score by chance is, in the metric's unit; `assumed` where no file says it."""

    value: float
    assumed: bool
    whole: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control beside the declared run of the same seed, for one metric.

    `fed` counts the rows that were exchanged, `rows` those that the declared run evaluated at last,
    `examples` the different ones of them (None: not known). `most` is the share of the most
    frequent class, as far as it is known; `held` says that the metric by its name holds outputs
    against what is right, on data that were not trained on.
    """

    run: Run
    declared: Run
    metric: str
    up: bool
    chance: Chance | None
    fed: int
    rows: int
    examples: int | None
    most: float | None
    held: bool

    @property
    def score(self) -> float:
        """Return what the control scores."""
        return self.run.metrics[self.metric]

    @property
    def usual(self) -> float:
        """Return what the run of the same seed as declared scores."""
        return self.declared.metrics[self.metric]

    @property
    def kept(self) -> float | None:
        """Return the share of the way from chance that is kept; None where chance is not known."""
        if self.chance is None or not self._above(self.usual, self.chance.value):
            return None
        return (self.score - self.chance.value) / (self.usual - self.chance.value)

    @property
    def sure(self) -> bool:
        """Whether the score as declared is no score by chance, by the examples it is of."""
        chance = self.chance
        if chance is None or chance.whole is None:
            return True
        if not self.examples:
            return False
        p = chance.value / chance.whole
        sd = math.sqrt(max(p * (1 - p), 1e-9) / self.examples)
        return abs(self.usual - chance.value) / chance.whole > SURE * sd

    @property
    def uneven(self) -> bool:
        """Whether answers that are blind to the inputs may score as much: one class is frequent."""
        chance = self.chance
        if chance is None or chance.whole is None or chance.assumed or self.most is None:
            return True
        share = self.score / chance.whole if self.up else 1 - self.score / chance.whole
        p = self.most
        sd = math.sqrt(max(p * (1 - p), 1e-9) / (self.examples or 1))
        return share <= p + SURE * sd

    def _above(self, score: float, chance: float) -> bool:
        return score > chance if self.up else score < chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A run that gave a number and of which nothing was seen that could have made it.

    `why` is empty where it was seen whole; `read` are the files that it read besides code.
    """

    run: Run
    cpu_s: float
    read: tuple[str, ...]
    libraries: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls(Fact):
    """The declared runs and the controls of every method."""

    label: ClassVar[str] = "what the scores depend on"
    claims: Claims
    runs: tuple[Run, ...]
    refused: tuple[str, ...]
    predicted: Predicted

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs as they are."""
        refused = tuple(one.would_decide for one in evidence.no_arms if one.change == KIND)
        return cls(
            claims=evidence.claims, runs=evidence.runs, refused=refused,
            predicted=evidence.get(Predicted),
        )  # fmt: skip

    def declared(self, method: str, dataset: str, metric: str) -> list[Run]:
        """Return the runs of a method as declared that gave a metric, each seed once."""
        return [
            run
            for run in self.runs
            if run.arm == method
            and run.dataset in {"", dataset}
            and not run.replicate
            and run.status is Status.OK
            and metric in run.metrics
        ]

    def of(self, claim: Claim, dataset: str) -> Iterator[Control]:
        """Yield the controls of a claim's method on a dataset that can be held to a run."""
        method, metric = claim.method.get(""), claim.metric.get("")
        usual = {run.seed: run for run in self.declared(method, dataset, metric)}
        for run in self.runs:
            mine = run.arm_kind == KIND and run.method == method and run.dataset in {"", dataset}
            if mine and run.seed in usual and not self.invalid(run, metric):
                yield self._made(run, usual[run.seed], metric, dataset)

    def broken(self, claim: Claim, dataset: str) -> list[tuple[Run, str]]:
        """Return the controls that tell nothing, each with why."""
        method, metric = claim.method.get(""), claim.metric.get("")
        mine = [
            run
            for run in self.runs
            if run.arm_kind == KIND and run.method == method and run.dataset in {"", dataset}
        ]
        return [(run, why) for run in mine if (why := self.invalid(run, metric))]

    def invalid(self, run: Run, metric: str) -> str:
        """Return why a control tells nothing; "" if it was fed other examples and scored."""
        seen = run.observation
        if run.status is not Status.OK or metric not in run.metrics:
            return f"it did not end with a score ({run.reason or run.status})"
        if seen is None or not seen.seen:
            return "no probe was in it"
        if gap := seen.gap(*DOUBTS):
            return f"not all of it was seen ({gap.why})"
        done = [one for one in seen.surgery if one.kind == SURGERY]
        if not any(one.times for one in done):
            return "its model was fed nothing else at any evaluation"
        return next((one for one in seen.probe_errors if one.startswith("surgery")), "")[:160]

    def _made(self, run: Run, declared: Run, metric: str, dataset: str) -> Control:
        seen, before = run.observation, declared.observation
        assert seen is not None
        rows, examples = _evaluated(before) if before is not None else (0, None)
        about = self.claims.metrics[metric]
        up = about.higher_is_better.get(True)
        return Control(
            run=run, declared=declared, metric=metric, up=up, rows=rows,
            chance=self._chance(metric, dataset, declared.metrics[metric]),
            fed=sum(one.times for one in seen.surgery if one.kind == SURGERY),
            examples=about.n_test.get(0) or examples,
            most=self._most(declared, dataset), held=is_held(about),
        )  # fmt: skip

    def _chance(self, metric: str, dataset: str, score: float) -> Chance | None:
        """Return the score by chance: of the classes, else a half of a share above one half."""
        about = self.claims.metrics[metric]
        up, whole = about.higher_is_better.get(True), _WHOLE.get(about.unit.get(""))
        classes = dataset_named(self.claims, dataset).labels.classes
        share = whole is not None and (is_share(about) or "err" in about.id.lower())
        if share and whole is not None and classes.known:
            right = whole / classes.value
            return Chance(value=right if up else whole - right, assumed=False, whole=whole)
        if share and whole is not None:
            half = whole / 2
            away = 0.0 if up else whole
            better = score > half if up else score < half
            return Chance(value=half if better else away, assumed=True, whole=whole)
        if score <= 0:
            return None
        return Chance(value=0.0, assumed=True) if up else Chance(value=2 * score, assumed=True)

    def _most(self, run: Run, dataset: str) -> float | None:
        """Return the share of the most frequent class: of a run's predictions, else as stated."""
        try:
            answers = Counter(self.predicted.of(run).answers)
        except Missing:
            answers = Counter()
        counts = dataset_named(self.claims, dataset).labels.counts.content
        if not answers and isinstance(counts, tuple | list):
            answers = Counter({str(place): int(count) for place, count in enumerate(counts)})
        return max(answers.values()) / answers.total() if answers.total() else None

    def nothing(self, method: Method, dataset: str, metric: str) -> list[Nothing]:
        """Return the runs that gave a number, and in which nothing was seen to make it."""
        found = []
        for run in self.declared(method.id, dataset, metric):
            seen = run.observation
            if seen is not None and seen.seen and seen.libraries is not None and _idle(seen):
                found.append(_nothing(run, seen))
        return found


def datasets_asked(claims: Claims, claim: Claim) -> tuple[str, ...]:
    """Return the datasets that a claim on a method is about."""
    return datasets_of(claims, claim, claim.method.get(""))


def evaluated_through_a_model(run: Run) -> bool:
    """Return whether a run ended well, and a probe saw a model being called in an evaluation."""
    seen = run.observation
    if run.status is not Status.OK or seen is None:
        return False
    return any(one.forwards > 0 and one.params > 0 for one in finals(seen))


def carried(run: Run) -> str:
    """Return a file of a network that something else than torch may have run; "" if none is."""
    seen = run.observation
    files = seen.files if seen is not None else ()
    return next((one.path for one in files if PurePosixPath(one.path).suffix in CARRIED), "")


def trained(method: Method) -> bool:
    """Return whether the file states a training of the method."""
    stated = (method.train.epochs, method.train.iterations, method.train.samples)
    return any(leaf.known for leaf in (*stated, method.train.tokens, method.optimizer.type))


def unread(run: Run, dataset: Dataset) -> str:
    """Return a declared data file that a run did not open; "" where one was, or none is stated."""
    seen = run.observation
    stated = [str(part.path.value) for part in _parts(dataset) if part.path.known]
    opened = [one.path for one in seen.files] if seen is not None else []
    names = [PurePosixPath(path).name for path in stated]
    if not stated or any(PurePosixPath(path).name in names for path in opened):
        return ""
    return stated[0]


def still(run: Run) -> int:
    """Return after how many optimizer steps a run's weights are those it began with; 0 if not."""
    seen = run.observation
    if seen is None or seen.training is None or seen.gap("weights", "training", *DOUBTS):
        return 0
    same = bool(seen.initial_weights) and seen.initial_weights == seen.final_weights
    return seen.training.steps if same else 0


def declared_seeds(runs: list[Run]) -> list[Run]:
    """Return runs with those of fresh seeds first: nobody chose them."""
    return sorted(runs, key=lambda run: run.seed_kind is not SeedKind.FRESH)


def is_held(metric: Metric) -> bool:
    """Return whether a metric is one of outputs beside what is right, by its name."""
    read = metric.from_.get("").rpartition(":")[2].partition("@")[0]
    said = [one for one in map(meaning, (metric.id, read, metric.definition.get(""))) if one]
    if any(one.split == "train" for one in said):
        return False
    if any(one.kind in {"metric", "half"} and one.family != "generation" for one in said):
        return True
    return is_share(metric)


def _parts(dataset: Dataset) -> tuple[SplitPart, ...]:
    return dataset.data, dataset.train, dataset.test


def _idle(seen: Observation) -> bool:
    return seen.training is None and not (seen.evaluations or seen.fits or seen.models)


def _nothing(run: Run, seen: Observation) -> Nothing:
    read = tuple(
        one.path
        for one in seen.files
        if not one.written and PurePosixPath(one.path).suffix.lower() not in CODE
    )
    why = ""
    if gap := seen.gap("training", "rows", "samples", *DOUBTS):
        why = gap.why
    elif seen.subprocesses:
        why = f"it starts other programs (`{seen.subprocesses[0][:60]}`)"
    elif seen.network:
        why = f"it goes to the network (`{seen.network[0]}`)"
    elif not all(one.ended for one in seen.processes) or not seen.processes:
        why = "a process of it was not seen to its end"
    cpu = max(seen.cpu_s, sum(one.cpu_s for one in seen.processes))
    return Nothing(run=run, cpu_s=cpu, read=read, libraries=seen.libraries or (), why=why)


def _evaluated(seen: Observation) -> tuple[int, int | None]:
    """Return the rows of the last evaluations together, and the most different ones in any."""
    last = [one for one in finals(seen) if one.forwards > 0]
    known = [found.examples for one in last if (found := set_of(seen, one)) is not None]
    return sum(one.rows for one in last), max((n for n in known if n), default=None)
