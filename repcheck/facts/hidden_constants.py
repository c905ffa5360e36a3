"""Numbers in the code that act on a training, and which of them nobody states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.claims.model import Claims, Method
from repcheck.fact import Evidence, Fact
from repcheck.facts.known_datasets import declared_names
from repcheck.facts.source_code import SourceCode
from repcheck.source_code.constants import Constant, Settable, settable, undeclared
from repcheck.source_code.declared import configurations, in_configuration, in_content
from repcheck.source_code.sinks import constants
from repcheck.source_code.words import PLOTS, has


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenConstants(Fact):
    """The numbers of the code that the commands reach.

    `hidden` are those whose value stands neither in the claims, nor in a configuration, nor as the
    default of an option; those that depend on a dataset or a sample stand first. `files` were read,
    `blind` says that no code was, or not all of it; `unread` says in words which.
    """

    label: ClassVar[str] = "numbers in the code"
    found: tuple[Constant, ...]
    hidden: tuple[Constant, ...]
    files: int
    blind: bool
    unread: str

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Go through the files that the commands reach, once.

        Raises:
            Missing: if there is no artifact to look at.
        """
        source = evidence.get(SourceCode)
        paths = [p for p in source.python if not any(has(PLOTS, part) for part in p.split("/"))]
        modules = [(path, one) for path in paths if (one := source.module(path)) is not None]
        names = frozenset(name.lower() for name in declared_names(evidence.claims) if name)
        found = [one for path, module in modules for one in constants(module, path, names)]
        outside = [settable(module) for _, module in modules]
        free = Settable(
            names=frozenset().union(*(one.names for one in outside)),
            values=frozenset().union(*(one.values for one in outside)),
        )
        stated = frozenset(_declared(evidence.claims, source))
        hidden = undeclared(found, stated, free)
        return cls(
            found=tuple(found),
            hidden=tuple(sorted(hidden, key=lambda one: not one.when)),
            files=len(modules),
            blind=len(modules) < len(paths) or not modules or source.tree.cut,
            unread=source.unread(),
        )


def _declared(claims: Claims, source: SourceCode) -> Iterator[float]:
    for method in claims.methods.values():
        yield from stated(method)
    for dataset in claims.datasets.values():
        yield from (v for _, leaf in dataset.written() for v in in_content(leaf.content))
    for fragment in claims.overrides.values():
        yield from in_content(fragment.content)
    for path in configurations(source.tree, source.reached):
        yield from in_configuration(source.tree.text(path))


def stated(method: Method) -> Iterator[float]:
    """Yield every number that the authors state of a method; a reviewer's words are none."""
    for path, leaf in method.written():
        said = leaf.disclosure
        if path != "tuning.sweep" and said.by != "reviewer" and said.disclosed not in _UNSAID:
            yield from in_content(leaf.content)
    for section in (*(method.losses or ()), *(method.components or ())):
        yield from (value for _, leaf in section.written() for value in in_content(leaf.content))


_UNSAID = frozenset({"code", "no"})
