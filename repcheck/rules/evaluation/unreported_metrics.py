"""The evaluation computes metrics that are not reported, and the method loses on them.

## What it catches
Ten metrics are computed, the three that improved are reported, and on one of the other seven the
method is worse than the baseline beyond what seeds explain.

## When it is legitimate
Diagnostics of training and of cost, numbers of the training or the validation split, a reported
metric on other data or at another checkpoint (`final_accuracy`: asked, not judged), metrics that
only repeat a reported one (error = 1 - accuracy), and those listed in `measured_not_reported`. A
metric of an efficiency paper is a note, and so is the finding where two of these hold: a metric is
marked `primary`, a reported one loses too, the reason for the choice is stated.

## How it is decided
Each run's metrics files are read whole. Every number beside the reported ones that bears the name
of a standard metric, or of one declared with its direction, is compared over the fresh seeds of
both arms (Welch, three of each or more). Worse means: the 95 % interval lies below zero, by more
than 0.1 %, and the p values hold together at a false discovery rate of 5 % over all unreported
metrics of the paper (Benjamini and Hochberg: a screen, and exploratory). One of these is minor. It
is major where, with none of the three excuses above, all reported ones improved and a choice made
without looking would rarely hold only improved ones (hypergeometric p < 0.05: metrics are alike, so
it is a guide), or where the worse one answers the question of a reported one (balanced accuracy
beside accuracy). Precision, recall and their like trade off against each other and are never
flagged.

What was computed and deleted before it was written is seen by the predictions alone: from the files
of `eval.predictions` the standard metrics of the task are recomputed (accuracy, balanced accuracy,
F1, likelihood, calibration, worst class; errors, R2, rank correlation; PSNR) and compared in the
same way, as a second family. One of these counts only where the claim's own metric is surely
better. Where the artifact's code names it, it weighs like one that was written; where it does not,
nothing shows that anybody computed it: it is minor where it answers the question of the claim's
metric and no metric is marked `primary`, else a note.

## How to fix
Report the whole list for both methods, in an appendix if need be, and mark the primary metric.

## Source
hzwer 5.1
"""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.recomputed import Panel, Recomputed
from repcheck.facts.table import Table
from repcheck.facts.unreported import FEWEST, Beside, Cell, Unreported
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)

_OF_COST = {"efficiency", "speed", "existence", "qualitative"}
_MOST = 3


@rule("RC501b", Severity.MAJOR)
def check(
    comparison: Comparison,
    table: Table,
    unreported: Unreported,
    recomputed: Recomputed,
    *,
    rare: float = 0.05,
) -> Answer:
    found, panel = unreported.of(comparison), recomputed.of(comparison)
    written = _written(comparison, table.claims, found, panel, rare)
    if not panel.worse:
        return written
    beyond = _beyond(comparison, table.claims, found, panel)
    # What the files do not hold is no clearance beside what the predictions show.
    return [written, beyond] if isinstance(written, Flagged) else beyond


def _written(
    comparison: Comparison, claims: Claims, found: Beside, panel: Panel, rare: float
) -> Outcome:
    """Judge by what the metrics files hold."""
    if not any(found.seeds):
        return _open("nothing was rerun", "rerun both methods with `repcheck check`", found)
    if min(found.seeds) < FEWEST:
        few = f"{found.seeds[0]} + {found.seeds[1]} finished runs with fresh seeds"
        return _open(few, f"{FEWEST} fresh seeds of each method", found, Reason.UNDERPOWERED)
    if not found.reported:
        return NotApplicable(message="no reported metric with a direction was read from both")
    if found.worse:
        return _flagged(comparison, claims, found, rare)
    if found.unread:
        return _open(
            "what the evaluation computes beside what is read of it was not seen",
            'a metrics file below {out}, named in `from` (`"{out}/metrics.json:accuracy"`), of at '
            "most 16 MiB",
            found,
        )
    if found.unknown:
        return _unknown(found)
    message = f"{_none_worse(found)}{_none_recomputed(panel)}"
    return Cleared(message=message, seen=_seen(found), limit=_limit(found, panel))


def _open(
    message: str, would_decide: str, found: Beside, reason: Reason = Reason.NOT_OBSERVED
) -> Undetermined:
    return Undetermined(
        message=message, reason=reason, would_decide=would_decide, seen=_seen(found)
    )


def _flagged(comparison: Comparison, claims: Claims, found: Beside, rare: float) -> Flagged:
    chosen, excuses = found.selective(), _excuses(claims, found)
    alike = chosen.p < rare and chosen.reported_improved == chosen.reported
    weighty = alike or bool(found.reversed)
    severity = _weight(comparison, excuses, weighty=weighty)
    worse = [cell.said() for cell in found.worse]
    more = f", and {len(worse) - _MOST} more" if len(worse) > _MOST else ""
    said = [
        f"the evaluation writes {_counted(chosen.computed)}; the paper reports {chosen.reported}; "
        f"{_others(chosen.omitted)} {', '.join(worse[:_MOST])}{more}",
        f"p = {chosen.p:.2g} that a choice made without looking holds only improved ones"
        if chosen.reported_improved == chosen.reported
        else f"{chosen.reported - chosen.reported_improved} of the reported did not improve either",
        f"the method is behind on {len(found.opposite)} of {chosen.omitted} unreported",
    ]
    if excuses:
        said.append(f"in its favour: {', '.join(excuses)}")
    return Flagged(
        message="; ".join(said),
        kind=Kind.OMISSION,
        severity=severity,
        seen=_seen(found),
        at=comparison.place,
        fix=_fix(found.worse),
    )


