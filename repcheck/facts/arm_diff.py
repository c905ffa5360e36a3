"""What an arm's runs did otherwise than those of the method it was derived from.

An arm counts only if the factor under test was seen to change and nothing else was. What follows
from a changed factor by itself (losses, weights, scores) is no difference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repcheck.arms import Arm
from repcheck.budget import figure
from repcheck.facts.observed import DOUBTS
from repcheck.facts.schedule import shape_of
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Evaluation, Observation, Training

COUNTS = 0.02
SHAPE = 0.05
Value = float | str | tuple[float, ...] | None
# What has to be known of both runs before nothing else may be said to have changed.
NEEDED = ("steps", "samples", "samples a step", "peak learning rate", "optimizer", "parameters")

_LENGTH = frozenset({"steps", "samples"})
_STRUCTURE = frozenset({"network", "parameters", "evaluated parameters"})
# The keys of a reading that a factor may change, by the first words of the factor's key path.
TOUCHES: Mapping[str, frozenset[str]] = {
    "train.epochs": _LENGTH,
    "train.iterations": _LENGTH,
    "train.samples": _LENGTH,
    "train.tokens": _LENGTH,
    "train.repeats": _LENGTH,
    "samples": _LENGTH,
    "train_flops": _LENGTH,
    "train.batch_size": _LENGTH | {"samples a step", "accumulation"},
    "train.grad_accum": _LENGTH | {"samples a step", "accumulation"},
    "train.subset": _LENGTH | {"different samples", "samples a step"},
    "data": _LENGTH | {"different samples", "samples a step", "evaluated set"},
    "train_data": _LENGTH | {"different samples", "samples a step"},
    "leak": _LENGTH | {"different samples", "samples a step"},
    "optimizer.lr": frozenset({"peak learning rate"}),
    "lr_schedule": frozenset({"schedule", "peak learning rate"}),
    "optimizer.type": frozenset({"optimizer", "peak learning rate"}),
    "optimizer": frozenset({"optimizer"}),
    "ema": frozenset({"averaged weights"}),
    "swa": frozenset({"averaged weights"}),
    "tta": frozenset({"views"}),
    "ensemble_size": frozenset({"views", *_LENGTH, "evaluated parameters"}),
    "distillation": frozenset({"teachers"}),
    "pretrained": frozenset({"loaded weights"}),
    "losses": _STRUCTURE | {"samples", "samples a step", "teachers"},
    "augmentation": frozenset({"different samples", "views a sample"}),
    "preprocessing": _STRUCTURE | {"different samples", "evaluated set"},
    "trivial": _STRUCTURE | {"different samples", "views a sample", "evaluated set"},
    "prompt": frozenset({"prompts"}),
    "hyperparameters": _STRUCTURE | {"prompts"},
    "rl": frozenset({"different samples", "views a sample", *_LENGTH}),
    "policy": frozenset({"different samples", "views a sample", *_LENGTH}),
    "eval": frozenset({"views", "evaluated set", "averaged weights", "evaluation mode"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that was otherwise; `allowed` says that it belongs to the arm's factor."""

    key: str
    before: str
    after: str
    allowed: bool

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.after}"


def allowed_keys(arm: Arm) -> frozenset[str]:
    """Return what an arm may change: what its factors touch, the structure where none is known."""
    found: frozenset[str] = frozenset()
    for factor in (part for joined in arm.factors for part in joined.split("+")):
        best = max(
            (name for name in TOUCHES if factor == name or factor.startswith(f"{name}.")),
            key=len,
            default="",
        )
        found |= TOUCHES[best] if best else _STRUCTURE
    if arm.change == "eval-only":
        found |= TOUCHES["eval"]
    return found


def reading(run: Run) -> dict[str, Value]:
    """Return what one run did, as far as it matters to an arm; what was not seen is not there."""
    seen = run.observation
    if seen is None or seen.gap(*DOUBTS) is not None:
        return {}
    found: dict[str, Value] = {}
    if seen.training is not None:
        found |= _of_training(seen.training)
    found |= _of_network(seen)
    found["teachers"] = ", ".join(sorted({teacher.cls for teacher in seen.teachers})) or "none"
    loads = [load for load in seen.loads if not load.own and load.changed != 0.0]
    found["loaded weights"] = ", ".join(sorted({load.what or load.how for load in loads})) or "none"
    if seen.prompts is not None and seen.prompts.kept:
        asked = seen.prompts
        said = f"{asked.prefix} ... {asked.suffix}"
        found["prompts"] = f"{asked.shots} exemplars, {asked.samples:g} answers, {said}"[:300]
    averages = [one for one in seen.averages if one.evaluated]
    found["averaged weights"] = ", ".join(sorted({one.how for one in averages})) or "none"
    final = [one for one in seen.evaluations if one.final]
    if final:
        found |= _of_evaluation(seen, final[-1])
    return {key: value for key, value in found.items() if value is not None}


def _of_training(training: Training) -> dict[str, Value]:
    optimizer = training.optimizer
    fields = {k: v for k, v in optimizer.fields.items() if k not in {"lr", "initial_lr"}}
    return {
        "steps": float(training.steps),
        "samples": None if training.samples is None else float(training.samples),
        "different samples": None if training.unique is None else float(training.unique),
        "samples a step": training.batch,
        "accumulation": training.accumulation,
        "peak learning rate": optimizer.peak_lr,
        "schedule": shape_of(optimizer, training.steps),
        "optimizer": f"{optimizer.cls} {sorted((k, str(v)) for k, v in fields.items())}",
        "clipping": training.clip_norm or 0.0,
        "precision": ", ".join(training.amp) or "full",
    }


