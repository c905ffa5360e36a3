"""A profile as a person reads it on a terminal, or a program as JSON."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from repcheck import __version__
from repcheck.consent import permitted
from repcheck.errors import UsageError
from repcheck.machine import stored
from repcheck.profile import ProfileRequest, profile, read_shape
from repcheck.profiled import MAC, SAME_OUTPUT, Deploy, ModuleRow, Profile, Rival
from repcheck.units import print_scaled
from repcheck.visible import line

TOP = 12
NARROWEST, WIDEST = 60, 120
USAGE = 2
_MOST_STAGES = 8
_INDENT = 14
_IN = "    "
_RIVALS = {"torch": "FlopCounterMode of torch"}
Row = tuple[str, ...]


def profiled(entry: str, *, form: str, yes: bool, **given: Any) -> tuple[str, int]:  # noqa: ANN401
    """Ask, count, and return what is printed and the exit code.

    Raises:
        RepcheckError: if the request cannot be used or nothing could be counted.
    """
    request = _request(entry, **given)
    if not yes:
        _show(request)
    if not permitted(yes=yes):
        return "", USAGE
    found = profile(request)
    return (as_json(found) if form == "json" else table(found, _width())), 0


def _request(entry: str, *, input_shape: str, kwargs: str | None, **given: Any) -> ProfileRequest:  # noqa: ANN401
    return ProfileRequest(
        entry=entry, input_shape=read_shape(input_shape), kwargs=_kwargs(kwargs), **given
    )


def _kwargs(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(f'--kwargs: no JSON ({error}); write {{"width": 8}}') from None
    if not isinstance(found, dict):
        raise UsageError('--kwargs: expected a JSON object, as in {"width": 8}')
    return found


def _show(request: ProfileRequest) -> None:
    python = request.python or "repcheck's own interpreter"
    stated = ", ".join(f"{name}={value!r}" for name, value in request.kwargs.items())
    click.echo(
        f"{line(request.entry)}({line(stated)}) is to be called, and the model that it returns,"
        f" by {line(python)} in a copy of {line(shlex.quote(str(request.root.absolute())))}",
        err=True,
    )


def _width() -> int:
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def as_json(found: Profile) -> str:
    """Return a profile as JSON, its unit named and what follows from its numbers beside it."""
    content = json.loads(stored.dumps(found))
    derived = {
        "macs": found.macs,
        "batch": found.batch,
        "train_flops": found.train.flops if found.train else None,
        "train_over_forward": found.train_ratio,
        "coverage": found.forward.coverage,
    }
    head = {"repcheck": {"version": __version__, "schema": 1}, "unit": "FLOPs (2 x MAC)"}
    return json.dumps({**head, **content, "derived": derived}, indent=2) + "\n"


# --- the table ----------------------------------------------------------------------------------


def table(found: Profile, width: int = 80) -> str:
    """Return a profile as a table that is no wider than `width` columns."""
    blocks = [
        _head(found, width),
        _costs(found),
        _facts(found, width),
        _modules(found, width),
        _rivals(found, width),
        _notes(found, width),
    ]
    return "\n".join("".join(f"{row}\n" for row in block) for block in blocks if block)


def _head(found: Profile, width: int) -> list[str]:
    given = ", ".join(
        f"{line(one.name) + ' ' if one.name else ''}{_size(one.shape)} {line(one.dtype)}"
        for one in found.inputs
    )
    place = f" at {line(found.place)}" if found.place else ""
    told = (
        f"input {given}; torch {line(found.torch)}, Python {line(found.python)}, on"
        f" {line(found.device)}"
    )
    return [
        *textwrap.wrap(f"{line(found.entry)}: {line(found.cls)}{place}", width),
        *textwrap.wrap(told, width),
    ]


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _costs(found: Profile) -> list[str]:
    """Return the costs in one currency, MACs and FLOPs side by side."""
    many = found.batch > 1
    call = f"one call, batch {found.batch}" if many else "one call"
    rows: list[Row] = [(call, "MACs", "FLOPs", "FLOPs a sample" if many else "", "")]
    rows.append(_cost("forward, evaluation", found.forward.flops, found))
    if step := found.train:
        rows.append(_cost("training: forward", step.forward, found))
        rows.append(_cost("          backward", step.backward, found))
        if step.recompute:
            rows.append(_cost("          recomputed", step.recompute, found))
        ratio = "" if found.train_ratio is None else f"{found.train_ratio:.2f} x forward"
        rows.append(_cost("          together", step.flops, found, ratio))
        if step.optimizer is not None:
            rows.append(_cost("optimizer step, apart", step.optimizer, found))
    rows.append(_cost("element-wise, apart", found.forward.elementwise, found, macs=False))
    return [*_aligned(rows, right={1, 2, 3}), "1 MAC = 2 FLOPs; only matrix operations are summed"]


def _cost(name: str, flops: float, found: Profile, ratio: str = "", *, macs: bool = True) -> Row:
    each = print_scaled(flops / found.batch) if found.batch > 1 else ""
    return (name, print_scaled(flops / MAC) if macs else "-", print_scaled(flops), each, ratio)


def _aligned(rows: Sequence[Row], right: set[int]) -> list[str]:
    columns = [column for column in range(len(rows[0])) if any(row[column] for row in rows)]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    return [
        "  ".join(
            row[column].rjust(widths[column])
            if column in right
            else row[column].ljust(widths[column])
            for column in columns
        ).rstrip()
        for row in rows
    ]


def _facts(found: Profile, width: int) -> list[str]:
    rows = [
        ("parameters", _parameters(found)),
        ("memory", _memory(found)),
        ("stride", _strides(found)),
        ("coverage", _coverage(found)),
        ("checked by", _checks(found)),
        ("deploy form", _deploy(found, found.deploy) if found.deploy else ""),
    ]
    return [text for name, said in rows if said for text in _wrapped(name, said, width)]


def _wrapped(name: str, said: str, width: int) -> list[str]:
    return textwrap.wrap(
        said, width, initial_indent=name.ljust(_INDENT), subsequent_indent=" " * _INDENT
    )


def _parameters(found: Profile) -> str:
    counted = found.parameters
    said = f"{counted.total:,}"
    said += (
        ", all trainable"
        if counted.trainable == counted.total
        else (f", {counted.trainable:,} trainable")
    )
    if counted.stored != counted.total:
        said += f", {counted.stored:,} in memory (weights are shared)"
    if counted.buffers:
        said += f"; {counted.buffers:,} in buffers"
    if found.without_gradient:
        said += f"; no gradient reaches {found.without_gradient:,}"
    return said


def _memory(found: Profile) -> str:
    if found.saved_bytes is None:
        return ""
    return f"{print_scaled(found.saved_bytes, 'B')} kept for the backward pass, beside parameters"


def _strides(found: Profile) -> str:
    if found.stride is None:
        return ""
    sizes = [_size(stage.size) for stage in found.stages]
    shown = sizes if len(sizes) <= _MOST_STAGES else [*sizes[:3], "...", *sizes[-3:]]
    return f"{found.stride:g} at the last map; maps {' > '.join(shown)}"


def _coverage(found: Profile) -> str:
    count = found.forward
    said = f"{count.counted:,} of {count.matrix:,} calls of matrix operations have a formula"
    if count.uncounted:
        named = ", ".join(f"{line(one.op)} x{one.calls}" for one in count.uncounted[:6])
        said += f"; not counted: {named}"
        said += ", ..." if len(count.uncounted) > 6 else ""
    return said


def _checks(found: Profile) -> str:
    first = found.forward.flops
    said = []
    for other in found.second:
        if other.flops is None:
            said.append(f"{other.how}: not possible here ({line(other.why)[:60]})")
        else:
            same = other.flops == first
            said.append(
                f"{other.how}: {'the same' if same else print_scaled(other.flops, 'FLOPs')}"
            )
    if found.forward_range is not None:
        least, most = found.forward_range
        said.append(f"other inputs: {'the same' if least == most else 'not the same'}")
    return "; ".join(said)


def _deploy(found: Profile, deploy: Deploy) -> str:
    if deploy.parameters is None or deploy.flops is None:
        return f"{line(deploy.how)}: none could be made ({line(deploy.why)})"
    said = (
        f"{line(deploy.how)}: {deploy.parameters.total:,} parameters"
        f"{_times(deploy.parameters.total, found.parameters.total)},"
        f" {print_scaled(deploy.flops, 'FLOPs')}{_times(deploy.flops, found.forward.flops)}"
    )
    if deploy.difference is None:
        return f"{said}; outputs not compared: {line(deploy.why)}"
    same = "the same" if deploy.difference <= SAME_OUTPUT else "NOT the same"
    return f"{said}; {same} outputs (largest difference {deploy.difference:.1g})"


def _times(part: float, whole: float) -> str:
    return f" ({part / whole:.2f} x)" if whole else ""


def _modules(found: Profile, width: int) -> list[str]:
    """Return the modules that spend the most by themselves."""
    spending = [row for row in found.modules if row.own > 0]
    spending.sort(key=lambda row: -row.own)
    if not spending:
        return []
    rows: list[Row] = [("module", "class", "output", "params", "FLOPs", "share", "time")]
    rows += [_module(row, found.forward.flops) for row in spending[:TOP]]
    lines = _aligned(_fitting(rows, width), right={3, 4, 5, 6})
    left = len(spending) - TOP
    return [*lines, *([f"and {left} more, in --format json"] if left > 0 else [])]


def _module(row: ModuleRow, whole: float) -> Row:
    return (
        line(row.path) or "(itself)", line(row.cls), _size(row.shape), print_scaled(row.params),
        print_scaled(row.own), f"{100 * row.own / whole:.1f} %" if whole else "",
        "" if row.share is None else f"{100 * row.share:.0f} %",
    )  # fmt: skip


def _fitting(rows: Sequence[Row], width: int) -> list[Row]:
    """Shorten the first two columns until the rows fit: a path at its front, a class at its end."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    over = sum(widths) + 2 * (len(widths) - 1) - width
    if over <= 0:
        return list(rows)
    second = max(8, widths[1] - over)
    first = max(12, widths[0] - max(0, over - (widths[1] - second)))
    return [(_tail(row[0], first), _front(row[1], second), *row[2:]) for row in rows]


