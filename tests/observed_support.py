"""Runs made of what a fixture says that a probe saw of them.

Beside `bad.yaml` there may be `bad.observed.yaml`: method id -> what was seen of its run, or a list
of that, one a run. The fields are those of `repcheck.observation.Observation` (`seen: true` is
implied, and an optimizer where a training names none), and of the run itself: `seed`, `seed_kind`,
`replicate`, `metrics`, `status`, `reason`, `dataset`, `arm_kind`. `probe: false` is a run without a
probe. A run of an arm beside the declared ones stands under the arm's id and says which method it
is derived from: `of: base`. `seeds: {metric: [values]}` stands for as many runs, alike but for the
value.

`predictions` is the file that the run left where `methods.M.eval.predictions` says: the name of one
beside the fixture, or the content in short: `{confusion: [[90, 10], [5, 45]]}` (rows are the right
classes; examples in that order), `{index: [...], label: [...], pred: [...]}`, or `{images: {seed:
0, luma: 0.01, colour: 0.05}}` (eight of 3 x 16 x 16, off by noise of that size on all channels
alike, and on each of its own). `without: [3, 5]` leaves examples out, by their places.

`net` states the trained network in short, one operation a line: its name, then in any order
`path:Class`, the output's `8x4x4` (else that of the operation before), `<0,2` what it took (else
the operation before; -1 is the input), `+80` parameters and `kernel=3` parts.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import hashlib
import re
import shutil
import tempfile
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter

from repcheck.claims.comparison import comparisons
from repcheck.claims.load import load
from repcheck.counterfactuals import wanted
from repcheck.fact import Evidence
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
    "wall_s",
    "others",
}
KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when the tests end
ADAPTER: TypeAdapter[Observation] = TypeAdapter(Observation)


def observed_beside(claims_file: Path) -> Path:
    """Return where the observations of a claims file stand, if there are any."""
    return claims_file.with_name(f"{claims_file.stem}.observed.yaml")


def runs_beside(claims_file: Path) -> Runs:
    """Return the runs that stand beside a claims file, none where there is no such file."""
    path = observed_beside(claims_file)
    return runs_of(yaml.safe_load(path.read_text())) if path.exists() else ()


def evidence_beside(claims_file: Path) -> Evidence:
    """Return a claims file with its runs and the arms that these runs are of."""
    claims, runs = load(claims_file), runs_beside(claims_file)
    store = store_beside(claims_file)
    bare = Evidence(claims=claims, runs=runs, store=store)
    if all(run.arm_kind == "declared" for run in runs):
        return bare
    found = [wanted(bare, comparison) for comparison in comparisons(claims)]
    arms = {arm.id: arm for one in found for stage in one.arms.values() for arm in stage}
    ran = {run.arm for run in runs}
    return Evidence(
        claims=claims,
        runs=runs,
        arms=tuple(arm for name, arm in arms.items() if name in ran),
        no_arms=tuple(none for one in found for none in one.refused),
        store=store,
    )


@cache
def store_beside(claims_file: Path) -> Path | None:
    """Return a folder that holds what the runs of a fixture predicted; None if nothing is said."""
    path = observed_beside(claims_file)
    seen = yaml.safe_load(path.read_text()) if path.exists() else {}
    left = {
        directory_of(method, number): one["predictions"]
        for method, entries in seen.items()
        for number, one in enumerate(_spread(entries))
        if "predictions" in one
    }
    if not left:
        return None
    KEPT.append(tempfile.TemporaryDirectory())
    store = Path(KEPT[-1].name)
    for directory, said in left.items():
        (store / directory / "out").mkdir(parents=True)
        if isinstance(said, str):
            shutil.copy(claims_file.with_name(said), store / directory / "out")
        else:
            predict(store / directory / "out", **said)
    return store


def predict(out: Path, *, without: tuple[int, ...] = (), **said: Any) -> None:
    """Write `preds.csv`, or `preds.npz` for images, of predictions that are stated in short."""
    if "images" in said:
        about = said["images"]
        random = np.random.default_rng(about["seed"])
        label = np.random.default_rng(about.get("scene", 7)).uniform(0.2, 0.8, (8, 3, 16, 16))
        noise = about["luma"] * random.standard_normal((8, 1, 16, 16))
        noise = noise + about["colour"] * random.standard_normal((8, 3, 16, 16))
        np.savez(out / "preds.npz", index=np.arange(8), label=label, pred=label + noise)
        return
    if "confusion" in said:
        pairs = [
            (real, taken)
            for real, row in enumerate(said["confusion"])
            for taken, count in enumerate(row)
            for _ in range(count)
        ]
        label, pred = zip(*pairs, strict=True)
        said = {"index": range(len(pairs)), "label": label, "pred": pred}
    rows = list(zip(*said.values(), strict=True))
    with (out / "preds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(said)
        table.writerows(row for place, row in enumerate(rows) if place not in set(without))


def runs_of(seen: dict[str, Any]) -> Runs:
    """Return one run for each observation of each method."""
    return tuple(
        _run(method, number, one)
        for method, entries in seen.items()
        for number, one in enumerate(_spread(entries))
    )


def _spread(entries: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        one = dict(entry)
        stated = one.pop("seeds") if isinstance(one.get("seeds"), dict) else {"": [None]}
        (metric, values) = next(iter(stated.items()))
        for number, value in enumerate(values):
            own = {} if value is None else {"metrics": {metric: value}, "seed": number}
            found.append(copy.deepcopy(one) | own)
    return found


def _run(method: str, number: int, one: dict[str, Any]) -> Run:
    own = {name: one.pop(name) for name in OF_RUN & set(one)}
    of = one.pop("of", "")
    if of:
        own.setdefault("arm_kind", "counterfactual")
    probed = one.pop("probe", True)
    one.pop("predictions", None)
    key = hashlib.sha256(f"{method} {number}".encode()).hexdigest()
    said = {"dataset": "", "seed": number, **own}
    said["seed_kind"] = SeedKind(said.get("seed_kind", "fresh"))
    said["status"] = Status(said.get("status", "ok"))
    return Run(
        key=key,
        arm=method,
        method=of or method,
        directory=directory_of(method, number),
        observation=observation_of(one) if probed else None,
        **said,
    )


def directory_of(method: str, number: int) -> str:
    """Return where a run of a fixture left its files, below the store."""
    return f"runs/{hashlib.sha256(f'{method} {number}'.encode()).hexdigest()[:12]}"


def observation_of(one: dict[str, Any]) -> Observation:
    """Return an observation made of some of its fields."""
    return ADAPTER.validate_python(_observation(one))


def _observation(one: dict[str, Any]) -> dict[str, Any]:
    training = one.get("training")
    if training is not None:
        optimizer = {"cls": "SGD", "steps": training["steps"], "elements": 1000, "groups": 1}
        one["training"] = {**training, "optimizer": {**optimizer, **training.get("optimizer", {})}}
    if (net := one.pop("net", None)) is not None:
        one["networks"] = [network(net)]
    made = {"seen": True, **one}
    _refuse_unknown(made, Observation, "observation")
    return made


def network(lines: list[str], cls: str = "Net") -> dict[str, Any]:
    """Return the fields of a `NetworkSeen` that is stated in short."""
    ops: list[dict[str, Any]] = []
    for line in lines:
        ops.append(_op(line.split(), ops))
    params = sum(op["params"] for op in ops)
    return {"root": 0, "cls": cls, "params": params, "trainable": params, "ops": ops}


def _op(words: list[str], before: list[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {"op": words[0], "inputs": [len(before) - 1], "params": 0, "parts": {}}
    last = before[-1]["shape"] if before else []
    made["shape"] = last
    for word in words[1:]:
        if word[0] == "<":
            made["inputs"] = [int(one) for one in word[1:].split(",")]
        elif word[0] == "+":
            made["params"] = int(word[1:])
        elif "=" in word:
            key, _, value = word.partition("=")
            made["parts"][key] = yaml.safe_load(value)
        elif re.fullmatch(r"\d+(x\d+)*", word):
            made["shape"] = [int(one) for one in word.split("x")]
        else:
            made["module"], _, made["cls"] = word.partition(":")
    first = made["inputs"][0] if made["inputs"] else -1
    taken = before[first]["shape"] if first >= 0 else made["shape"]
    if taken != made["shape"]:
        made["parts"].setdefault("from", taken)
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
