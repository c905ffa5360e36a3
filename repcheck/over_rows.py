"""Put one question to every row of the tables, and answer once.

A paper may report ten thousand numbers. Each finding stands for itself, with its row's name; the
rows that are fine, and those that cannot be judged for one and the same reason, are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from repcheck.claims.model import Result
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.rule import Answer, Cleared, Flagged, NotApplicable, Outcome, Undetermined


def over_rows(
    rows: Iterable[Result], ask: Callable[[Result], Answer], *, needs: str
) -> list[Outcome]:
    """Return the findings, then what is cleared, undetermined and not applicable, counted.

    Rows that do not write the key `needs` are undetermined, and are not asked.
    """
    flagged: list[Outcome] = []
    groups: dict[object, tuple[Outcome, int]] = {}
    silent: list[Result] = []
    for row in rows:
        if row.place.keys and needs not in row.place.keys:
            silent.append(row)
            continue
        for outcome in _ask(row, ask):
            if isinstance(outcome, Flagged):
                flagged.append(replace(outcome, message=f"{name_of(row)}: {outcome.message}"))
                continue
            first, count = groups.get(key := _group(outcome), (outcome, 0))
            groups[key] = (first, count + 1)
    counted = [_counted(first, count) for first, count in groups.values()]
    if silent:
        counted.append(
            _counted(_undeclared(f"declare `{silent[0].place.join(needs)}`"), len(silent))
        )
    answers = [outcome for outcome in counted if not isinstance(outcome, NotApplicable)]
    if flagged or answers:
        return [*flagged, *answers]
    return counted[:1] or [NotApplicable(message="no rows in `results`")]


def name_of(row: Result) -> str:
    """Return a row as a person names it: `ours, digits, accuracy`."""
    return ", ".join(leaf.value for leaf in (row.method, row.dataset, row.metric) if leaf.known)


def _ask(row: Result, ask: Callable[[Result], Answer]) -> Iterable[Outcome]:
    try:
        answer = ask(row)
    except Missing as missing:
        return (_undeclared(missing.would_decide, missing.reason),)
    except Inapplicable as precondition:
        return (NotApplicable(message=str(precondition)),)
    return answer if isinstance(answer, list | tuple) else (answer,)


def _undeclared(would_decide: str, reason: Reason = Reason.UNDECLARED_KEY) -> Undetermined:
    words = f"cannot be judged: {would_decide}"
    return Undetermined(message=words, reason=reason, would_decide=would_decide)


def _group(outcome: Outcome) -> object:
    if not isinstance(outcome, Undetermined):
        return type(outcome)
    last_key = outcome.would_decide.rpartition(".")[2]
    return outcome.reason, last_key if outcome.reason is Reason.UNDECLARED_KEY else ""


def _counted(first: Outcome, count: int) -> Outcome:
    if count == 1:
        return first
    if isinstance(first, Cleared):
        return replace(first, message=f"{count} rows; the first: {first.message}")
    if isinstance(first, Undetermined):
        what = first.message.removeprefix("cannot be judged: ")
        lead = "rows cannot be judged" if what != first.message else "rows"
        more = f"{first.would_decide}, and so for {count - 1} more"
        return replace(first, message=f"{count} {lead}; the first: {what}", would_decide=more)
    return first
