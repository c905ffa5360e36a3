"""Commands and their placeholders: `python train.py --seed {seed} --out {out}`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence

ALWAYS = ("seed", "out", "device")
FROM_TRAIN = ("epochs", "iterations", "batch_size", "samples", "tokens", "env_steps")
FROM_DATASET = ("data", "train", "val", "test")
STANDARD = (*ALWAYS, *FROM_TRAIN, "lr", *FROM_DATASET)

_NAMED = re.compile(r"\{(\{)?([A-Za-z_][A-Za-z0-9_-]*)\}(?(1)\})")


def split(command: str | Iterable[str]) -> tuple[str, ...]:
    """Return a command as an argument list: text is split as a shell would, and not run by one.

    Raises:
        ValueError: if a quotation is not closed, or the command is empty.
    """
    argv = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
    if not argv or not argv[0].strip():
        raise ValueError("the command is empty")
    return argv


def placeholders(argv: Iterable[str]) -> tuple[str, ...]:
    """Return the names that stand in braces, each once; `{{name}}` stands for itself in braces."""
    found = (match for word in argv for match in _NAMED.finditer(word))
    return tuple(dict.fromkeys(match[2] for match in found if match[1] is None))


def command_fields(command: str | Iterable[str]) -> tuple[str, ...]:
    """Return the placeholders of a command, each once.

    Raises:
        ValueError: if the command cannot be split.
    """
    return placeholders(split(command))


def fill(argv: Sequence[str], value: Callable[[str], str]) -> tuple[str, ...]:
    """Return the argument list with every placeholder replaced and `{{name}}` as `{name}`."""

    def one(match: re.Match[str]) -> str:
        return match[0][1:-1] if match[1] else value(match[2])

    return tuple(_NAMED.sub(one, word) for word in argv)
