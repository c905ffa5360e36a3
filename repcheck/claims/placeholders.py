"""Commands must be ones that can be run: split, and every placeholder with a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from repcheck.claims.commands import (
    ALWAYS,
    FROM_DATASET,
    FROM_TRAIN,
    STANDARD,
    command_fields,
    placeholders,
)
from repcheck.claims.model import Claims, Dataset, Method
from repcheck.claims.problems import Problem
from repcheck.claims.stated import Section, Stated
from repcheck.claims.values import Desk


def check_commands(claims: Claims, desk: Desk) -> None:
    """Note commands that cannot be split, and placeholders that nothing fills."""
    used = _datasets_used(claims)
    for method in claims.methods.values():
        check = _Commands(claims, method, used.get(method.id, ()), desk)
        check.command(method.train.command)
        check.command(method.eval.command)
    others: list[Stated[Any]] = [row.command for row in claims.efficiency]
    others += [row.command for row in claims.qualitative]
    others += claims.overrides.values()
    for leaf in others:
        _fields(leaf, desk)
    _check_files(claims, desk)


def unread(section: Section, key: str) -> bool:
    """Return whether a key is written and could not be read, which is noted already."""
    leaf = getattr(section, key)
    at = section.place.keys.get(key)
    return at is not None and leaf.undeclared and (leaf.place.line, leaf.place.column) == at


def _fields(leaf: Stated[Any], desk: Desk) -> tuple[str, ...]:
    if not leaf.known:
        return ()
    try:
        return command_fields(leaf.value)
    except ValueError as error:
        what = f"cannot be split into arguments: {str(error).lower().rstrip('.')}"
        desk.note(Problem(leaf.place, what, "close the quotation, or write a list"))
        return ()


@dataclass(frozen=True, slots=True)
class _Commands:
    """One method's commands and the values they can have."""

    claims: Claims
    method: Method
    datasets: tuple[str, ...]
    desk: Desk

    def command(self, leaf: Stated[Any]) -> None:
        """Check the placeholders of one command."""
        for name in _fields(leaf, self.desk):
            if name in self.claims.overrides:
                place = self.claims.overrides[name].place
                what = f"`{{{name}}}` stands in the command of `{self.method.id}` too"
                hint = "keep the placeholder or the override, not both"
                self.desk.note(Problem(place, what, hint))
            for missing in self._missing(name):
                what = f"`{{{name}}}` has no value"
                hint = f"declare `{missing}`" if missing else self._slip(name)
                self.desk.note(Problem(leaf.place, what, hint))

    def _missing(self, name: str) -> Iterator[str]:
        """Yield the key paths that would give a placeholder its value, if it has none."""
        method = self.method
        if name in FROM_TRAIN:
            leaf = getattr(method.train, name)
            if not leaf.known and not unread(method.train, name):
                yield leaf.path
        elif name == "lr":
            if not method.optimizer.lr.known and not unread(method.optimizer, name):
                yield method.optimizer.lr.path
        elif name in FROM_DATASET:
            yield from self._missing_data(name)
        elif name not in ALWAYS and not self._own(name):
            yield "" if self._slip(name) else f"methods.{method.id}.hyperparameters.{name}"

    def _missing_data(self, name: str) -> Iterator[str]:
        names = self.datasets
        if not names and len(self.claims.datasets) == 1:
            names = tuple(self.claims.datasets)
        if not names:
            yield self.method.dataset.path
        for dataset_name in names:
            dataset: Dataset | None = self.claims.datasets.get(dataset_name)
            if dataset is not None and not getattr(dataset, name).path.known:
                yield getattr(dataset, name).path.path
            elif dataset is None and not self.claims.datasets:
                yield f"datasets.{dataset_name}.{name}.path"

    def _own(self, name: str) -> bool:
        if name in self.method.hyperparameters.get({}):
            return True
        own = getattr(self.method, name, None)
        if isinstance(own, Section) and own.short is not None:
            own = getattr(own, own.short)
        return isinstance(own, Stated) and own.known

    def _slip(self, name: str) -> str:
        return self.desk.nearest(name, (*STANDARD, *self.method.hyperparameters.get({})), sure=True)


def _datasets_used(claims: Claims) -> dict[str, tuple[str, ...]]:
    """Return for each method the datasets it is run on: its own, else its rows' and claims'."""
    rows: dict[str, dict[str, None]] = {}
    for row in claims.results:
        if "dataset" in row.place.keys and row.dataset.known:
            rows.setdefault(row.method.get(""), {})[row.dataset.value] = None
    for claim in claims.claims:
        named = [claim.dataset.value] if claim.dataset.known else []
        for method in (claim.method.get(""), *claim.baselines.get(())):
            rows.setdefault(method, {}).update(dict.fromkeys([*named, *claim.datasets.get(())]))
    own = {name: method.dataset for name, method in claims.methods.items()}
    return {
        name: (leaf.value,) if leaf.known else tuple(rows.get(name, ()))
        for name, leaf in own.items()
    }


def _check_files(claims: Claims, desk: Desk) -> None:
    """Check the placeholders of texts that name files: `{out}/metrics.json:accuracy`."""
    known = {*STANDARD, *claims.overrides}
    for method in claims.methods.values():
        known |= {*method.hyperparameters.get({})}
    leaves = [metric.from_ for metric in claims.metrics.values()]
    for method in claims.methods.values():
        leaves += [method.eval.predictions, *method.read.values()]
    leaves += [row.predictions for row in claims.results if "predictions" in row.place.keys]
    for leaf in leaves:
        text = leaf.get("")
        for name in placeholders((text,)) if not text.startswith("stdout:") else ():
            if name not in known and not hasattr(Method, name):
                what = f"`{{{name}}}` has no value"
                hint = (
                    desk.nearest(name, known) or "known: {out}, {seed} and what commands may name"
                )
                desk.note(Problem(leaf.place, what, hint))
