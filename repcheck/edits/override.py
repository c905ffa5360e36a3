"""The `override` of a declared arm, taken apart by the way each change is made."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from repcheck.claims.problems import nearest
from repcheck.edits.edit import Edit, Scalar, shown, text_of
from repcheck.errors import RepcheckError
from repcheck.visible import line

FORMS = ("cli", "config", "env", "constant", "probe")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = "REPCHECK_"
_SURGERIES = Path(__file__).parents[1] / "inside" / "probe" / "surgeries"


class UnknownOverride(RepcheckError):
    """An `override` that says nothing that could be applied; the message names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an arm changes, by the way it is changed.

    `set` gives placeholders and `overrides` names their values as text, `flags` are words of a
    command line, `edits` change copied files, `env` variables, and `surgery` the running process.
    """

    set: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    surgery: tuple[Mapping[str, Any], ...] = ()


def parse_override(override: Mapping[str, Any]) -> Override:
    """Return the parts of an `override` as the claims file gives it.

    Raises:
        UnknownOverride: if it is empty or a part of it has no known form.
    """
    if not isinstance(override, Mapping) or not override:
        raise _unknown("", "changes nothing", f"give a placeholder or one of {', '.join(FORMS)}")
    return Override(
        set={name: _set(name, value) for name, value in override.items() if name not in FORMS},
        flags=_flags(override["cli"]) if "cli" in override else (),
        edits=(*_edits(override, "config"), *_edits(override, "constant")),
        env=dict(_pairs(override, "env", _variable)),
        surgery=tuple(
            dict(_operation(str(kind), rest)) for kind, rest in _items(override, "probe")
        ),
    )


def _unknown(key: str, what: str, hint: str) -> UnknownOverride:
    place = f"`override.{key}`" if key else "`override`"
    return UnknownOverride(line(f"{place} {what}; {hint}"))


def _set(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _unknown(str(name), "is no name of a placeholder", "write `{act: silu}`")
    if not isinstance(value, str | int | float):
        hint = nearest(name, FORMS) or f"write one value, or one of {', '.join(FORMS)}"
        raise _unknown(name, f"has to be one value, found {shown(value)}", hint)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return text_of(value)


def _flags(value: object) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else list(_words(value))
    except ValueError as error:
        raise _unknown("cli", f"cannot be split: {error}", "close the quotation") from None
    if not words:
        raise _unknown("cli", "appends nothing", 'write flags, such as `"--pool conv"`')
    return tuple(words)


def _words(value: object) -> Iterator[str]:
    if not isinstance(value, Sequence):
        raise _unknown("cli", f"is {shown(value)}", 'write flags, such as `"--pool conv"`')
    for word in value:
        if isinstance(word, Mapping) or not isinstance(word, str | int | float):
            raise _unknown("cli", f"holds {shown(word)}", 'write flags, such as `"--pool conv"`')
        yield text_of(word)


def _items(override: Mapping[str, Any], form: str) -> Iterator[tuple[str, Any]]:
    if form not in override:
        return
    given = override[form]
    if not isinstance(given, Mapping) or not given:
        raise _unknown(form, f"has to be a mapping, found {shown(given)}", _EXAMPLES[form])
    yield from given.items()


_EXAMPLES = {
    "config": 'write `config: {"conf.yaml:optim.lr": 0.1}`',
    "constant": 'write `constant: {"train.py:WIDTH": 32}`',
    "env": "write `env: {NAME: value}`",
    "probe": "write `probe: {activation: {from: ReLU, to: SiLU}}`",
}


def _edits(override: Mapping[str, Any], form: Literal["config", "constant"]) -> Iterator[Edit]:
    for place, value in _items(override, form):
        file, _, key = str(place).partition(":")
        if not file or not key:
            raise _unknown(f"{form}.{place}", "does not name a file and a key", _EXAMPLES[form])
        if value is not None and not isinstance(value, str | int | float | bool):
            raise _unknown(f"{form}.{place}", f"has to be one value, found {shown(value)}",
                           "name one of its keys")  # fmt: skip
        yield Edit(kind=form, file=file, key=key, value=value)


def _pairs(
    override: Mapping[str, Any], form: str, one: Callable[[str, Any], str]
) -> Iterator[tuple[str, str]]:
    for name, value in _items(override, form):
        yield str(name), one(str(name), value)


def _variable(name: str, value: Scalar) -> str:
    if not _VARIABLE.fullmatch(name) or name.startswith(_RESERVED):
        raise _unknown(f"env.{name}", "is no variable's name that can be set", _EXAMPLES["env"])
    if not isinstance(value, str | int | float) or "\0" in str(value):
        raise _unknown(f"env.{name}", f"has to be text, found {shown(value)}", 'write `""`')
    return text_of(value)


def surgeries() -> tuple[str, ...]:
    """Return the kinds of change that the probe can make in a running process."""
    names = (path.stem for path in _SURGERIES.glob("[!_]*.py"))
    return tuple(sorted(name.replace("_", "-") for name in names))


def _operation(kind: str, rest: object) -> Iterator[tuple[str, Any]]:
    known = surgeries()
    if kind.replace("_", "-") not in known:
        hint = nearest(kind, known) or f"write one of {', '.join(known)}"
        raise _unknown(f"probe.{kind}", "is no change that the probe can make", hint)
    yield "kind", kind
    if not isinstance(rest, Mapping):
        yield "value", rest
        return
    if "kind" in rest:
        raise _unknown(f"probe.{kind}.kind", "is given twice", _EXAMPLES["probe"])
    yield from rest.items()
