"""Which models are to be held against each other as functions, and doing it.

Executes the artifact's code (its models are built), so only after a person agreed to its runs. A
method is held against a baseline whose network has as many trained parameters and does other calls,
and against every reference of `artifact.related_code` that has an `entry`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from repcheck.claims.comparison import comparisons
from repcheck.claims.methods import Model
from repcheck.errors import Missing, RepcheckError
from repcheck.fact import Evidence
from repcheck.facts.functions import Functions
from repcheck.plan import artifact_root
from repcheck.profile import ProfileRequest, liken
from repcheck.sameness import Sameness

MOST = 8
"""Pairs of one check."""


def likened(
    evidence: Evidence, python: Path | None, kept: tuple[Sameness, ...] = ()
) -> tuple[Sameness, ...]:
    """Return what came of every pair; one that was `kept` is not made again."""
    known = {(one.ours, one.theirs): one for one in kept}
    found = []
    for ours, theirs, (model, other) in list(_pairs(evidence))[:MOST]:
        if (ours, theirs) in known:
            found.append(known[ours, theirs])
            continue
        try:
            asked = _request(evidence, model, python)
            found.append(liken(asked, _other(evidence, asked, other), (ours, theirs)))
        except RepcheckError as error:
            found.append(Sameness(ours=ours, theirs=theirs, why=str(error)))
    return tuple(found)


Pair = tuple[str, str, tuple[Model, Model | str]]


def _pairs(evidence: Evidence) -> Iterator[Pair]:
    functions = evidence.get(Functions)
    asked: set[tuple[str, str]] = set()
    for comparison in comparisons(evidence.claims):
        method, baseline = comparison.method, comparison.baseline
        if not _can_be_built(method.model):
            continue
        for one in evidence.claims.artifact.related_code:
            if one.entry.known and (method.id, one.entry.value) not in asked:
                asked.add((method.id, one.entry.value))
                yield method.id, one.entry.value, (method.model, one.entry.value)
        if not _can_be_built(baseline.model) or (method.id, baseline.id) in asked:
            continue
        try:
            ours, theirs = (
                functions.trained(each, comparison.dataset) for each in (method, baseline)
            )
        except Missing:
            continue
        differ = not ours.digests or ours.digests != theirs.digests
        if differ and ours.trainable == theirs.trainable:
            asked.add((method.id, baseline.id))
            yield method.id, baseline.id, (method.model, baseline.model)


def _can_be_built(model: Model) -> bool:
    return model.entry.known and model.input_shape.known


def _request(evidence: Evidence, model: Model, python: Path | None) -> ProfileRequest:
    return ProfileRequest(
        root=artifact_root(evidence.claims),
        entry=model.entry.value,
        kwargs=_kwargs(model),
        input_shape=model.input_shape.value,
        dtype=model.dtype.get(""),
        python=python,
        env=dict(evidence.claims.artifact.env.vars.get({})),
    )


def _other(evidence: Evidence, asked: ProfileRequest, other: Model | str) -> ProfileRequest:
    """Return a request for the second model: a method's own, or a reference's plain entry."""
    if isinstance(other, Model):
        return _request(evidence, other, asked.python)
    return ProfileRequest(entry=other, input_shape=asked.input_shape, root=asked.root)


def _kwargs(model: Model) -> Mapping[str, Any]:
    return dict(model.kwargs.get({}))
