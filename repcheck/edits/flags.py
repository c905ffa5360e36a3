"""Flags of an arm put into a command, in the place of earlier ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SETTING = re.compile(r"[+~]*([\w.@/-]+)=.*", re.DOTALL)
_NEGATIVE = re.compile(r"-[\d.].*")
_WITH_VALUE = frozenset({"-W", "-X"})


def apply_flags(argv: Sequence[str], flags: Sequence[str]) -> tuple[str, ...]:
    """Return a command with flags appended once, in the place of earlier ones.

    An earlier `--flag v` or `--flag=v` goes, and so does an earlier setting `key=v`. The words up
    to the program that is started (`python -u train.py`) are left alone.
    """
    front = _front(argv)
    words = list(argv[front:])
    for group in _groups(flags):
        words = _without(words, group)
    return (*argv[:front], *words, *flags)


def _front(argv: Sequence[str]) -> int:
    """Return how many words start the program: the interpreter's own options are not its flags."""
    if not argv or not re.fullmatch(r"(.*/)?(python|pypy)[\d.]*", argv[0]):
        return min(1, len(argv))
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at] in {"-m", "-c"}:
            return min(at + 2, len(argv))
        at += 2 if argv[at] in _WITH_VALUE else 1
    return min(at + 1, len(argv))


def _groups(flags: Sequence[str]) -> list[list[str]]:
    """Return each flag with the values that follow it, and each setting by itself."""
    groups: list[list[str]] = []
    for word in flags:
        if _is_flag(word) or not groups or not _is_flag(groups[-1][0]):
            groups.append([word])
        else:
            groups[-1].append(word)
    return groups


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not _NEGATIVE.fullmatch(word)


def _without(words: Sequence[str], group: Sequence[str]) -> list[str]:
    """Return the words without an earlier flag or setting of the same name."""
    name, joined, _ = group[0].partition("=")
    values = len(group) - 1 + bool(joined)
    setting = _SETTING.fullmatch(group[0])
    kept: list[str] = []
    skip, after_flag = 0, False
    for word in words:
        flag = _is_flag(word)
        if skip and not flag:
            skip -= 1
            continue
        skip = 0
        earlier = _SETTING.fullmatch(word)
        if _is_flag(name) and word == name:
            skip = values
        elif _is_flag(name):
            kept += [] if word.startswith(f"{name}=") else [word]
        elif not (setting and earlier and not after_flag and setting[1] == earlier[1]):
            kept.append(word)
        after_flag = flag and "=" not in word
    return kept