def _weight(comparison: Comparison, excuses: Sequence[str], *, weighty: bool) -> Severity:
    if len(excuses) > 1 or all(claim.kind in _OF_COST for claim in comparison.claims):
        return Severity.NOTE
    return Severity.MAJOR if weighty and not excuses else Severity.MINOR


def _beyond(comparison: Comparison, claims: Claims, found: Beside, panel: Panel) -> Flagged:
    """Say on which recomputed metrics the method is worse."""
    excuses = _excuses(claims, found)
    in_code = [cell for cell in panel.worse if cell.name in panel.named]
    turned = any(panel.reverses(cell) for cell in in_code or panel.worse)
    severity = _weight(comparison, excuses, weighty=turned)
    if not in_code:
        plain = turned and not excuses and severity is not Severity.NOTE
        severity = Severity.MINOR if plain else Severity.NOTE
    worse = [cell.said() for cell in panel.worse]
    more = f", and {len(worse) - _MOST} more" if len(worse) > _MOST else ""
    own = panel.won[0]
    said = [
        f"recomputed from the predictions, {', '.join(worse[:_MOST])}{more} than the baseline's, "
        f"where `{own.name}` is better by {own.gain.estimate:.2g} (n = {own.n[0]} + {own.n[1]}); "
        "no table shows it",
        f"the code names it at {panel.named[in_code[0].name]} and the metrics files do not hold it"
        if in_code
        else "nothing shows that the authors computed it",
    ]
    if excuses:
        said.append(f"in its favour: {', '.join(excuses)}")
    return Flagged(
        message="; ".join(said),
        kind=Kind.OMISSION if in_code else Kind.UNSUPPORTED,
        severity=severity,
        seen=tuple(
            Quantity(
                name=f"gain in {cell.name}, recomputed, n = {cell.n[0]} + {cell.n[1]}",
                value=cell.gain.estimate,
                level=Level.FORENSIC,
                source=panel.source,
            )
            for cell in (*panel.worse[:_MOST], own)
        ),
        at=comparison.place,
        fix=_fix(panel.worse),
    )


def _none_recomputed(panel: Panel) -> str:
    if not panel.cells:
        return ""
    return f"; nor is it on those recomputed from predictions ({_names(_of(panel.cells))})"


def _excuses(claims: Claims, found: Beside) -> list[str]:
    primary = [m.id for m in claims.metrics.values() if m.primary.get(False)]
    named = [f"`{primary[0]}` is the primary metric"] if primary else []
    losing = ["a reported metric is lost too"] if found.losing else []
    reason = claims.measured_not_reported.reason
    return [*named, *losing, *(["the others were left out for a reason"] if reason.known else [])]


def _unknown(found: Beside) -> Undetermined:
    names = _names(found.unknown)
    return Undetermined(
        message=f"{_none_worse(found)}; not judged, as nobody says which direction is better or "
        f"on which data and at which checkpoint they were measured: {names}",
        reason=Reason.UNDECLARED_KEY,
        would_decide=f"declare `metrics: {{{found.unknown[0]}: {{from: ..., higher_is_better: "
        "...}}` and so each of them, or list it in `measured_not_reported.metrics`",
        seen=_seen(found),
    )


def _none_worse(found: Beside) -> str:
    n = f"n = {found.seeds[0]} + {found.seeds[1]}"
    if not found.omitted:
        return (
            f"the metrics files hold nothing else that is a metric than the {len(found.reported)} "
            f"reported ({n})"
        )
    behind = len(found.opposite)
    return (
        f"the evaluation writes {_counted(len(found.reported) + len(found.omitted))}, of which the "
        f"paper reports {len(found.reported)}; on none of the others ({_names(_of(found.omitted))})"
        f" is the method worse beyond the noise of its seeds ({n}; behind on {behind})"
    )


def _limit(found: Beside, panel: Panel) -> str:
    parts = ["would have seen only what the evaluation writes into its metrics files as one number"]
    if found.same:
        same = [f"{name} as {of}" for name, of in list(found.same.items())[:_MOST]]
        parts.append(f"says the same: {', '.join(same)}")
    if found.diagnostics:
        parts.append(f"diagnostics: {_names(found.diagnostics)}")
    if found.admitted:
        parts.append(f"left out by the authors' own list: {_names(found.admitted)}")
    if panel.why:
        parts.append(f"no standard metric was recomputed from predictions ({panel.why})")
    if found.full:
        parts.append("of more than 200 numbers those with names of standard metrics, and the first")
    return "; ".join(parts)


def _seen(found: Beside) -> tuple[Quantity, ...]:
    if not found.sources:
        return ()
    source = f"{', '.join(found.sources)}, out/"
    cells = found.worse[:_MOST] or found.omitted[:_MOST]
    counted = Quantity(
        name="metrics computed and not reported",
        value=len(found.omitted),
        level=Level.RERUN,
        source=source,
    )
    gains = (
        Quantity(
            name=f"gain in {cell.name}, n = {cell.n[0]} + {cell.n[1]}",
            value=cell.gain.estimate,
            level=Level.RERUN,
            source=source,
        )
        for cell in cells
    )
    return (counted, *gains)


def _fix(worse: Sequence[Cell]) -> str:
    return (
        f"Report {_names(_of(worse))} for both methods, in an appendix if need be, or list them in "
        "`measured_not_reported.metrics` with the reason, and mark the primary metric."
    )


def _of(cells: Sequence[Cell]) -> list[str]:
    return [cell.name for cell in cells]


def _others(count: int) -> str:
    return "the other:" if count == 1 else f"of the {count} others"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _counted(count: int) -> str:
    return f"{count} metric" if count == 1 else f"{count} metrics"
