"""What people call a factor, its key path, and whether a name of the paper's offer means it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from repcheck.claims.stated import Section, Stated

if TYPE_CHECKING:
    from repcheck.claims.model import Method

# What people call a factor, and its key path in the claims format.
ALIASES = {
    "lr": "optimizer.lr", "learning_rate": "optimizer.lr", "optimizer": "optimizer.type",
    "lr_schedule": "lr_schedule.type", "schedule": "lr_schedule.type",
    "epochs": "train.epochs", "iterations": "train.iterations", "steps": "train.iterations",
    "samples": "samples", "batch_size": "train.batch_size", "batch": "train.batch_size",
    "repeats": "train.repeats", "subset": "train.subset", "amp": "train.amp",
    "grad_accum": "train.grad_accum", "views": "train.views",
    "ema": "ema.decay", "swa": "swa.decay", "tta": "tta.views", "ensemble": "ensemble_size",
    "pretrained": "pretrained.weights", "init": "pretrained.weights",
    "distillation": "distillation.teacher", "teacher": "distillation.teacher",
    "act": "activation", "normalization": "norm", "normalisation": "norm", "pooling": "resampling",
    "aug": "augmentation",
} | {name: f"optimizer.{name}" for name in ("momentum", "weight_decay", "betas", "eps",
                                            "nesterov", "clip_norm")}  # fmt: skip
LENGTHS = (
    "train.epochs", "train.iterations", "train.samples", "train.tokens", "train.env_steps",
    "samples", "steps",
)  # fmt: skip
# Whoever offers one of these offers what a network of another size costs.
SIZES = frozenset(
    {
        "width", "depth", "layers", "channels", "capacity", "scale", "size", "model", "params",
        "parameters", "model.flops", "model.params", "model.variant", "model_size", "flops",
        "hyperparameters.width", "hyperparameters.depth", "train_flops", "train_cost", "compute",
        "training_compute", "train_compute",
    }
)  # fmt: skip
SPENT = frozenset({"compute", "training_compute", "train_compute", "train_flops", "train_cost"})
_LONGER = SPENT | {
    "samples", "train.samples", "longer_training", "training_length", "train_length", "length",
    "training_time", "training_duration", "more_epochs", "longer_schedule", "schedule_length",
    "training_epochs", "training_steps", "number_of_epochs", "train_longer", "budget",
    "training_budget",
}  # fmt: skip
_WHOLE = {
    "optimizer": "optimizer", "lr_schedule": "lr_schedule", "schedule": "lr_schedule",
    "learning_rate_schedule": "lr_schedule", "scheduler": "lr_schedule", "ema": "ema",
    "swa": "swa", "tta": "tta", "test_time_augmentation": "tta", "pretrained": "pretrained",
    "pretraining": "pretrained", "pre_training": "pretrained", "init": "pretrained",
    "distillation": "distillation", "teacher": "distillation",
    "knowledge_distillation": "distillation", "self_distillation": "distillation",
    "data_augmentation": "augmentation", "large_batch": "train.batch_size",
    "peak_lr": "optimizer.lr", "weight_averaging": "ema",
    "exponential_moving_average": "ema", "gradient_clipping": "optimizer.clip_norm",
}  # fmt: skip


@lru_cache(maxsize=4096)
def canonical(factor: str) -> str:
    """Return a factor's key path; a name that is none stays as it is, and so does the + of two."""
    parts = (part.strip() for part in factor.split("+"))
    return "+".join(ALIASES.get(plain(part), part) for part in parts)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name in one spelling: `Longer-Training` and `longer training` are one."""
    return re.sub(r"[-\s]+", "_", name.strip().lower())


@lru_cache(maxsize=4096)
def meant(name: str) -> frozenset[str]:
    """Return the key paths that a name of the paper's offer stands for, in one spelling."""
    short = plain(name)
    found = {short, plain(canonical(name)), _WHOLE.get(short, short)}
    return frozenset(found | set(LENGTHS)) if short in _LONGER else frozenset(found)


@lru_cache(maxsize=4096)
def stands_for(name: str, factor: str) -> bool:
    """Return whether a name of the paper's offer stands for a factor, or for all that holds it."""
    keys = {plain(factor), plain(canonical(factor))}
    return any(key == own or key.startswith(f"{own}.") for key in keys for own in meant(name))


def values_of(method: Method, factor: str) -> frozenset[str]:
    """Return what a method states of a factor in words: `Lion`, each augmentation of a list."""
    found: Any = method
    for part in canonical(factor).split("."):
        found = getattr(found, part, None)
    if isinstance(found, Section):
        found = getattr(found, type(found).short or "", None)
    content = found.content if isinstance(found, Stated) and found.known else ()
    listed = content if isinstance(content, list | tuple) else (content,)
    named = (one.get("name") if isinstance(one, Mapping) else one for one in listed)
    return frozenset(one for one in named if isinstance(one, str))


def named_by(name: str, value: str, factor: str) -> bool:
    """Return whether a name is that of a factor's value: `Lion`, or `lion-optimizer`."""
    about = {*plain(canonical(factor)).replace(".", "_").split("_"), *plain(factor).split("_")}
    words = [set(plain(text).split("_")) for text in (name, value)]
    bare = [one - about for one in words]
    return words[0] == words[1] or bare[0] == bare[1] != set()
