"""The stated hardware cannot have done the stated training in the stated hours.

## What it catches
More operations than the stated devices can do in the stated hours, and training FLOPs that do not
go with parameters x tokens: a cost copied from another run, FLOPs of one step beside hours of
another, hours of one device under the name of eight.

## When it is legitimate
The peak of one precision beside training in another; hours of a resumed run; a model of which only
a part is trained (LoRA, frozen layers) or used (experts, embeddings, sparse weights), which spends
less than six operations a parameter and token: those are not judged by tokens.

## How it is decided
Training FLOPs (stated, or FLOPs of a sample x samples, or 6 x parameters x tokens for a dense
language model; multiply-adds doubled) over device hours x peak. The peak is the stated one, else
the maker's for the named device in the stated precision, the fastest one where none is stated; the
hours are taken as those of one run, which favours the authors. Above 100 % is impossible: major
where cost and precision are stated, else minor (a cost from parameters and tokens: a note up to
200 %, as embeddings cost nothing). Above `implausible` is a note: no training of a
whole model is known to get there. An unknown device is undetermined. Beside stated FLOPs, fewer
than one operation a parameter and token is minor, and far from six is a note.

## How to fix
State the device, how many of them, the precision and the hours of the run whose FLOPs you give.

## Source
hzwer 6.3; Kaplan et al. 2020 for six operations a parameter and token; makers' datasheets
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from repcheck.amount import Amount, figure
from repcheck.budget import Budget, stated_budget
from repcheck.claims.model import Claims, Hardware, Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.stats.forensics_compute import (
    SECONDS_AN_HOUR,
    per_parameter_and_token,
    utilisation,
)
from repcheck.stats.forensics_devices import devices_in, peak_of
from repcheck.units import print_scaled

_PARTLY = re.compile(
    r"expert|\bmoe\b|mixtral|switch|\blora\b|adapter|frozen|freeze|sparse|prun|prompt.?tun|embed|"
    r"fine.?tun|distil"
)
_LEAST, _USUAL = 0.9, (5.0, 12.0)
_DENSE = 6
_UNSURE = 2.0  # embeddings may be half of the parameters, and cost nothing
_FLOPS = "FLOPs"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """Training FLOPs, and whether the authors state them."""

    flops: Amount
    stated: bool


@rule("RC916", Severity.MINOR, part=Part.FORENSIC)
def check(method: Method, table: Table, *, implausible: float = 0.7) -> Answer:
    told = _told(method)
    if not told:
        return NotApplicable(message="neither training FLOPs nor device hours are stated")
    claims = table.claims
    budget = stated_budget(claims, method)
    found = [*_by_tokens(method, budget)] if "flops" in told else []
    return [*found, _asked(method, claims, budget, implausible)]


def _told(method: Method) -> set[str]:
    """Return which halves of the question the authors speak of: cost, and time on devices."""
    cost, train, model = method.train_cost, method.train, method.model
    if not (cost.declared or train.declared or model.declared):
        return set()
    flops = (cost.train_flops.value, model.train_flops_per_sample.value)
    hours = (cost.gpu_hours, cost.wall_clock, train.gpu_hours, train.wall_clock)
    return {
        name
        for name, leaves in (("flops", flops), ("hours", hours))
        if any(leaf.known for leaf in leaves)
    }


def _asked(method: Method, claims: Claims, budget: Budget, implausible: float) -> Outcome:
    try:
        machine = _machine(method, claims)
        return _judge(method, machine, _cost(method, budget), implausible)
    except Missing as missing:
        return Undetermined(
            message=f"the hardware's share cannot be told: {missing.would_decide}",
            reason=missing.reason,
            would_decide=missing.would_decide,
        )
    except Inapplicable as precondition:
        return NotApplicable(message=str(precondition))


def _machine(method: Method, claims: Claims) -> Hardware:
    leaf = method.train.hardware
    machine = claims.hardware.get(leaf.value)
    if machine is None:
        raise Missing(Reason.UNDECLARED_KEY, f"describe `{leaf.value}` under `hardware`")
    return machine


def _cost(method: Method, budget: Budget) -> _Cost:
    total = method.train_cost.train_flops
    if total.value.known and total.scope.get("total") != "total":
        raise Inapplicable("the cost is not that of the whole training")
    try:
        return _Cost(flops=budget.train_flops, stated=True)
    except Missing as missing:
        params = method.model.params
        if not params.known or _partly(method):
            raise
        try:
            tokens = budget.tokens
        except Missing:
            raise missing from None
        made = f"6 x {figure(params.value)} parameters x {tokens.made_of}"
        flops = Amount(value=_DENSE * params.value * tokens.value, unit=_FLOPS, made_of=made,
                       place=params.place)  # fmt: skip
        return _Cost(flops=flops, stated=False)


def _partly(method: Method) -> bool:
    """Return whether only a part of the parameters is said to be trained or used."""
    parts = [part.name.get("") for part in method.components or ()]
    model = method.model
    words = (method.id, model.entry.get(""), model.variant.get(""), *parts)
    return bool(_PARTLY.search(" ".join(words).lower().replace("_", " "))) or (
        method.pretrained.declared and not method.pretrained.absent
    )


def _judge(method: Method, machine: Hardware, cost: _Cost, implausible: float) -> Outcome:
    hours = _device_hours(method, machine)
    peak, which, certain = _peak(method, machine)
    share = utilisation(cost.flops.value, hours, peak)
    seen = Quantity(
        name="share of the devices' peak", value=round(share, 4), level=Level.FORENSIC,
        source=str(cost.flops.place),
    )  # fmt: skip
    size = print_scaled(cost.flops.value, _FLOPS)
    words = f"training {method.id} takes {size}"
    words += "" if cost.stated else f" ({cost.flops.made_of})"
    words += f" in {hours:.4g} device hours: {share:.0%} of {which}, {peak:g} TFLOP/s a device"
    if share <= implausible:
        limit = f"would have seen more than {implausible:.0%} of the peak"
        return Cleared(message=words, seen=seen, limit=limit)
    severity = Severity.NOTE
    if share > (1 if cost.stated else _UNSURE):
        severity = Severity.MAJOR if certain and cost.stated else Severity.MINOR
    words += "" if share > 1 else "; trainings of whole models stay below that"
    return Flagged(
        message=words, kind=Kind.MISMATCH, severity=severity, seen=seen, at=cost.flops.place
    )


def _peak(method: Method, machine: Hardware) -> tuple[float, str, bool]:
    """Return the peak of one device, what it is, and whether its precision is stated."""
    precision = machine.precision.get("") or ("amp" if method.train.amp.get(False) else "")
    if machine.peak_tflops.known:
        return machine.peak_tflops.value, "the stated peak", machine.precision.known
    if machine.device.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{machine.device.path}`")
    device = machine.device.value
    found = peak_of(device, precision)
    if found is None:
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{machine.peak_tflops.path}`: the peak of `{device}` is not known here",
        )
    return found.tflops, f"the {found.precision} peak of {device}", found.certain


def _device_hours(method: Method, machine: Hardware) -> float:
    cost, train = method.train_cost, method.train
    leaves = (cost.gpu_hours, train.gpu_hours)
    wall = cost.wall_clock if cost.wall_clock.known else train.wall_clock
    if leaf := next((one for one in leaves if one.known), None):
        hours: float = leaf.value
    elif wall.known:
        # Raises where neither says how many: one device would be to the authors' disadvantage.
        count = devices_in(machine.device.get("")) or train.devices.value
        if train.devices.known:
            count = train.devices.value
        hours = wall.value * count / SECONDS_AN_HOUR
    else:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{cost.gpu_hours.path}`")
    if hours <= 0:
        raise Inapplicable("no device hours were spent")
    return hours


# --- parameters and tokens --------------------------------------------------------------------


def _by_tokens(method: Method, budget: Budget) -> Iterator[Flagged]:
    total, params = method.train_cost.train_flops, method.model.params
    if not (total.value.known and params.known and params.value) or _partly(method):
        return
    try:
        tokens, flops = budget.tokens, budget.train_flops
    except (Missing, Inapplicable):
        return
    if total.scope.get("total") != "total" or not tokens.value:
        return
    found = per_parameter_and_token(flops.value, params.value, tokens.value)
    if _USUAL[0] <= found.factor <= _USUAL[1]:
        return
    means = f", as {found.means} would" if found.means else ""
    yield Flagged(
        message=f"training {method.id} takes {print_scaled(flops.value, _FLOPS)} for "
        f"{print_scaled(params.value)} parameters and {print_scaled(tokens.value)} tokens: "
        f"{found.factor:.2g} operations each{means}, a dense model takes {_DENSE}",
        kind=Kind.MISMATCH,
        severity=Severity.MINOR if found.factor < _LEAST else Severity.NOTE,
        seen=Quantity(
            name="operations a parameter and token", value=round(found.factor, 4),
            level=Level.FORENSIC, source=str(flops.place),
        ),
        at=flops.place,
    )  # fmt: skip
