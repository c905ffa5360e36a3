"""An arm: a method as it is executed, and the commands that this makes.

A declared arm is the method as the paper has it. An aligned arm gives it another method's budget; a
counterfactual one adds, removes or swaps one factor; a control has nothing to do with the gain: it
asks whether the score depends on the data. What changes is applied the strongest way that
the command allows: a placeholder, a flag, a configuration key, a variable, a constant of the copied
source, or surgery in the running process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from repcheck.claims.commands import FROM_DATASET, FROM_TRAIN, fill, placeholders, split
from repcheck.claims.model import Claims, Dataset, Eval, Method, Train
from repcheck.claims.stated import Section, Stated
from repcheck.edits import Edit, apply_flags
from repcheck.errors import Missing, Reason

ArmKind = Literal["declared", "aligned", "counterfactual", "control", "reference"]
Change = Literal[
    "", "add", "remove", "swap", "align", "eval-only", "data", "sweep", "control"
]  # fmt: skip
AUTO = "auto"
"""A placeholder's value that is chosen so that FLOPs meet those of the other method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an aligned arm has to reach on an axis (samples, train_flops ...).

    `unit` is the smallest change of the axis that the command accepts.
    """

    axis: str
    value: float
    unit: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A method with what is changed of it (declared: nothing).

    `set` gives placeholders and overrides other values, `flags` are appended to the command,
    `edits` change the run's own copy of the artifact and `surgery` the running process. `factors`
    are the key paths that change, `change` the kind of change, `beside` the other method of the
    comparison and `dataset` what it is made on ("": any). `ours` says that repcheck made the arm
    and not the authors.
    """

    id: str
    kind: ArmKind = "declared"
    method: str
    set: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    surgery: tuple[Mapping[str, Any], ...] = ()
    factors: tuple[str, ...] = ()
    change: Change = ""
    beside: str = ""
    dataset: str = ""
    target: Target | None = None
    ours: bool = True
    decides: str = ""

    @property
    def how(self) -> str:
        """Return the weakest way in which something of it is applied; "" if nothing changes."""
        ways = {
            "probe": self.surgery,
            "constant": [edit for edit in self.edits if edit.kind == "constant"],
            "env": self.env,
            "config": [edit for edit in self.edits if edit.kind == "config"],
            "cli": self.flags,
            "placeholder": self.set,
        }
        return next((name for name, used in ways.items() if used), "")

    def refused(self, missing: Missing) -> NoArm:
        """Return the arm as one that is not run, with what would make it possible."""
        return NoArm(
            id=self.id, method=self.method, beside=self.beside, factors=self.factors,
            change=self.change, reason=missing.reason, would_decide=missing.would_decide,
            dataset=self.dataset,
        )  # fmt: skip

    @property
    def changes(self) -> str:
        """Return in words what is changed: `epochs=30; probe: activation`."""
        said = [f"{name}={value}" for name, value in self.set.items()]
        said += [" ".join(self.flags)] if self.flags else []
        said += [f"{name}={value}" for name, value in self.env.items()]
        said += [f"{edit.file}:{edit.key}={edit.value}" for edit in self.edits]
        said += [f"probe: {one.get('kind')}" for one in self.surgery]
        return "; ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoArm:
    """An arm that is not run: why, and what would make it possible.

    `dataset` is what it would be made on ("": any). `needless` says that it could be run and would
    change nothing that is concluded: other arms have answered, and `would_decide` names them.
    """

    id: str
    method: str
    beside: str
    factors: tuple[str, ...]
    change: Change
    reason: Reason
    would_decide: str
    dataset: str = ""
    needless: bool = False


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
        last = index == len(parts) - 1
        if arm.flags and (last if arm.change == "eval-only" else index == 0):
            argv = apply_flags(argv, arm.flags)
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
