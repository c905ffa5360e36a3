"""The artifact holds results on datasets that are not reported, or its code knows further ones.

## What it catches
Ten datasets tried, five reported: the other five stand in the choices of `--dataset`, in a shell
script, in a configuration, or beside the reported results.

## When it is legitimate
A loader that exists is no run that was made: what the code merely knows is a question to the
authors and no finding. Folders of somebody else's code (`third_party`, `vendor`, those in
`artifact.related_code`), tests, and places that name more than 30 datasets, as frameworks do, do
not count. With `measured_not_reported.reason` a finding is a note.

## How it is decided
From the artifact's files, which are read as text and never executed: the scripts that the commands
name and what these import (choices of options, registries, loaders of sklearn, torchvision and
datasets), shell scripts and README lines that call them, configurations that a command names or
that bear the proposed method's name, and files that are called like those of a declared dataset
but for one word. A result file of the same form, of a dataset that the code knows too and not of
another method by its name, or a row of the proposed method in a table of scores is minor, and never
more: nothing was rerun. Whose the datasets in one file of several are is asked. Cleared is only
code that was read.

## How to fix
Report the null and the negative datasets too, in an appendix if need be, or list them in
`measured_not_reported.datasets` with the reason.

## Source
hzwer 5.2
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repcheck.claims.commands import FROM_DATASET, command_fields
from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.known_datasets import KnownDatasets
from repcheck.named.found import Named
from repcheck.named.look import Look
from repcheck.rule import Answer, Cleared, Flagged, Kind, Outcome, Severity, Undetermined, rule

_MOST = 6


@rule("RC502b", Severity.MINOR, worst=Severity.MINOR)
def check(claims: Claims, known: KnownDatasets) -> Answer:
    found = known.look
    shown = [one for one in found.others if one.results]
    coded = [one for one in found.others if not one.results]
    outcomes = [*_shown(claims, found, shown), *_coded(claims, found, coded)]
    if outcomes:
        return outcomes
    if found.cut or found.blind or not found.known:
        why = "its files name none where this look can see"
        if found.cut:
            why = "it holds more files than are looked at"
        elif found.blind:
            why = "the code that the commands start could not be read, or not all of it"
        return Undetermined(
            message=f"which datasets the artifact knows is not clear: {why}",
            reason=Reason.NOT_OBSERVED,
            would_decide="the authors' word in `measured_not_reported.datasets`",
            seen=_seen(found, ()),
        )
    return Cleared(
        message=f"of {found.files} files read, those that the commands reach name no other dataset "
        f"than the declared ones ({_places(found.known)})",
        seen=_seen(found, ()),
        limit=_limit(found),
    )


def _shown(claims: Claims, found: Look, shown: Sequence[Named]) -> Iterator[Outcome]:
    if shown:
        reason = claims.measured_not_reported.reason
        yield Flagged(
            message=f"the artifact holds results on {_counted(shown)} that the paper does not "
            f"report: {_places(shown)}",
            kind=Kind.OMISSION,
            severity=Severity.NOTE if reason.known else Severity.MINOR,
            seen=_seen(found, shown),
            at=claims.claims[0].place if claims.claims else claims.place,
        )


def _coded(claims: Claims, found: Look, coded: Sequence[Named]) -> Iterator[Outcome]:
    if coded:
        names = ", ".join(one.name for one in coded[:_MOST])
        yield Undetermined(
            message=f"the artifact also names {_counted(coded)} that the paper does not report: "
            f"{_places(coded)}; that shows no run that was made",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"were {names} tried? If so, list them in "
            f"`measured_not_reported.datasets` or report them; {_to_run(claims, coded[0].name)}",
            seen=_seen(found, coded),
        )


def _to_run(claims: Claims, name: str) -> str:
    """Return what to write so that a dataset is run by the same commands."""
    one = next((c for c in claims.claims if c.metric.known and c.baselines.known), None)
    method = claims.methods.get(one.method.get("")) if one else None
    if one is None or method is None or not method.train.command.known:
        return "with commands in the claims file repcheck can run them"
    data = f"datasets: {{{name}: {{data: {name}}}}}"
    claim = (
        f"{{id: on-{name}, method: {method.id}, baselines: [{', '.join(one.baselines.value)}], "
        f"dataset: {name}, metric: {one.metric.value}, improvement: 0}}"
    )
    before = []
    if not set(command_fields(method.train.command.value)) & set(FROM_DATASET):
        before.append("write the dataset in the commands as {data}")
    if any(row.dataset.undeclared for row in claims.results):
        before.append("give every row of `results` its `dataset`")
    return f"to run them, {', '.join([*before, f'add `{data}` and the claim `{claim}`'])}"


def _places(names: Sequence[Named]) -> str:
    said = [f"`{one.name}` ({one.where}, {one.how})" for one in names[:_MOST]]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(said) + more


def _counted(names: Sequence[Named]) -> str:
    return f"{len(names)} dataset" if len(names) == 1 else f"{len(names)} datasets"


def _limit(found: Look) -> str:
    parts = [
        "would have seen names that stand in the files as text, and no name made while running"
    ]
    if found.zoos:
        parts.append(f"left out, with more than 30 names: {', '.join(found.zoos[:_MOST])}")
    if found.unread:
        parts.append(f"not readable: {len(found.unread)} files")
    return "; ".join(parts)


def _seen(found: Look, names: Sequence[Named]) -> tuple[Quantity, ...]:
    source = names[0].where if names else "the artifact's files"
    return (
        Quantity(
            name=f"datasets named and not reported, in {found.files} files",
            value=len(names),
            level=Level.STATIC,
            source=source,
        ),
    )
