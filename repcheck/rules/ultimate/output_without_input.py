"""The number does not come out of a run that read the data.

## What it catches
A score that is printed and not computed: nothing was run that could have made it; it stays the same
when the model is fed other examples; the training leaves the weights as they were.

## When it is legitimate
Scores computed from genuine predictions in a file that is declared (`eval.predictions`, RC603b asks
what these say). A model that answers the same whatever it is fed scores the same too; that is a
finding about the model then. Networks that something else runs (an exported graph, arithmetic by
hand on generated data) are not seen, and nothing is concluded of them.

## How it is decided
Three ways. A run as declared that was seen whole, gave the number, and in which there was no
optimizer step, no forward pass, no fit and no data file, and a declared network or data file was
never touched: major, and critical where no numerical library was imported either and it took next
to no time. Loops in plain Python are not seen: where neither is declared, nothing is said. A
training whose last weights are those that it began with: major. And a control: one more run of the
method, with the seed of a declared one, whose model is fed other examples at evaluation (of its
training, else of earlier batches), so that outputs and labels no longer belong together. Where the
score stays the very same, that is critical, where it keeps `most` of its way above chance major (if
the share of the most frequent class is known, from the predictions or `labels.counts`, and does not
explain it); where it keeps half or less, it depends on the data and is cleared, with both scores.
Chance is one over the classes (`labels.classes`; unstated, a half for a share above one half).
Scores that cannot be told from chance by the examples they are of, controls that fed less than was
evaluated, and numbers that need no inputs (cost, training, distances of generated sets) decide
nothing. RC603 asks what patterns the printed numbers have.

## How to fix
Give the code that computes the number from the model's outputs, with the raw predictions and logs.

## Source
Trick 6.3 of the hzwer list: write the paper directly without experiments, happening to be a bit
above the state of the art.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import dataset_named
from repcheck.claims.model import Claim, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.controls import (
    LITTLE_CPU_S,
    MUCH_CPU_S,
    OPAQUE,
    Control,
    Controls,
    Nothing,
    carried,
    datasets_asked,
    declared_seeds,
    evaluated_through_a_model,
    is_held,
    still,
    trained,
    unread,
)
from repcheck.facts.observed import source_of
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
from repcheck.runs import Run

HALF = 0.5


@rule("RC603c", Severity.MAJOR, worst=Severity.CRITICAL)
def check(claim: Claim, controls: Controls, *, most: float = 0.9) -> Answer:
    if not (claim.method.known and claim.metric.known):
        return NotApplicable(message="the claim names no method and metric that a run would give")
    method = controls.claims.methods[claim.method.value]
    found: list[Outcome] = []
    for dataset in datasets_asked(controls.claims, claim):
        found += _on(claim, method, dataset, controls, most)
    if not found:
        raise Missing(Reason.NOT_OBSERVED, f"rerun `{method.id}` with `repcheck check`")
    return found


def _on(
    claim: Claim, method: Method, dataset: str, controls: Controls, most: float
) -> Iterator[Outcome]:
    runs = declared_seeds(controls.declared(method.id, dataset, claim.metric.value))
    if not runs:
        return
    idle = controls.nothing(method, dataset, claim.metric.value)
    if idle:
        yield _of_nothing(claim, method, dataset, idle[0], controls)
        return
    if stuck := [run for run in runs if still(run)]:
        yield _unmoved(claim, method, stuck)
    held = list(controls.of(claim, dataset))
    if held:
        yield _of_control(claim, method, held[0], most)
    elif not stuck:
        yield _without(claim, method, dataset, runs[0], controls)


# --- nothing was run --------------------------------------------------------------------------


def _of_nothing(
    claim: Claim, method: Method, dataset: str, idle: Nothing, controls: Controls
) -> Outcome:
    said = (
        f"{_printed(claim, method, idle.run)} with 0 optimizer steps, 0 forward passes and 0 fits"
    )
    seen = (
        _quantity(method, "forward passes and optimizer steps", 0, idle.run),
        _score(claim, method, idle.run),
    )
    network = method.model.entry.get("")
    missing = unread(idle.run, dataset_named(controls.claims, dataset))
    if idle.read:
        return _open(f"{said}; it reads {', '.join(idle.read[:2])}", method, seen)
    if idle.why:
        return _open(f"{said} that were seen; {idle.why}", method, seen)
    said += f", and no data file opened, in {idle.cpu_s:.2g} s of CPU time"
    if not trained(method):
        return _open(f"{said}; no training of it is declared", method, seen)
    if opaque := sorted(OPAQUE & {*idle.libraries}):
        return _open(f"{said}; {', '.join(opaque[:3])} may do what is not seen", method, seen)
    bare = not idle.libraries and idle.cpu_s <= LITTLE_CPU_S
    severity = Severity.CRITICAL if bare else Severity.MAJOR
    # A network that is written in numpy or in plain Python is called where no probe looks.
    in_sight = "torch" in idle.libraries and idle.cpu_s <= MUCH_CPU_S
    if network and (bare or in_sight):
        words = f"{said}; the declared network `{network}` is never called"
        return _flag(claim, words, severity, seen, method)
    if missing:
        words = f"{said}; the declared `{missing}` is never read"
        return _flag(claim, words, severity, seen, method)
    return _open(f"{said}; what is done in arrays by hand is not seen", method, seen)


def _open(message: str, method: Method, seen: tuple[Quantity, ...]) -> Undetermined:
    return Undetermined(
        message=message,
        reason=Reason.NOT_OBSERVED,
        would_decide=f"declare `{method.eval.predictions.path}` with the raw predictions of a run"
        " (RC603b then asks what score they give)",
        seen=seen,
    )


def _flag(
    claim: Claim, message: str, severity: Severity, seen: tuple[Quantity, ...], method: Method
) -> Flagged:
    return Flagged(
        message=message,
        kind=Kind.MISMATCH,
        severity=severity,
        seen=seen,
        at=claim.place,
        fix=f"Give the code that computes the scores of `{method.id}`, with its raw predictions.",
    )


# --- the training changes nothing -------------------------------------------------------------


def _unmoved(claim: Claim, method: Method, stuck: list[Run]) -> Flagged:
    run, steps = stuck[0], still(stuck[0])
    return _flag(
        claim,
        f"{_printed(claim, method, run)} after {steps} optimizer steps that leave the weights as"
        f" they were before the first, in {len(stuck)} of its runs",
        Severity.MAJOR,
        (_quantity(method, "steps without a change", steps, run), _score(claim, method, run)),
        method,
    )


# --- the control ------------------------------------------------------------------------------


def _of_control(claim: Claim, method: Method, one: Control, most: float) -> Outcome:
    seen = (
        _score(claim, method, one.declared),
        Quantity(
            name=f"{method.id}.{one.metric}, fed other examples",
            value=one.score,
            unit=_unit(claim),
            level=Level.OBSERVED,
            source=source_of(one.run),
        ),
        _quantity(method, "rows exchanged", one.fed, one.run),
    )
    scores = (
        f"{one.metric} {one.usual:.6g} (seed {one.declared.seed}) and {one.score:.6g} with other"
        f" examples fed to its model at evaluation ({one.fed} rows exchanged)"
    )
    kept, chance = one.kept, one.chance
    vague = _vague(one)
    if not vague and kept is not None and chance is not None and kept <= HALF:
        by = f"chance ({chance.value:.4g}{', assumed' if chance.assumed else ''})"
        return Cleared(
            message=f"`{method.id}` scores {scores}: the score depends on the data",
            seen=seen,
            limit=f"a score that keeps half of its way from {by} whatever the model is fed",
        )
    doubt = vague or _doubt(one, most)
    if doubt or kept is None or (kept < most and one.score != one.usual):
        why = doubt or "what it keeps is neither nothing nor all of it"
        return Undetermined(
            message=f"`{method.id}` scores {scores}; {why}",
            reason=Reason.CONFLICTING_EVIDENCE if not doubt else Reason.UNDERPOWERED,
            would_decide=f"declare `{method.eval.predictions.path}` with the raw predictions of a"
            " run (RC603b then asks what score they give)",
            seen=seen,
        )
    words = "still" if one.score == one.usual else "still nearly"
    why = "the number does not come from the model's outputs, or these not from its inputs"
    return _flag(
        claim,
        f"{_printed(claim, method, one.declared)} and {words} prints {one.score:.6g} with other"
        f" examples fed to its model at evaluation ({one.fed} rows exchanged, seed"
        f" {one.declared.seed}): {why}",
        Severity.CRITICAL if one.score == one.usual else Severity.MAJOR,
        seen,
        method,
    )


def _vague(one: Control) -> str:
    """Return why neither a score that stays nor one that falls shows anything; "" if they do."""
    if not one.held:
        return _nameless(one.metric)
    if not one.sure or one.kept is None:
        return "as declared, the score cannot be told from one by chance"
    return ""


def _nameless(metric: str) -> str:
    return f"that {metric} holds outputs against what is right is not known from its name"


def _doubt(one: Control, most: float) -> str:
    """Return why a score that stays shows nothing; "" where it does."""
    if one.fed < one.rows:
        return f"only {one.fed} of {one.rows} evaluated rows could be exchanged"
    if file := carried(one.declared):
        return f"`{file}` may be run by something else than the model that was fed"
    if one.score != one.usual and (one.kept or 0.0) >= most and one.uneven:
        return "what answers without any input would score is not known (one class may be frequent)"
    return ""


def _without(
    claim: Claim, method: Method, dataset: str, run: Run, controls: Controls
) -> Undetermined:
    """Return what is lacking where there is no control that tells anything."""
    broken = controls.broken(claim, dataset)
    allowed = controls.claims.budget.allow_surgery
    declare = f"declare `{method.eval.predictions.path}` with the raw predictions of a run"
    words = f"{_printed(claim, method, run)}; whether that depends on the data is not shown"
    if not is_held(controls.claims.metrics[claim.metric.value]):
        words += f": {_nameless(claim.metric.value)}, so that no control would tell"
    elif broken:
        words += f": the control says nothing, {broken[0][1]}"
    elif run.observation is None:
        declare = "a rerun with the probe (without --no-probe)"
    elif not evaluated_through_a_model(run):
        words += ": no model was seen in its evaluation that could be fed something else"
    elif not allowed.get(True):
        declare = f"`{allowed.path}: true`: one more run, its model fed other examples"
    elif controls.refused:
        declare = controls.refused[0]
    else:
        declare = "one more run, its model fed other examples: `repcheck check` makes it"
    return Undetermined(
        message=words,
        reason=Reason.NOT_OBSERVED,
        would_decide=declare,
        seen=_score(claim, method, run),
    )


# --- words ------------------------------------------------------------------------------------


def _printed(claim: Claim, method: Method, run: Run) -> str:
    return f"`{method.id}` prints {run.metrics[claim.metric.value]:.6g} {claim.metric.value}"


def _score(claim: Claim, method: Method, run: Run) -> Quantity:
    return _quantity(method, claim.metric.value, run.metrics[claim.metric.value], run)


def _quantity(method: Method, name: str, value: float, run: Run) -> Quantity:
    return Quantity(
        name=f"{method.id}.{name}", value=value, level=Level.OBSERVED, source=source_of(run)
    )


def _unit(claim: Claim) -> str:
    return claim.metric.get("")
