"""Evaluated sets and the passes over them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from repcheck.analysis.arrays import digest
from repcheck.analysis.leaks import Leaks
from repcheck.analysis.passes import Pass
from repcheck.analysis.training import Share, Shares
from repcheck.observation import EvaluatedSet, Evaluation

Key = tuple[object, ...]
By = Literal["indices", "content", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Passes over the same samples, and how that was told."""

    by: By
    passes: list[Pass]


def groups_of(passes: list[Pass]) -> list[Group]:
    """Return the passes by set: by indices, else by content, else by rows and module."""
    found: dict[Key, Group] = {}
    by_content: dict[str, Key] = {}
    for one in passes:
        by, key = _key(one)
        # The same content is the same set, whichever loader it came from.
        key = by_content.setdefault(one.digest, key) if one.digest else key
        found.setdefault(key, Group(by=by, passes=[])).passes.append(one)
    return list(found.values())


def _key(one: Pass) -> tuple[By, Key]:
    if one.indices is not None:
        named = tuple((data, digest(values)) for data, values in one.indices.items())
        return "indices", ("indices", one.process.number, named)
    if one.digest:
        return "content", ("content", one.digest)
    return "rows", ("rows", one.rows, tuple(root.cls for root in one.members))


def set_of(number: int, group: Group, leaks: Leaks) -> EvaluatedSet:
    """Return one evaluated set with what of it was trained on."""
    known = [one for one in group.passes if one.examples is not None]
    best = known[-1] if known else group.passes[-1]
    found = leaks.of(group.passes)
    return EvaluatedSet(
        id=number,
        examples=best.examples,
        by=group.by,
        digest=next((one.digest for one in group.passes if one.digest), ""),
        passes=len(group.passes),
        rows=sum(one.all_rows for one in group.passes),
        trained_index=found.index,
        trained_storage=found.storage,
        trained_input=found.input,
        duplicates_in_training=found.duplicates,
        share=found.share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Where passes stand in the training: its process's share of steps, and known digests.

    `known` tells after how many main steps an optimizer held the values of a digest.
    """

    shares: Shares
    main: Share | None
    known: Mapping[str, int]

    def at(self, one: Pass) -> int:
        """Return how many steps of the main training were done before a pass."""
        share = self.shares.get(one.process.number)
        if share is not None:
            return share.ordinal(one.at)
        if self.main is None:
            return one.at
        # Another process: the main training's steps up to that moment.
        moment = one.process.began + one.event.t - self.main.process.began
        return int((self.main.mine("t") <= moment).sum())

    def made_at(self, one: Pass) -> int | None:
        """Return after how many steps of the main training the evaluated values were held."""
        share, after = self.shares.get(one.process.number), one.event.count("of")
        if share is not None and after is not None:
            return share.ordinal(after)
        return self.known.get(one.event.text("weights"))

    def sanity(self, one: Pass) -> bool:
        """Tell whether a pass was before the first step that counts, in a training process."""
        share = self.shares.get(one.process.number)
        return share is not None and share.ordinal(one.at) == 0


def evaluations_of(
    groups: list[Group], timeline: Timeline, saved: frozenset[tuple[int, int]]
) -> tuple[Evaluation, ...]:
    """Return every pass in the order of processes and passes, with what came of it."""
    where = {id(one): number for number, group in enumerate(groups) for one in group.passes}
    beside = {id(one): _beside(one, group) for group in groups for one in group.passes}
    last = {id(group.passes[-1]) for group in groups}
    total = len(timeline.main.main.at) if timeline.main else 0
    every = sorted(
        (one for group in groups for one in group.passes),
        key=lambda one: (one.process.number, one.number),
    )
    found = []
    for serial, one in enumerate(every, start=1):
        at = timeline.at(one)
        found.append(
            Evaluation(
                n=serial,
                at=at,
                set=where[id(one)],
                rows=one.all_rows,
                forwards=one.forwards,
                views=one.views,
                models=max(1, len(one.members)),
                modules=tuple(root.cls for root in one.roots),
                params=max((root.params for root in one.members), default=0),
                in_training_mode=bool(one.event.flag("train_mode")),
                held=one.event.flag("held"),
                swapped=one.event.flag("swapped"),
                known=_known(one, timeline.known),
                made_at=timeline.made_at(one),
                weights=one.event.text("weights"),
                saved=(one.process.number, one.number) in saved,
                sanity=timeline.sanity(one),
                final=id(one) in last and at >= total,
                other_views=beside[id(one)].views,
                other_models=beside[id(one)].models,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """Whether other views, or other models, met the examples of a pass in passes of their own."""

    views: bool
    models: bool


def _beside(one: Pass, group: Group) -> _Beside:
    """Tell what a number may be made of beside a pass: scores of several passes can be averaged."""
    mine, kinds = _ids(one), _kinds(one)
    others = [p for p in group.passes if p is not one and p.process is one.process]
    alike = [p for p in others if _kinds(p) == kinds]
    at_once = [p for p in alike if p.at == one.at and _ids(p) == mine]
    weights = one.event.text("weights")
    same = [p for p in at_once if p.event.text("weights") == weights]
    return _Beside(
        views=any(not one.fed or p.fed != one.fed for p in same),
        models=len(same) < len(at_once) or any(mine.isdisjoint(_ids(p)) for p in alike),
    )


def _ids(one: Pass) -> set[int]:
    return {root.id for root in one.members}


def _kinds(one: Pass) -> list[tuple[str, int]]:
    return sorted((root.cls, root.params) for root in one.members)


def _known(one: Pass, known: Mapping[str, int]) -> bool | None:
    weights = one.event.text("weights")
    return weights in known if weights and known else None


def saved_after(passes: list[Pass]) -> frozenset[tuple[int, int]]:
    """Return the passes after which weights were saved before the next step or pass.

    A pass is written down when the next one or a step ends it, so it is its beginning that counts.
    """
    found = set()
    for number, process in {one.process.number: one.process for one in passes}.items():
        saves = [(event.t, event.step) for event in process.record.of("save")]
        mine = sorted((one for one in passes if one.process is process), key=lambda one: one.begin)
        for place, one in enumerate(mine):
            until = mine[place + 1].begin if place + 1 < len(mine) else float("inf")
            first = bisect_left(saves, (one.begin, 0))
            if first < len(saves) and saves[first][0] < until and saves[first][1] == one.at:
                found.add((number, one.number))
    return frozenset(found)