def _tail(text: str, most: int) -> str:
    return text if len(text) <= most else f"...{text[-(most - 3) :]}"


def _front(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rivals(found: Profile, width: int) -> list[str]:
    """Return what other counters say, each followed by what it says that it left out."""
    if not found.rivals:
        return []
    rows: list[Row] = [("other counters", "say", "in FLOPs", "of ours")]
    rows += [_rival(rival, found) for rival in found.rivals]
    over = max(map(len, _aligned(rows, right=set()))) - width
    if over > 0:
        room = max(len(row[0]) for row in rows) - over
        rows = [(_front(row[0], room), *row[1:]) for row in rows]
    head, *lines = _aligned(rows, right={1, 2, 3})
    shown = [head]
    for text, rival in zip(lines, found.rivals, strict=True):
        remark = rival.why or (rival.ignored and f"it leaves out {', '.join(rival.ignored)}") or ""
        shown += [
            text,
            *textwrap.wrap(line(remark), width, initial_indent=_IN, subsequent_indent=_IN),
        ]
    return shown


def _rival(rival: Rival, found: Profile) -> Row:
    name = f"{_RIVALS.get(rival.name, line(rival.name))} {line(rival.version)}".strip()
    if rival.says is None or rival.flops is None:
        return (name, "nothing", "", "")
    ours = found.forward.flops
    share = f"{rival.flops / ours:.3f}" if ours else ""
    return (name, print_scaled(rival.says, rival.counts), print_scaled(rival.flops), share)


def _notes(found: Profile, width: int) -> list[str]:
    return [
        text
        for note in found.notes
        for text in textwrap.wrap(
            f"{note.kind.value}: {line(note.text)}", width,
            initial_indent="! ", subsequent_indent="  ",
        )
    ]  # fmt: skip
