"""How a language model was asked: the prompts of a run, summed up."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median, median_low
from typing import Any, Literal

from repcheck import confined
from repcheck.agent_seen import PromptSlot, PromptsSeen
from repcheck.analysis.processes import Process
from repcheck.analysis.prompt_form import (
    Form,
    common_start,
    digest,
    ends,
    forms_of,
    lined_end,
    markup_words,
    slots_of,
)
from repcheck.records import Event, whole

Via = Literal["call", "pipeline", "tokenizer"]
LAYERS: tuple[Via, ...] = ("call", "pipeline", "tokenizer")
"""The nearest to what was meant first: one prompt may be seen at each of them."""
FILE_CAP = 96 * 2**20
"""Bytes that are read of all processes together, each line counted `LINE_COST` more."""
LINE_CAP, LINE_COST = 2**16, 2**13
MOST = 2000
TEXT_CAP = 4000
FRAME_CAP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One prompt: its text as far as it was kept, what it is known by, its length, its answers."""

    base: str
    text: str
    key: str
    words: int
    each: int


def prompts_of(folder: Path, processes: Sequence[Process]) -> PromptsSeen | None:
    """Return how a language model was asked in a run; None where no prompt could be seen."""
    told = {process.number: _last(process) for process in processes}
    for via in LAYERS:
        mine = {n: [one for one in told[n] if one.text("via") == via] for n in told}
        events = [event for found in mine.values() for event in found]
        if not events:
            continue
        if not any(event.count("seen") for event in events) and via != "call":
            continue
        bases = [
            process.record.base
            for process in sorted(processes, key=lambda one: one.began)
            if any(event.count("seen") for event in mine[process.number])
        ]
        asked = list(islice(_read(folder, bases, via), MOST))
        return _summed(via, events, asked, ordered=len({one.base for one in asked}) <= 1)
    return None


def _last(process: Process) -> list[Event]:
    events = process.record.of("prompts")
    return list({(event.text("via"), event.text("what")): event for event in events}.values())


def _summed(via: Via, events: list[Event], asked: list[_Asked], *, ordered: bool) -> PromptsSeen:
    count = sum(event.count("seen") or 0 for event in events)
    rows = sum(event.count("rows") or 0 for event in events)
    fed = sum(event.count("tokens") or 0 for event in events)
    told = min(MOST, sum(event.count("kept") or 0 for event in events))
    lost = max(0, told - len(asked))
    seen = PromptsSeen(via=via, what=events[0].text("what"), count=count, lost=lost)
    if not asked:
        return seen
    times = Counter(one.key for one in asked)
    distinct = list({one.key: one for one in asked}.values())
    forms = dict(zip([one.key for one in distinct], _forms(distinct), strict=True))
    frames = [form.frame for form in forms.values()]
    prefix = common_start(frames) if len(frames) > 1 else ""
    suffix = lined_end([frame[len(prefix) :] for frame in frames]) if len(frames) > 1 else ""
    bodies = {key: _between(form.frame, prefix, suffix) for key, form in forms.items()}
    shots = [len(form.exemplars) for form in forms.values()]
    exemplars, overlap = _exemplars(forms, bodies)
    return PromptsSeen(
        via=via,
        what=seen.what,
        count=count,
        kept=len(asked),
        lost=lost,
        unique=len(distinct),
        samples=float(median(times[one.key] * one.each for one in distinct)),
        shots=median_low(shots),
        shots_most=max(shots),
        words=float(median(one.words - markup_words(one.text) for one in distinct)),
        tokens=fed / rows if rows else None,
        prefix=prefix[:FRAME_CAP].strip(),
        suffix=suffix[-FRAME_CAP:].strip(),
        questions=tuple(digest(bodies[one.key]) for one in asked),
        ends=tuple(ends(bodies[one.key]) for one in asked),
        slots=tuple(
            PromptSlot(before=left, after=right, words=filled)
            for left, right, filled in slots_of([bodies[one.key] for one in asked])
        ),
        exemplars=exemplars,
        exemplars_asked=overlap,
        ordered=ordered,
    )


def _forms(asked: Sequence[_Asked]) -> list[Form]:
    return forms_of([one.text for one in asked])


def _between(frame: str, prefix: str, suffix: str) -> str:
    frame = frame.removeprefix(prefix)
    return frame.removesuffix(suffix) if suffix else frame


def _exemplars(forms: dict[str, Form], bodies: dict[str, str]) -> tuple[int, int]:
    """Return how many solved examples there are, and how many of another prompt's question."""
    asked: dict[str, set[str]] = {}
    for key, form in forms.items():
        for text in (form.body, bodies[key]):
            for line in _questions(text):
                asked.setdefault(line, set()).add(key)
    found: set[str] = set()
    overlap: set[str] = set()
    for key, form in forms.items():
        for text in set(form.exemplars):
            name = digest(text)
            found.add(name)
            if any(asked.get(line, set()) - {key} for line in _questions(text)):
                overlap.add(name)
    return len(found), len(overlap)


def _questions(text: str) -> Iterator[str]:
    """Yield digests of the lines of a block that are long enough to be a question of their own."""
    for line in text.splitlines():
        _, colon, rest = line.partition(":")
        said = rest if colon and len(rest.split()) >= 3 else line
        said = said.partition("=>")[0].partition("->")[0]
        if len(said.split()) >= 3 and (name := digest(said)):
            yield name


# --- the file -----------------------------------------------------------------------------------


def _read(folder: Path, bases: Sequence[str], via: Via) -> Iterator[_Asked]:
    left = FILE_CAP
    for base in bases:
        for line in _lines(folder, f"{base}.prompts"):
            left -= len(line) + LINE_COST
            if left < 0:
                return
            if (one := _one(line, via, base)) is not None:
                yield one


def _one(line: bytes, via: Via, base: str) -> _Asked | None:
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
    if not isinstance(found, dict) or found.get("v") != via or not isinstance(found.get("p"), str):
        return None
    text = found["p"][:TEXT_CAP]
    name = found.get("h")
    key = f"{name if isinstance(name, str) else ''} {whole(found.get('n'))} {hash(text)} {base}"
    if whole(found.get("n")) == len(text):
        key = text  # known whole: the same text is the same prompt in any process
    return _Asked(
        base=base,
        text=text,
        key=key,
        words=whole(found.get("w")) or len(text.split()),
        each=max(1, min(whole(found.get("k")) or 1, 10**6)),
    )


def _lines(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the lines of a regular file; of a longer one than any prompt makes, its pieces."""
    try:
        descriptor = confined.open_below(folder, [name])
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return
    with os.fdopen(descriptor, "rb") as file:
        while line := file.readline(LINE_CAP):
            yield line
