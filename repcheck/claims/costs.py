"""What is undeclared, and what each missing key leaves undecided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from repcheck.claims.model import Claims, Method
from repcheck.claims.stated import Section, Stated

Scope = Literal[
    "methods", "proposed", "baselines", "datasets", "metrics", "results", "rows", "paper"
]


@dataclass(frozen=True, slots=True)
class Need:
    """A fact that rules want: one of `keys`, of every section in `scope`."""

    scope: Scope
    keys: tuple[str, ...]
    rules: str
    fill: str


@dataclass(frozen=True, slots=True)
class Silent:
    """A key that is not written, for one section or for several of a kind."""

    path: str
    rules: str
    fill: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Undeclared:
    """How many relevant facts are missing, and which; those that decide most come first."""

    missing: int
    relevant: int
    keys: tuple[Silent, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the list as the report carries it."""
        keys = [
            {"path": key.path, "rules": key.rules, "fill": key.fill, "count": key.count}
            for key in self.keys
        ]
        return {"missing": self.missing, "relevant": self.relevant, "keys": keys}


_RUN = "yes, any short run"
_PROBE = "yes, from the probe, less exact"
_HALF = "presence yes, disclosure no"
_FRESH = "fresh seeds bound it, intent no"
_PARTLY = "partly, from code and log keys"
_LENGTH = tuple(
    f"train.{name}" for name in ("epochs", "iterations", "samples", "tokens", "env_steps")
)
_BUDGET = "RC101 RC102 RC103 RC916"
_TRICKS = "RC108 RC406 RC407"

NEEDS: tuple[Need, ...] = (
    Need("methods", ("train.command", "eval.command"), "every check of effect", "no"),
    Need("methods", ("train.batch_size",), _BUDGET, _RUN),
    Need("methods", _LENGTH, _BUDGET, _RUN),
    Need("datasets", ("train.size",), _BUDGET, _RUN),
    Need("methods", ("model.entry",), "RC104-RC107 RC3xx RC403 RC506", _PROBE),
    Need("methods", ("model.input_shape",), "RC104-RC107 RC3xx RC403 RC506", _PROBE),
    Need("methods", ("model.params",), "RC104-RC107 RC507", "yes"),
    Need("methods", ("model.flops",), "RC104-RC107 RC507", "yes"),
    Need("methods", ("ema", "swa"), _TRICKS, _HALF),
    Need("methods", ("ensemble_size",), _TRICKS, _HALF),
    Need("methods", ("tta",), _TRICKS, _HALF),
    Need("methods", ("pretrained",), _TRICKS, _HALF),
    Need("methods", ("distillation",), _TRICKS, _HALF),
    Need("methods", ("optimizer",), "RC201 RC204", "yes"),
    Need("methods", ("lr_schedule",), "RC201 RC204", "yes"),
    Need("methods", ("tuning",), "RC202 RC405 RC703 RC807", "no (history)"),
    Need("baselines", ("reference",), "RC202 RC405 RC703 RC807", "no (history)"),
    Need("methods", ("seeds.chosen",), "RC205 RC814", _FRESH),
    Need("results", ("n", "per_seed"), "RC205 RC814", _FRESH),
    Need("results", ("std", "per_seed"), "RC205 RC814", _FRESH),
    Need("paper", ("measured_not_reported.metrics",), "RC501 RC502", _PARTLY),
    Need("paper", ("measured_not_reported.datasets",), "RC501 RC502", _PARTLY),
    Need("datasets", ("input.channel_order",), "RC503", "yes"),
    Need("datasets", ("input.normalisation",), "RC503", "yes"),
    Need("metrics", ("definition", "implementation"), "RC504", "if predictions exist"),
    Need("methods", ("model_selection",), "RC509", "yes (files opened, hashes)"),
    Need(
        "datasets",
        ("train.path", "loader"),
        "RC509 RC701 RC704 RC708",
        "yes (files opened, hashes)",
    ),
    Need(
        "datasets", ("test.path", "loader"), "RC509 RC701 RC704 RC708", "yes (files opened, hashes)"
    ),
    Need(
        "methods",
        ("eval.predictions",),
        "RC501b RC504 RC512 RC603b RC702 RC721 RC722, paired tests",
        "yes, by rerun",
    ),
    Need("proposed", ("components",), "RC4xx RC510 RC710", "no"),
    Need("paper", ("ablations",), "RC4xx RC510 RC710", "no"),
    Need("paper", ("human_evaluation",), "RC511", "no"),
    Need("paper", ("qualitative",), "RC512", "percentiles yes"),
    Need("paper", ("artifact.code_available",), "RC602", "no"),
    Need("rows", ("hardware",), "RC507", "remeasured here only"),
)


def undeclared(claims: Claims) -> Undeclared:
    """Return which relevant facts nobody declared, one line for a key however often it is missing.

    A key that is written as `none` or `n/a` is declared.
    """
    missing, relevant, found = 0, 0, []
    for need in NEEDS:
        sections = list(_sections(claims, need.scope))
        paths = [tuple(key.split(".")) for key in need.keys]
        silent = [section for section in sections if not _is_written(section, paths)]
        relevant += len(sections)
        missing += len(silent)
        if silent:
            path = _path(need, silent, len(sections))
            found.append(Silent(path, need.rules, need.fill, len(silent)))
    return Undeclared(missing, relevant, tuple(found))


def _sections(claims: Claims, scope: Scope) -> Iterator[Section]:
    if scope == "paper":
        yield claims
    elif scope == "results":
        yield from claims.results
    elif scope == "rows":
        yield from claims.efficiency
    elif scope == "datasets":
        yield from claims.datasets.values()
    elif scope == "metrics":
        yield from claims.metrics.values()
    else:
        yield from (method for method in claims.methods.values() if _plays(method, scope))


def _plays(method: Method, scope: Scope) -> bool:
    role = method.role.get("baseline")
    if scope == "proposed":
        return method.role.known and role == "proposed"
    return scope == "methods" or role not in ("proposed", "ablation", "teacher")


def _is_written(section: Section, paths: Iterable[Sequence[str]]) -> bool:
    """Return whether one of the keys stands below a section, with a value or as not used."""
    keys = section.place.keys
    return any([_stands(section, path) for path in paths if not keys or path[0] in keys])


def _stands(value: Any, path: Sequence[str]) -> bool:  # noqa: ANN401
    if isinstance(value, Stated):
        return not value.undeclared
    if isinstance(value, Section):
        if value.absent:
            return True
        if not path:
            return value.declared
        if path[0] not in value.place.keys and value.place.keys:
            return False  # not written: asking would make the leaf
        name = path[0] if hasattr(value, path[0]) else f"{path[0]}_"
        return _stands(getattr(value, name), path[1:])
    return value is not None  # an empty list that is written says that there are none


def _path(need: Need, silent: Sequence[Section], among: int) -> str:
    key = " or ".join(need.keys[:2])
    if need.scope == "paper":
        return key
    places = [section.place.path for section in silent]
    if len(places) == 1:
        return f"{places[0]}.{key}"
    if len(places) == among:
        stem = places[0].split("[")[0].rsplit(".", 1)[0]
        return f"{stem}.*.{key}" if "[" not in places[0] else f"{stem}[*].{key}"
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"{key} of {', '.join(places[:3])}{more}"
