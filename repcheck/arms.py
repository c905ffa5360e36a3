"""An arm: a method as it is executed, and the commands that this makes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from repcheck.claims.commands import FROM_DATASET, FROM_TRAIN, fill, placeholders, split
from repcheck.claims.model import Claims, Dataset, Eval, Method, Train
from repcheck.claims.stated import Section, Stated
from repcheck.errors import Missing, Reason

ArmKind = Literal["declared", "aligned", "counterfactual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A method with what is changed of it: `set` gives factors other values (declared: none)."""

    id: str
    kind: ArmKind = "declared"
    method: str
    set: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one run fills in: its dataset, seed and device."""

    dataset: Dataset
    seed: int
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The argument lists of one run with `{out}` left literal, and the folder each starts in."""

    argvs: tuple[tuple[str, ...], ...]
    cwds: tuple[str, ...]


def declared_arm(method: str) -> Arm:
    """Return a method as the paper declares it."""
    return Arm(id=method, method=method)


def has_command(method: Method) -> bool:
    """Return whether there is anything to run."""
    return method.train.command.known or method.eval.command.known


def takes(claims: Claims, method: Method, name: str) -> bool:
    """Return whether a method's commands have a placeholder, or a fragment supplies it."""
    parts = [part for part in (method.train, method.eval) if part.command.known]
    return name in claims.overrides or any(name in placeholders(_split(part)) for part in parts)


def commands(claims: Claims, arm: Arm, setting: Setting) -> Commands:
    """Return what one run of an arm executes: training, then evaluation in the same `{out}`.

    Raises:
        Missing: if a placeholder has no value, or a command cannot be split.
    """
    method = claims.methods[arm.method]
    parts = [part for part in (method.train, method.eval) if part.command.known]
    argvs: list[tuple[str, ...]] = []
    cwds: list[str] = []
    for index, part in enumerate(parts):
        cwd = part.cwd.get(method.train.cwd.get("."))
        values = _Values(claims, arm, setting, cwd)
        argv = fill(_split(part), values.of)
        if index == 0:
            argv = _append_fragments(claims, arm, argv, values)
        argvs.append(argv)
        cwds.append(cwd)
    return Commands(argvs=tuple(argvs), cwds=tuple(cwds))


def _split(part: Train | Eval) -> tuple[str, ...]:
    try:
        return split(part.command.value)
    except ValueError as error:
        raise Missing(Reason.NO_COMMAND, f"mend `{part.command.path}`: {error}") from None


def fill_text(claims: Claims, arm: Arm, setting: Setting, text: str) -> str:
    """Replace the placeholders of a `from:` text, where a regular expression may hold braces."""
    if text.startswith("stdout:"):
        return text
    return fill((text,), _Values(claims, arm, setting, ".").of)[0]


def replace_flag(argv: Sequence[str], fragment: Sequence[str]) -> tuple[str, ...]:
    """Append a fragment such as `--pool conv` once, in place of an earlier `--pool`."""
    flag, values = fragment[0], len(fragment) - 1
    kept: list[str] = []
    skip = 0
    for word in argv:
        if skip and not _is_flag(word):
            skip -= 1
            continue
        skip = 0
        if word == flag and flag.startswith("-"):
            skip = values
        elif not (flag.startswith("--") and word.startswith(f"{flag}=")):
            kept.append(word)
    return (*kept, *fragment)


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not re.fullmatch(r"-[\d.].*", word)


def _append_fragments(
    claims: Claims, arm: Arm, argv: tuple[str, ...], values: _Values
) -> tuple[str, ...]:
    always = {"seed": str(values.setting.seed), "out": "{out}", "device": values.setting.device}
    wanted = {**{name: v for name, v in always.items() if name in claims.overrides}, **arm.set}
    for name, value in wanted.items():
        if name not in claims.overrides:
            continue  # its placeholder stands in the command and is filled already
        fragment = fill(
            split(claims.overrides[name].value), {"value": value, "out": "{out}"}.__getitem__
        )
        argv = replace_flag(argv, fragment)
    return argv


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of placeholders, in the order of the claims format's section on commands."""

    claims: Claims
    arm: Arm
    setting: Setting
    cwd: str

    def of(self, name: str) -> str:
        """Return a placeholder's value; `{out}` stays as it is."""
        method = self.claims.methods[self.arm.method]
        if name == "out":
            return "{out}"
        if name == "seed":
            return str(self.setting.seed)
        if name == "device":
            return self.setting.device
        if name in self.arm.set:
            return self.arm.set[name]
        if name in FROM_DATASET:
            return self._data(name)
        found = self._in_method(method, name)
        if found is None:
            raise Missing(
                Reason.NO_PLACEHOLDER,
                f"`{{{name}}}` in the command of `{method.id or self.arm.method}` has no value:"
                f" declare `methods.{self.arm.method}.hyperparameters.{name}`",
            )
        return found

    def _data(self, name: str) -> str:
        dataset = self.setting.dataset
        part = getattr(dataset, name)
        if not part.path.known:
            raise Missing(
                Reason.NO_PLACEHOLDER,
                f"`{{{name}}}` has no value: declare `datasets.{dataset.id}.{name}.path`",
            )
        path = str(part.path.value)
        if PurePosixPath(path).is_absolute() or self.cwd in {".", ""}:
            return path
        return os.path.relpath(path, self.cwd)

    def _in_method(self, method: Method, name: str) -> str | None:
        if name in FROM_TRAIN:
            leaf = getattr(method.train, name)
            return _count(leaf) if leaf.known else None
        if name == "lr":
            return str(method.optimizer.lr) if method.optimizer.lr.known else None
        free = method.hyperparameters.get({})
        if name in free:
            return _plain(free[name])
        own = getattr(method, name, None)
        if isinstance(own, Section) and own.short is not None:
            own = getattr(own, own.short)
        return _plain(own) if isinstance(own, Stated) and own.known else None


def _count(leaf: Stated[float]) -> str:
    value = float(leaf.value)
    return str(int(value)) if value.is_integer() else str(leaf)


def _plain(value: object) -> str:
    if isinstance(value, Stated):
        value = value.text or value.content
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
