"""Runs made of what a fixture says that a probe saw of them.

Beside `bad.yaml` there may be `bad.observed.yaml`: method id -> what was seen of its run, or a list
of that, one a run. The fields are those of `repcheck.observation.Observation` (`seen: true` is
implied, and an optimizer where a training names none), and of the run itself: `seed`, `seed_kind`,
`replicate`, `metrics`, `status`, `reason`, `dataset`, `arm_kind`. `probe: false` is a run without a
probe.
"""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from repcheck.observation import Observation
from repcheck.runs import Run, Runs, SeedKind, Status

OF_RUN = {
    "seed",
    "seed_kind",
    "replicate",
    "metrics",
    "status",
    "reason",
    "dataset",
    "arm_kind",
}
ADAPTER: TypeAdapter[Observation] = TypeAdapter(Observation)


def observed_beside(claims_file: Path) -> Path:
    """Return where the observations of a claims file stand, if there are any."""
    return claims_file.with_name(f"{claims_file.stem}.observed.yaml")


def runs_beside(claims_file: Path) -> Runs:
    """Return the runs that stand beside a claims file, none where there is no such file."""
    path = observed_beside(claims_file)
    return runs_of(yaml.safe_load(path.read_text())) if path.exists() else ()


def runs_of(seen: dict[str, Any]) -> Runs:
    """Return one run for each observation of each method."""
    return tuple(
        _run(method, number, dict(one))
        for method, entries in seen.items()
        for number, one in enumerate(entries if isinstance(entries, list) else [entries])
    )


def _run(method: str, number: int, one: dict[str, Any]) -> Run:
    own = {name: one.pop(name) for name in OF_RUN & set(one)}
    probed = one.pop("probe", True)
    key = hashlib.sha256(f"{method} {number}".encode()).hexdigest()
    said = {"dataset": "", "seed": number, **own}
    said["seed_kind"] = SeedKind(said.get("seed_kind", "fresh"))
    said["status"] = Status(said.get("status", "ok"))
    return Run(
        key=key,
        arm=method,
        method=method,
        directory=f"runs/{key[:12]}",
        observation=observation_of(one) if probed else None,
        **said,
    )


def observation_of(one: dict[str, Any]) -> Observation:
    """Return an observation made of some of its fields."""
    return ADAPTER.validate_python(_observation(one))


def _observation(one: dict[str, Any]) -> dict[str, Any]:
    training = one.get("training")
    if training is not None:
        optimizer = {"cls": "SGD", "steps": training["steps"], "elements": 1000, "groups": 1}
        one["training"] = {**training, "optimizer": {**optimizer, **training.get("optimizer", {})}}
    made = {"seen": True, **one}
    _refuse_unknown(made, Observation, "observation")
    return made


def _refuse_unknown(value: Any, hint: Any, at: str) -> None:
    """Fail on a field that observations do not have: a slip would otherwise say nothing."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        for part in typing.get_args(hint):
            if dataclasses.is_dataclass(part) and isinstance(value, dict):
                _refuse_unknown(value, part, at)
    elif typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        for item in value:
            _refuse_unknown(item, typing.get_args(hint)[0], at)
    elif dataclasses.is_dataclass(hint) and isinstance(value, dict):
        hints = typing.get_type_hints(hint)
        unknown = set(value) - set(hints)
        assert not unknown, f"{at} has no {sorted(unknown)}"
        for name, item in value.items():
            _refuse_unknown(item, hints[name], f"{at}.{name}")
