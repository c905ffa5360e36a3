"""The page: one file without scripts, rendered from the report's data alone.

The content security policy allows one style sheet, by its hash, and nothing else; so there is no
`style` attribute, no image and no request. Every value passes through `_shown` before it is
escaped, so that no template can forget to make hidden characters visible.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from repcheck.places import place
from repcheck.reporter import Report, Reporter
from repcheck.reporters.parts import (
    arms,
    budget,
    cards,
    checks,
    forest,
    sight,
    split,
    strips,
    tables,
    text,
    traces,
    words,
)
from repcheck.reporters.parts.prose import inline, prose

_TITLE = 160


def render(report: Report) -> str:
    """Return the page."""
    return page("report.html", view(report))


def page(template: str, content: Mapping[str, Any]) -> str:
    """Return a page of ours: a template filled, with the style sheet and its hash."""
    css = _style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    made = _environment().get_template(template)
    return made.render(content, css=Markup(css), css_hash=f"sha256-{digest}")


def view(report: Report) -> dict[str, Any]:
    """Return everything the page's templates are filled from."""
    named = cards.anchors(report["claims"])
    made = cards.cards(report, named)
    panels, more_strips = strips.panels(report)
    matrices, more_methods = tables.matrices(report["methods"])
    trained, more_trained = traces.comparisons(report)
    undeclared = report["coverage"]["undeclared"]
    return {
        "report": report,
        "arm_panels": arms.panels(report),
        "arms_lacking": arms.lacking(report),
        "divided": split.divided(report),
        "sweeps": split.sweeps(report),
        "tuned": split.tuned(report),
        "more_splits": split.more(report),
        "title": text.short(report["headline"]["sentence"].replace("`", ""), _TITLE),
        "path": report["claims_file"]["path"] or "\0",
        "claims_name": PurePath(report["claims_file"]["path"]).name,
        "tone": made[0].tone if made else "un",
        "counts": [
            (words.verdict(name), number)
            for name, number in words.in_order(report["headline"]["counts"]).items()
        ],
        "tricks": checks.tally(report["coverage"]["tricks"]),
        "groups": forest.groups(report["claims"], named),
        "cards": made,
        "anchors": named,
        "chapters": checks.chapters(report["coverage"]["tricks"]),
        "spoken": checks.spoken(report),
        "no_rule": [t for t in report["coverage"]["tricks"] if t["reason"] == "no-rule-yet"],
        "budgets": budget.budgets(report),
        "panels": panels,
        "more_strips": more_strips,
        "matrices": matrices,
        "more_methods": more_methods,
        "trained": trained,
        "more_trained": more_trained,
        "sight": sight.sight(report["runs"]),
        "undeclared": undeclared["keys"][: tables.MOST_UNDECLARED],
        "more_undeclared": max(0, len(undeclared["keys"]) - tables.MOST_UNDECLARED),
        "runs": tables.run_table(report["runs"]),
        "not_rerun": [c for c in report["claims"] if c["reproduction"]["verdict"] == "not-run"],
    }


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(place("templates"), encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {
        "breakable": _breakable,
        "count": text.count,
        "inline": inline,
        "line": text.line,
        "link": text.link,
        "number": text.number,
        "place": text.place,
        "plain": words.plain,
        "prose": prose,
        "seconds": text.seconds,
        "short": text.short,
        "unseen": _unseen,
    }
    made.globals |= {
        "state": words.state,
        "bears": words.BEARS,
        "bears_why": words.BEARS_WHY,
        "standings": words.STANDINGS,
    }
    return made


def _breakable(key: str) -> Markup:
    """Return a dotted key that breaks after its dots first."""
    return Markup(".<wbr>").join(text.visible(key).split("."))


def _unseen(run: dict[str, Any]) -> str:
    """Return the share of a run's CPU time without a probe where it is worth a word."""
    return text.percent(sight.much_unseen(run))


def _shown(value: object) -> object:
    """Return a value as a template prints it."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return text.visible(value)
    return "–" if value is None else text.number(value)


@cache
def _style() -> str:
    """Return the style sheet as it stands between its tags; the policy's hash is of this."""
    css = (place("templates") / "report.css").read_text(encoding="utf-8")
    return "\n" + "\n".join(line.strip() for line in css.splitlines() if line.strip()) + "\n"


REPORTER = Reporter(
    name="html",
    about="one page for people: no scripts, no requests",
    file="report.html",
    render=render,
)
