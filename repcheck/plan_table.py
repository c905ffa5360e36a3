"""The plan as a person or a program reads it."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter

from repcheck.arms import Arm
from repcheck.consent import PROBED, WHEN, changed
from repcheck.plan import Plan
from repcheck.runs import RunSpec
from repcheck.units import print_duration
from repcheck.visible import line, visible

Cells = tuple[str, ...]
MOST_COLUMNS = 100
LONGEST_NAME = 36


def shown(plan: Plan, form: str) -> str:
    """Return the plan as a table, or as JSON lines."""
    return (
        plan.to_jsonl() if form == "jsonl" else "".join(f"{visible(row)}\n" for row in _table(plan))
    )


def _table(plan: Plan) -> list[str]:
    lines: list[str] = []
    if plan.runs:
        rows: list[Cells] = [("arm", "method", "dataset", "seed", "chosen by", "cost", "state")]
        rows += [_row(plan, run) for run in plan.runs]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.append("")
    lines += _sums(plan)
    lines += _arms(plan, min(MOST_COLUMNS, shutil.get_terminal_size().columns))
    remarks = [f"left out: {left.run}: {left.detail} ({left.reason})" for left in plan.left_out]
    remarks += [f"not run: {gap.claim}: {gap.would_decide} ({gap.reason})" for gap in plan.not_run]
    remarks += [f"no arm: {none.id}: {none.would_decide} ({none.reason})" for none in plan.no_arms]
    remarks += [f"note: {note}" for note in plan.notes]
    return lines + [line(remark) for remark in remarks]


def _arms(plan: Plan, width: int) -> list[str]:
    """Return each arm beside the declared ones: its runs and cost, what changes, what for."""
    if not plan.arms:
        return []
    return ["", f"arms, {WHEN}:", *(told for arm in plan.arms for told in _arm(plan, arm, width))]


def _arm(plan: Plan, arm: Arm, width: int) -> list[str]:
    runs = [run for run in plan.runs if _is_of(run, arm)]
    known = [plan.cost(run) for run in runs]
    costs = [cost for cost in known if cost is not None]
    cost = print_duration(sum(costs)) if runs and len(costs) == len(runs) else "unknown"
    n = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
    told = (
        (2, f"{arm.id}: {n}, cost {cost}"),
        (4, f"changes {changed(arm)}"),
        (4, f"decides {arm.decides}"),
    )
    return [
        row
        for by, text in told
        for row in textwrap.wrap(
            line(text), max(40, width), initial_indent=" " * by, subsequent_indent=" " * (by + 4)
        )
    ]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def told(plan: Plan, part: Plan) -> str:
    """Return what the next round of a check is about, in a line."""
    arms = [arm for arm in plan.arms if any(_is_of(run, arm) for run in part.runs)]
    n = len(part.runs)
    if not arms:
        return line(f"not decided yet: {n} more runs, up to {len(plan.fresh_seeds)} seeds per arm")
    named = "; ".join(f"{arm.id} ({arm.changes}): {arm.decides}" for arm in arms[:4])
    return line(f"{n} runs of {len(arms)} {'arm' if len(arms) == 1 else 'arms'}: {named}")


def _is_of(run: RunSpec, arm: Arm) -> bool:
    return run.arm == arm.id and arm.dataset in {"", run.dataset}


def _row(plan: Plan, run: RunSpec) -> Cells:
    chooser = {"fresh": "repcheck", "declared": "the authors"}[run.seed_kind.value]
    chooser += ", again" if run.replicate else ""
    state = "done" if run.key in plan.done else "to do"
    cost = plan.cost(run)
    return (
        _short(line(run.arm)), line(run.method), line(run.dataset), str(run.seed), chooser,
        "unknown" if cost is None else print_duration(cost), state,
    )  # fmt: skip


def _sums(plan: Plan) -> list[str]:
    if not plan.runs:
        return ["nothing to run"]
    kinds = Counter(run.seed_kind.value for run in plan.runs if not run.replicate)
    left = sum(run.key not in plan.done for run in plan.runs)
    cost = plan.estimate_s
    jobs = f"{plan.jobs} at once"
    spent = (
        "unknown before the first runs" if cost is None else f"about {print_duration(cost)}, {jobs}"
    )
    salt = f", salt {plan.salt!r}" if plan.salt else ""
    return [
        f"{len(plan.runs)} runs: {kinds['fresh']} with fresh seeds"
        f" ({', '.join(map(str, plan.fresh_seeds))}{salt}),"
        f" {kinds['declared']} with declared ones{_repeats(plan)}; {left} to do",
        f"cost: {spent}",
        f"probe: {PROBED}",
    ]


def _repeats(plan: Plan) -> str:
    """Return `, 2 repeats of seed 123`: runs of a seed that was run already."""
    seeds = [run.seed for run in plan.runs if run.replicate]
    if not seeds:
        return ""
    named = ", ".join(map(str, dict.fromkeys(seeds)))
    return f", {len(seeds)} {'repeat' if len(seeds) == 1 else 'repeats'} of seed {named}"
