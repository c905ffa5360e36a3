"""What a learnable gate lets through adds nothing to what the method scores.

## What it catches
A component behind a gate `x + beta * f(x)` that starts at zero: in the worst case it leaves the
network as it was, and is credited with a gain that is there without it.

## When it is legitimate
LayerScale, ReZero and zero-initialised branches steady deep trainings; a gate with an ablation
that shows what its component is worth.

## How it is decided
By an arm in which the gate is held at zero through the whole training (`probe: {freeze: ...}`, or a
factor named `gates.NAME`), with the seeds of the method. A 90 % interval of the difference within
the margin (a quarter of the claimed gain, or the tolerance where that is more, at most half the
gain) is a finding, major where `attributed_to` names the component; a 95 % interval above zero
clears it. The size of the gate alone decides nothing: a small one on a large input may matter. Nor
does closing it at evaluation alone: what was trained with it leans on it. Where no arm is there, a
gate is one that a component's name says, or that the network shows: a parameter of its own
multiplied with a branch that is then added; not if the baseline has as many.

## How to fix
Show the row with the gate held at zero, and drop what it does not lose.

## Source
Trick 4.3 of the hzwer list: for a component x build a learnable beta, initial 0, and add beta x; in
the worst case beta = 0 leaves the model unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.ablated import not_run, said_of, standing
from repcheck.claims.comparison import Comparison
from repcheck.errors import Reason
from repcheck.facts.gates import more_gates
from repcheck.facts.networks import Networks
from repcheck.facts.worth import Worth, Worths, is_gate
from repcheck.rule import Answer, NotApplicable, Outcome, Part, Severity, Undetermined, rule
from repcheck.where import NOWHERE

FIX = "Show the row with the gate held at zero, and drop what does not lose by it."


@rule("RC403", Severity.MINOR, part=Part.EFFECT, factors=("gates", "gate"))
def check(comparison: Comparison, worths: Worths, networks: Networks) -> Answer:
    found = [_answer(comparison, standing(arm)) for arm in worths.of(comparison, "gate")]
    found += not_run(worths.refused(comparison, "gate"))
    if found or worths.elsewhere(comparison, "gate"):
        return found
    named = [part.name.get("") for part in comparison.method.components or ()]
    gates = [name for name in named if is_gate(name)]
    if gates:
        return list(_untested(comparison, {name: "" for name in gates}))
    seen = more_gates(comparison, networks)
    if not seen:
        return NotApplicable(
            message=f"the network of `{comparison.method.id}` shows no more gates than the one of"
            f" `{comparison.baseline.id}`"
        )
    return list(_untested(comparison, {path or "the model itself": path for path in seen}))


def _answer(comparison: Comparison, worth: Worth) -> Outcome:
    parts = comparison.method.components or ()
    of = next((part for part in parts if part.name.get("") in worth.names), None)
    name = f"what `{worth.names[-1]}` lets through"
    at = of.place if of is not None else NOWHERE
    return said_of(worth, name, severity=Severity.MINOR, at=at, fix=FIX)


def _untested(comparison: Comparison, gates: dict[str, str]) -> Iterator[Undetermined]:
    method = comparison.method.id
    for name, path in gates.items():
        pattern = f"{path}.beta" if path else "*.beta"
        yield Undetermined(
            message=f"no arm trains `{method}` with the gate in `{name}` held at zero",
            reason=Reason.NOT_OBSERVED,
            would_decide=f"`arms: [{{id: {method}-gate, of: {method}, factor: gates.{name},"
            f' kind: remove, override: {{probe: {{freeze: {{parameter: "{pattern}", value: 0}}'
            "}}}]`, with the gate's own name for `beta`",
        )