def _of_network(seen: Observation) -> dict[str, Value]:
    trained = [model for model in seen.models if model.trained]
    found: dict[str, Value] = {}
    if trained:
        found["parameters"] = float(sum(model.params for model in trained))
    if seen.networks:
        counts = Counter(op.op for network in seen.networks for op in network.ops)
        found["network"] = ", ".join(f"{n} {op}" for op, n in sorted(counts.items()))
    return found


def _of_evaluation(seen: Observation, final: Evaluation) -> dict[str, Value]:
    of = next((one for one in seen.sets if one.id == final.set), None)
    named = f"{of.examples} examples {of.digest[:8]}" if of and of.digest else None
    return {
        "evaluated set": named or (f"{of.examples} examples" if of and of.examples else None),
        "views": final.views,
        "evaluated parameters": float(final.params) if final.params else None,
        "evaluation mode": "training" if final.in_training_mode else "evaluation",
    }


def unseen(pairs: Iterable[tuple[Run, Run]]) -> str:
    """Return what was not seen of a run or of the one it is compared with; "" if all was."""
    for pair in pairs:
        for run in pair:
            seen = run.observation
            if seen is None or not seen.seen:
                return "a probe saw nothing of one of them"
            if (gap := seen.gap("training", *DOUBTS)) is not None:
                return gap.why
        old, new = map(reading, pair)
        if apart := [key for key in NEEDED if (key in old) != (key in new)]:
            return f"`{apart[0]}` was seen of one run of seed {pair[0].seed} and not of the other"
    return ""


def differences(before: Run, after: Run, allowed: frozenset[str]) -> list[Change]:
    """Return what a run of the arm did otherwise than the run it is compared with."""
    old, new = reading(before), reading(after)
    found = []
    for key in [key for key in old if key in new]:
        if not alike(key, old[key], new[key]):
            told = _told(key, old[key], new[key])
            found.append(Change(key=key, before=told[0], after=told[1], allowed=key in allowed))
    return found


def alike(key: str, old: Value, new: Value) -> bool:
    """Return whether two values of one key are one, within the bands of counts and schedules."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        pairs = list(zip(old, new, strict=False))
        return sum(abs(a - b) for a, b in pairs) <= SHAPE * max(1, len(pairs))
    if isinstance(old, float) and isinstance(new, float):
        slack = 1e-6 if key in {"peak learning rate", "clipping"} else COUNTS
        return math.isclose(old, new, rel_tol=slack)
    return old == new


def _told(key: str, old: Value, new: Value) -> tuple[str, str]:
    if key == "network":
        a, b = (Counter(counted(str(value))) for value in (old, new))
        return _listed(a - b), _listed(b - a)
    return _shown(old), _shown(new)


def counted(text: str) -> dict[str, int]:
    """Return the operations of a network by name, of a reading's text (`3 conv, 2 relu`)."""
    pairs = (part.split(" ", 1) for part in text.split(", ") if part)
    return {name: int(count) for count, name in pairs}


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {op}" for op, n in sorted(counts.items())[:6]) or "nothing"


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return f"ends at {value[-1]:.2f} of its peak" if value else "none"
    return figure(value) if isinstance(value, float) else str(value)


def paired(arm: Sequence[Run], parent: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Return the runs of one seed on both sides, the parent's first."""
    by_seed = {run.seed: run for run in parent if not run.replicate}
    return [(by_seed[run.seed], run) for run in arm if run.seed in by_seed and not run.replicate]


def agreed(pairs: Iterable[tuple[Run, Run]], allowed: frozenset[str]) -> tuple[Change, ...]:
    """Return every change that any pair of runs shows, each key once."""
    found: dict[str, Change] = {}
    for before, after in pairs:
        for change in differences(before, after, allowed):
            found.setdefault(change.key, change)
    return tuple(found.values())


def repeatable(runs: Sequence[Run]) -> bool:
    """Return whether a seed that was run twice left the same weights, to the last bit."""
    digest: dict[int, set[str]] = {}
    for run in runs:
        if run.observation is not None and run.observation.final_weights:
            digest.setdefault(run.seed, set()).add(run.observation.final_weights)
    twice = {run.seed for run in runs if run.replicate}
    return bool(twice) and all(len(digest.get(seed, ())) == 1 for seed in twice)


def same_start(pairs: Sequence[tuple[Run, Run]]) -> bool:
    """Return whether both runs of each seed began with the same weights, so that they pair."""
    return bool(pairs) and all(_same(pair, lambda seen: seen.initial_weights) for pair in pairs)


def same_end(pairs: Sequence[tuple[Run, Run]]) -> bool:
    """Return whether both runs of each seed ended with the same weights."""
    return bool(pairs) and all(_same(pair, lambda seen: seen.final_weights) for pair in pairs)


def _same(pair: tuple[Run, Run], digest: Callable[[Observation], str]) -> bool:
    first, second = (digest(run.observation) if run.observation else "" for run in pair)
    return bool(first) and first == second
