"""Which datasets the artifact's own files name, beside those that the claims speak of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.claims.model import Claims, Dataset
from repcheck.claims.stated_commands import stated_commands
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.named.found import Declared
from repcheck.named.look import Asked, Look, look


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDatasets(Fact):
    """What a look into the artifact's files found; nothing of it was executed."""

    label: ClassVar[str] = "datasets that the artifact names"
    root: str
    look: Look

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Look into the artifact's folder, once.

        Raises:
            Missing: if the claims name no artifact and no command, or its folder is not there.
        """
        claims = evidence.claims
        commands = tuple((cwd, argv) for _, cwd, argv in stated_commands(claims))
        root = evidence.root
        proposed = tuple(m.id for m in claims.methods.values() if m.role.content == "proposed")
        found = look(
            root,
            Asked(
                commands=commands,
                methods=tuple(claims.methods),
                proposed=proposed,
                declared=Declared.of(declared_names(claims)),
                foreign=tuple(c.path.value for c in claims.artifact.related_code if c.path.known),
            ),
        )
        if found is None:
            raise Missing(Reason.NOT_OBSERVED, f"the artifact's folder: {root} is none")
        return cls(root=str(root), look=found)


def declared_names(claims: Claims) -> Iterator[str]:
    """Yield every name and path under which the claims speak of a dataset."""
    for dataset in claims.datasets.values():
        yield from _names(dataset)
    yield from claims.measured_not_reported.datasets.get(())
    for method in claims.methods.values():
        yield from (leaf.value for leaf in (method.dataset, method.train_data) if leaf.known)
    yield from (row.dataset.value for row in claims.results if row.dataset.known)
    for claim in claims.claims:
        yield from (*claim.datasets.get(()), claim.dataset.get(""))


def _names(dataset: Dataset) -> Iterator[str]:
    yield dataset.id
    leaves = [dataset.name, dataset.config, dataset.loader, dataset.source]
    leaves += [part.path for part in (dataset.data, dataset.train, dataset.val, dataset.test)]
    yield from (leaf.value for leaf in leaves if leaf.known)
