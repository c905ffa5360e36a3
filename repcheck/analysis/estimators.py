"""Estimators outside torch: what they were fitted on and what they predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repcheck.analysis.arrays import among, different, digest, twins
from repcheck.analysis.processes import Process
from repcheck.observation import EvaluatedSet, Evaluation, Fit
from repcheck.records import FIT, PREDICT, Hashes

PREDICTING = ("predict", "predict_proba", "score")
FITTING = ("fit", "fit_transform", "partial_fit")
MOST_FITS = 500
MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One call that predicted: its rows, how many are hashed and were fitted on before."""

    number: int
    rows: int
    digest: str
    trained: int | None
    duplicates: int


def fits_of(processes: tuple[Process, ...]) -> tuple[Fit, ...]:
    """Return the calls of each class's methods, counted over all processes."""
    calls: dict[tuple[str, str], list[int]] = {}
    for process in processes:
        for event in process.record.of("fit"):
            key = event.text("cls"), event.text("method")
            calls.setdefault(key, []).append(event.count("n") or 0)
    return tuple(
        Fit(cls=cls, method=method, calls=len(rows), rows=sum(rows))
        for (cls, method), rows in sorted(calls.items())[:MOST_FITS]
    )


def predictions_of(process: Process) -> list[Prediction]:
    """Return the calls that predicted, each held against what the same estimator was fitted on."""
    rows = process.record.rows
    layers = rows.headers["layer"]
    places = np.flatnonzero((layers == FIT) | (layers == PREDICT)).tolist()
    fitted: dict[int, list[Hashes]] = {}
    found: list[Prediction] = []
    waiting = iter(places)
    place = next(waiting, None)
    for event in process.record.of("fit"):
        serial, method, n = event.count("id"), event.text("method"), event.count("n") or 0
        if serial is None or len(found) >= MOST_CALLS:
            continue
        layer = FIT if method in FITTING else PREDICT
        hashes = None
        if place is not None and _is(rows.headers[place], layer, serial, n):
            hashes = rows.only(np.arange(len(rows)) == place).values("<u8")
            place = next(waiting, None)
        if method in FITTING:
            if method != "partial_fit":
                fitted.pop(serial, None)
            if hashes is not None:
                fitted.setdefault(serial, []).append(hashes)
        elif method in PREDICTING:
            found.append(_prediction(len(found), n, hashes, fitted.get(serial, [])))
    return found


def _is(header: np.void, layer: int, serial: int, n: int) -> bool:
    return bool(header["layer"] == layer and header["id"] == serial and header["n"] == n)


def _prediction(number: int, rows: int, hashes: Hashes | None, fitted: list[Hashes]) -> Prediction:
    if hashes is None:
        return Prediction(number=number, rows=rows, digest="", trained=None, duplicates=0)
    known = np.concatenate(fitted) if fitted else None
    trained = duplicates = None
    if known is not None:
        seen = different(known[known != 0])
        trained = int(among(hashes[hashes != 0], seen).sum())
        duplicates = twins(known[known != 0])
    return Prediction(
        number=number,
        rows=rows,
        digest=digest(different(hashes)),
        trained=trained,
        duplicates=duplicates or 0,
    )


def sets_of(
    predictions: list[Prediction], first_set: int, first_pass: int
) -> tuple[list[EvaluatedSet], list[Evaluation]]:
    """Return predictions as evaluated sets and passes, numbered from where others ended."""
    groups: dict[tuple[str, int], list[Prediction]] = {}
    for one in predictions:
        groups.setdefault((one.digest, 0 if one.digest else one.rows), []).append(one)
    sets, passes = [], []
    for number, group in enumerate(groups.values(), start=first_set):
        last = group[-1]
        sets.append(
            EvaluatedSet(
                id=number,
                examples=last.rows if last.digest else None,
                by="content" if last.digest else "rows",
                digest=last.digest,
                passes=len(group),
                rows=sum(one.rows for one in group),
                trained_input=last.trained,
                duplicates_in_training=last.duplicates,
            )
        )
        passes += [
            Evaluation(
                n=first_pass + one.number,
                at=0,
                set=number,
                rows=one.rows,
                forwards=1,
                final=one is last,
            )
            for one in group
        ]
    return sets, sorted(passes, key=lambda one: one.n)
